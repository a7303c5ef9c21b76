# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script on the copy has changed that all databases of the server share: seen before it is committed.

A statement that says so is refused by preflight; this finds what a DO block or a function does, by comparing the
catalogs before and after. Others change them too, on a server that is production's: what another session sees by then
was committed by somebody else. A password is in no catalog that everybody may read; whoever changes one keeps
RowExclusiveLock on pg_authid until the end of the transaction (PostgreSQL's user.c).

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
        own_row: which version there is of this database's own row.
        own_comment: its comment, or None.
    """

    facts: dict[str, str]
    own_row: str
    own_comment: Optional[str]


# A role has its settings in pg_roles. Those of this database alone are left out: they are the copy's.
# All as bytes: what others have made in databases of other encodings is not the script's. Other runs make and drop
# copies meanwhile, of which nothing else is asked than what they are.
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
        UNION ALL
        SELECT 'database ' || quote_ident(datname), concat_ws(' ', datdba, datacl)
        FROM pg_catalog.pg_database WHERE datname <> current_database()
        UNION ALL
        SELECT 'tablespace ' || quote_ident(spcname), concat_ws(' ', spcowner, spcacl, spcoptions)
        FROM pg_catalog.pg_tablespace
        UNION ALL
        SELECT 'privileges on parameter ' || parname, paracl::text FROM pg_catalog.pg_parameter_acl
        UNION ALL
        SELECT 'comment on ' || (pg_catalog.pg_identify_object(classoid, objoid, 0)).type || ' '
               || (pg_catalog.pg_identify_object(classoid, objoid, 0)).identity, description
        FROM pg_catalog.pg_shdescription
        WHERE objoid <> (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        UNION ALL
        SELECT 'replication origin ' || quote_ident(roname), '' FROM pg_catalog.pg_replication_origin
        UNION ALL
        SELECT 'replication slot ' || quote_ident(slot_name), '' FROM pg_catalog.pg_replication_slots
    ) AS shared
    WHERE name IS NOT NULL ORDER BY 1, 2"""
OWN = """
    SELECT concat_ws(' ', xmin, ctid), pg_catalog.shobj_description(oid, 'pg_database')
    FROM pg_catalog.pg_database WHERE datname = current_database()"""
LOCKED = """
    SELECT count(*) FROM pg_catalog.pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND database = 0 AND mode = 'RowExclusiveLock' AND granted
      AND relation IN ('pg_catalog.pg_authid'::regclass, 'pg_catalog.pg_auth_members'::regclass)"""

SLOT = "replication slot "


def shared_state(cursor: Cursor) -> SharedState:
    """Roles, settings and all else of the whole server, as the transaction of the cursor sees it."""
    cursor.execute(OWN)
    own_row, own_comment = one_row(cursor)
    return SharedState(_facts(cursor), own_row, own_comment)


def _facts(cursor: Cursor) -> dict[str, str]:
    cursor.execute(STATE)
    facts: dict[str, str] = {}
    for name, text in cursor.fetchall():
        read = read_name(cursor, name)
        facts[read] = facts.get(read, "") + read_name(cursor, text or b"")
    return facts


def refuse_shared_changes(cursor: Cursor, script: str, before: SharedState, one_by_one: bool = False) -> None:
    """
    Args:
        cursor: of the transaction in which the script has run, or after it.
        script: its name.
        before: what shared_state() gave before it.
        one_by_one: whether its statements were committed, so that what others have done cannot be told from it.

    Raises:
        Refused: it has changed what is the whole server's, or this database's own row or comment.
    """
    cursor.execute(LOCKED)
    (locked,) = one_row(cursor)
    after = shared_state(cursor)
    _refuse_changes_of_own(cursor, script, before, after, one_by_one)
    changed = [] if one_by_one else _changed(before.facts, after.facts)
    if changed:
        changed = _of_nobody_else(cursor, before.facts, after.facts, changed)
    if not changed and not locked:
        return
    raise Refused(
        "statement_forbidden",
        f"On the copy {script} changes {listed(changed) or 'a role'}, which all databases of the server share:"
        f" committed on the copy's server, it would be production's before the deploy. {_remains(changed)}"
        " Carry it out by hand before the deploy.",
        script=script,
    )


def _changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Names of what differs; a database that came or went is another run's copy, which no transaction can make."""
    return sorted(
        name
        for name in {*before, *after}
        if before.get(name) != after.get(name)
        and not (name.startswith("database ") and (name not in before or name not in after))
    )


def _of_nobody_else(
    cursor: Cursor, before: dict[str, str], after: dict[str, str], changed: list[str]
) -> list[str]:
    """Without what another session sees as well: it was committed. A slot is there for all at once."""
    connection = connect_again(cursor.connection)
    try:
        with transaction(connection) as outside:
            seen = _facts(outside)
    finally:
        connection.close()
    made = [name for name in changed if name.startswith(SLOT) and name not in before]
    return [name for name in changed if name in made or seen.get(name) != after.get(name)]


def _remains(changed: list[str]) -> str:
    slots = [name for name in changed if name.startswith(SLOT)]
    if not slots:
        return "Nothing of it was committed."
    return (
        f"No transaction takes back a slot: {listed(slots)} may be on the server now, keeps WAL there, and is dropped"
        " with SELECT pg_drop_replication_slot('...')."
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
