# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script on the copy has changed that all databases of the server share: seen before it is committed.

A statement that says so is refused by preflight; this finds what a DO block or a function does. The evidence is a lock:
whoever changes a role keeps RowExclusiveLock on its catalog until the end of the transaction (PostgreSQL's user.c).
What it was is told by comparing the catalogs, in which others may have changed something too. Owner and privileges of
another database, which REASSIGN OWNED and DROP OWNED change besides, leave no lock, and are compared alone.

The copy's own row among the databases is another one than production's: others may not connect, and its comment says
whose copy it is. So it does not show what a script does there: that one has written to it is enough.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.connection import connect_again, sql, transaction
from ..postgres.other_encodings import as_bytes, read_name
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["SharedState", "refuse_shared_changes", "shared_state"]


class SharedState(NamedTuple):
    """What all databases share.

    Attributes:
        facts: name of an object -> what is known of it.
        databases: of the others, OID -> name, and owner and privileges as text.
        own_row: which version there is of this database's own row.
        own_comment: its comment, or None.
    """

    facts: dict[str, str]
    databases: dict[int, tuple[str, str]]
    own_row: str
    own_comment: Optional[str]


# A role has its settings in pg_roles. Those of this database alone are left out: they are the copy's.
# All as bytes: what others have made in databases of other encodings is not the script's.
STATE = f"""
    SELECT {as_bytes("name")}, {as_bytes("facts")} FROM (
        SELECT 'role ' || quote_ident(rolname) AS name, r::text AS facts FROM pg_catalog.pg_roles AS r
        UNION ALL
        SELECT 'membership of ' || member::regrole || ' in ' || roleid::regrole, m::text
        FROM pg_catalog.pg_auth_members AS m
        UNION ALL
        SELECT 'settings of database ' || quote_ident(datname), s.setrole || ' ' || setconfig::text
        FROM pg_catalog.pg_db_role_setting AS s JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
        WHERE datname <> current_database()
    ) AS shared
    ORDER BY 1, 2"""
DATABASES = f"""
    SELECT oid::bigint, {as_bytes("quote_ident(datname)")}, {as_bytes("concat_ws(' ', datdba, datacl)")}
    FROM pg_catalog.pg_database
    WHERE datname <> current_database()"""
OWN = """
    SELECT concat_ws(' ', xmin, ctid), pg_catalog.shobj_description(oid, 'pg_database')
    FROM pg_catalog.pg_database WHERE datname = current_database()"""
LOCKED = """
    SELECT count(*) FILTER (WHERE relation = 'pg_catalog.pg_authid'::regclass),
           count(*) FILTER (WHERE relation = 'pg_catalog.pg_auth_members'::regclass),
           count(*) FILTER (WHERE relation = 'pg_catalog.pg_db_role_setting'::regclass)
    FROM pg_catalog.pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND database = 0 AND mode = 'RowExclusiveLock' AND granted"""


_COMMITTED = {
    False: "Nothing of it was committed.",
    True: "Its statements commit one by one, so that it is there by now: take it back by hand if it is not wanted.",
}


def shared_state(cursor: Cursor) -> SharedState:
    """Roles and settings of the whole server, as the transaction of the cursor sees them."""
    cursor.execute(STATE)
    facts: dict[str, str] = {}
    for name, text in cursor.fetchall():
        read = read_name(cursor, name)
        facts[read] = facts.get(read, "") + read_name(cursor, text)
    cursor.execute(DATABASES)
    others = {
        oid: (read_name(cursor, name), read_name(cursor, text)) for oid, name, text in cursor.fetchall()
    }
    cursor.execute(OWN)
    return SharedState(facts, others, *one_row(cursor))


def refuse_shared_changes(cursor: Cursor, script: str, before: SharedState, one_by_one: bool = False) -> None:
    """
    Args:
        cursor: of the transaction in which the script has run, or after it.
        script: its name.
        before: what shared_state() gave before it.
        one_by_one: whether its statements were committed.

    Raises:
        Refused: it has changed a role, a setting of more than this database, or this database's own row or comment.
    """
    cursor.execute(LOCKED)
    roles, memberships, settings = one_row(cursor)
    after = shared_state(cursor)
    _refuse_changes_of_own(cursor, script, before, after, one_by_one)
    changed = _databases_changed(before, after)
    if roles or memberships or settings:
        names = {*before.facts, *after.facts}
        changed += sorted(name for name in names if before.facts.get(name) != after.facts.get(name))
    if not (changed or roles or memberships):
        return
    raise Refused(
        "statement_forbidden",
        f"On the copy {script} changes {listed(changed) or 'a role'}, which all databases of the server share:"
        f" committed on the copy's server, it would be production's before the deploy. {_COMMITTED[one_by_one]}"
        " Carry it out by hand before the deploy.",
        script=script,
    )


def _refuse_changes_of_own(
    cursor: Cursor, script: str, before: SharedState, after: SharedState, one_by_one: bool
) -> None:
    changed = ["owner, privileges or another property"] if before.own_row != after.own_row else []
    if before.own_comment != after.own_comment:
        changed.append("comment")
        if one_by_one:
            _comment_again(cursor, before.own_comment)
    if changed:
        raise Refused(
            "statement_forbidden",
            f"On the copy {script} changes {listed(changed)} of the database itself. A copy has others there than"
            " production, so that no rehearsal shows what production would have afterwards, and whether the rollback"
            " takes it back. Carry it out by hand, outside of the runbook.",
            script=script,
        )


def _comment_again(cursor: Cursor, comment: str | None) -> None:
    """Say again whose copy it is: by that it is dropped in the end."""
    cursor.execute("SELECT pg_catalog.current_database()::text")
    (name,) = one_row(cursor)
    connection = connect_again(cursor.connection)
    try:
        with transaction(connection) as own:
            own.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(comment))
            )
    finally:
        connection.close()


def _databases_changed(before: SharedState, after: SharedState) -> list[str]:
    """Those that are there all the time, since other runs make and drop copies meanwhile."""
    there = before.databases.keys() & after.databases.keys()
    return sorted(
        f"database {after.databases[oid][0]}"
        for oid in there
        if before.databases[oid][1] != after.databases[oid][1]
    )
