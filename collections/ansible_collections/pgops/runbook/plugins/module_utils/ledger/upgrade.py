# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing schemas ``runbook`` and ``runbook_salvage`` to the newest layout, from nothing or from any earlier one.

Nothing here commits: an upgrade is whole or it has not been. What is made does not depend on the session, nor on what
the application has set for its own objects: names are found in pg_catalog only, and nobody but the owner has rights.
"""

from __future__ import annotations

import re

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.application_tables import LEDGER_SCHEMA, SALVAGE_SCHEMA
from ..postgres.connection import psycopg2, sql
from ..postgres.membership import may_act_as, membership
from ..postgres.message import one_line
from ..postgres.session import SAFE_PATH
from ..shapes import Cursor
from .schema import ALL_AWAY, COLLECTION_VERSION, COMMENTS, NEWEST, RELEASES

__all__ = ["check_rights_to_upgrade", "known_release", "missing_rights_to_upgrade", "release_of", "upgrade"]

# Key of the advisory lock that one upgrade at a time holds, until its transaction ends. "layout" in ASCII.
LAYOUT_LOCK = 0x6C61796F7574

SCHEMAS = [LEDGER_SCHEMA, SALVAGE_SCHEMA]

# The layout before releases were written down.
FIRST = min(RELEASES)

# Of what depends on the session, what decides how DDL is understood and where a table goes.
PINNED = {
    "search_path": SAFE_PATH,
    "default_tablespace": "",
    "default_table_access_method": "heap",
}

MADE = re.compile(
    r"CREATE (?:SCHEMA|TABLE) (?P<whole>\S+)|CREATE INDEX (?P<index>\S+) ON (?P<schema>\w+)\."
    r"|ALTER TABLE (?P<table>\S+) ADD COLUMN (?P<column>\S+)"
)

RELATIONS = """
    SELECT c.oid::bigint FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%s) UNION ALL SELECT oid::bigint FROM pg_catalog.pg_namespace WHERE nspname = ANY (%s)"""

# What was made just now and has rights of its own: those that ALTER DEFAULT PRIVILEGES of the application has given.
GRANTED = """
    SELECT made.kind, made.name, pg_catalog.pg_get_userbyid(made.owner)::text,
           array(SELECT DISTINCT pg_catalog.pg_get_userbyid(acl.grantee)::text
                 FROM pg_catalog.aclexplode(made.acl) AS acl WHERE acl.grantee NOT IN (0, made.owner) ORDER BY 1)
    FROM (SELECT n.oid, n.nspname, 'SCHEMA' AS kind, ARRAY[n.nspname::text] AS name, n.nspacl AS acl,
                 n.nspowner AS owner
          FROM pg_catalog.pg_namespace n UNION ALL
          SELECT c.oid, n.nspname, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                 ARRAY[n.nspname::text, c.relname::text], c.relacl, c.relowner
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'S')) AS made
    WHERE made.acl IS NOT NULL AND made.oid <> ALL (%s::bigint[]) AND made.nspname = ANY (%s) ORDER BY 1, 2"""

# What was made just now and belongs to somebody else than its maker, or than the schema that was there.
GIVEN_AWAY = """
    SELECT made.kind, made.name, made.wanted FROM (
        SELECT n.oid, n.nspname, 'SCHEMA' AS kind, ARRAY[n.nspname::text] AS name, n.nspowner AS owner,
               current_user::text AS wanted
        FROM pg_catalog.pg_namespace n UNION ALL
        SELECT c.oid, n.nspname, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
               ARRAY[n.nspname::text, c.relname::text], c.relowner,
               CASE WHEN n.oid = ANY (%(there)s::bigint[])
                    THEN pg_catalog.pg_get_userbyid(n.nspowner)::text ELSE current_user::text END
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        -- A sequence of a column goes with its table.
        WHERE c.relkind = 'r' OR c.relkind = 'S' AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.objid = c.oid AND d.deptype IN ('a', 'i'))) AS made
    WHERE made.oid <> ALL (%(there)s::bigint[]) AND made.nspname = ANY (%(schemas)s)
      AND pg_catalog.pg_get_userbyid(made.owner)::text <> made.wanted
    ORDER BY 1, 2"""

OWNERS = """
    SELECT DISTINCT pg_catalog.pg_get_userbyid(found.owner)::text, current_user::text
    FROM (SELECT nspowner AS owner, nspname AS schema FROM pg_catalog.pg_namespace UNION ALL
          SELECT c.relowner, n.nspname FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) AS found
    WHERE found.schema = ANY (%s) AND NOT pg_catalog.pg_has_role(found.owner, 'USAGE') ORDER BY 1"""

# Who owns the ledger, where this role may not read which layout it has.
CLOSED_TO_US = """
    SELECT pg_catalog.pg_get_userbyid(n.nspowner)::text FROM pg_catalog.pg_namespace n
    LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'release'
    WHERE n.nspname = 'runbook' AND NOT (
        pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND (c.oid IS NULL OR pg_catalog.has_table_privilege(c.oid, 'SELECT')))"""

COLUMNS = """
    SELECT pg_catalog.concat_ws('.', n.nspname, c.relname, a.attname) FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%s) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"""


def release_of(cursor: Cursor) -> int:
    """Number of the layout that the schemas of this database have; 0 where there are none. Only reads.

    Raises:
        Refused: another session is making them, which this transaction cannot see; or nobody has written down which.
    """
    cursor.execute(
        # From a table, whose lock lets the session see what others have committed: without one, to_regclass answers
        # from the cache, where what was not there at the first question is still not there.
        "SELECT closed.to_us, CASE WHEN closed.to_us IS NULL THEN pg_catalog.to_regclass('runbook.release') END"
        " IS NOT NULL, CASE WHEN closed.to_us IS NULL THEN pg_catalog.to_regclass('runbook.receipt') END IS NOT NULL"
        f" FROM (VALUES (({CLOSED_TO_US}))) AS closed (to_us)"
    )
    closed_by, has_releases, has_receipts = one_row(cursor)
    if closed_by is not None:
        cursor.execute("SELECT current_user::text")
        (role,) = one_row(cursor)
        raise Refused(
            "role_lacks_privilege",
            f"Role {role} may not read the runbook's schemas, which belong to {closed_by}. Nothing was changed. Connect"
            f" as {closed_by}, or have them given to {role}: ansible-playbook playbooks/bootstrap_roles.yml",
        )
    if not has_releases:
        return FIRST if has_receipts else 0
    # A second time for what was committed between the two questions; where one snapshot holds, that stays unseen.
    for _ in range(2):
        cursor.execute("SELECT pg_catalog.max(number) FROM runbook.release")
        (number,) = one_row(cursor)
        if number is not None:
            return number
    cursor.execute(
        "SELECT pg_catalog.current_setting('transaction_isolation') = 'read committed',"
        " pg_catalog.current_database()::text"
    )
    is_empty, database = one_row(cursor)
    if is_empty:
        raise Refused(
            "layout_unknown",
            f"Table runbook.release of database {database} is empty, so that nothing says which layout the runbook's"
            " schemas have: somebody has emptied it, or made the schema before the runbook did. Nothing was changed."
            " Put back its rows out of a backup; if nobody needs a run or a kept row of this database, type"
            f" instead: {ALL_AWAY}",
        )
    raise Refused(
        "layout_just_upgraded",
        "Another session has just brought the runbook's schemas up to date. This run changed nothing. Type the same"
        " command again.",
    )


def known_release(cursor: Cursor) -> int:
    """As release_of().

    Raises:
        Refused: the layout is newer than what this version knows.
    """
    number = release_of(cursor)
    if number > NEWEST:
        cursor.execute(
            "SELECT applied_by, pg_catalog.current_database()::text FROM runbook.release WHERE number = %s",
            (number,),
        )
        version, database = one_row(cursor)
        raise Refused(
            "layout_newer_than_runbook",
            f"The runbook's schemas in database {database} have the layout of release {number}, made by pgops.runbook"
            f" {version}; this is version {COLLECTION_VERSION}, which knows releases up to {NEWEST}. Nothing was"
            f" changed. Use version {version} or newer: git pull in the checkout, or ansible-galaxy collection install"
            f" 'pgops.runbook:>={version}'.",
        )
    return number


def missing_rights_to_upgrade(cursor: Cursor) -> list[str]:
    """A sentence on each right that the role lacks to make the schemas, or to bring them up to date. Only reads."""
    release = release_of(cursor)
    if release >= NEWEST:
        return []
    cursor.execute(
        "SELECT current_user::text, pg_catalog.current_database()::text,"
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')"
        " OR (pg_catalog.to_regnamespace('runbook') IS NOT NULL"
        " AND pg_catalog.to_regnamespace('runbook_salvage') IS NOT NULL)"
    )
    role, database, may_create = one_row(cursor)
    missing = []
    if not may_create:
        command = sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(
            sql.Identifier(database), sql.Identifier(role)
        )
        missing.append(
            f"Role {role} may not create the ledger (schemas {LEDGER_SCHEMA} and {SALVAGE_SCHEMA}). The database's"
            f" owner types: {command.as_string(cursor)}"
        )
    cursor.execute(OWNERS, (SCHEMAS,))
    owners = cursor.fetchall()
    if owners:
        others = ", ".join(owner for owner, _ in owners)
        if any(may_act_as(cursor, owner)[0] for owner, _ in owners):
            # Nobody is made a member of a superuser.
            remedy = "have them given to it: ansible-playbook playbooks/bootstrap_roles.yml"
        else:
            remedy = f"type: {'; '.join(membership(cursor, role, owner) for owner, _ in owners)}"
        missing.append(
            f"Role {role} may not bring the runbook's schemas from release {release} to {NEWEST}, because they belong"
            f" to {others}. Nothing was changed. Deploy once as {others}, or {remedy}"
        )
    return missing


def check_rights_to_upgrade(cursor: Cursor) -> None:
    """Only reads.

    Raises:
        Refused: the role may not bring the schemas to the newest layout, or there is a stranger's schema of the name.
    """
    missing = missing_rights_to_upgrade(cursor)
    if missing:
        raise Refused("role_lacks_privilege", ". ".join(missing))


def upgrade(cursor: Cursor) -> list[int]:
    """Bring both schemas to the newest layout, in the cursor's transaction; where they have it, only read.

    Returns:
        numbers of the releases that were run.

    Raises:
        Refused: the layout is newer than what this version knows, the role may not change it, or it is not one that
            any version has made.
    """
    if known_release(cursor) == NEWEST:
        return []
    cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (LAYOUT_LOCK,))
    found = known_release(cursor)  # whoever held the lock may have done it
    if found == NEWEST:
        return []
    missing = [number for number in RELEASES if number > found or found == FIRST]
    check_rights_to_upgrade(cursor)
    previous = _set_all(cursor, PINNED)
    cursor.execute(RELATIONS, (SCHEMAS, SCHEMAS))
    there = [oid for (oid,) in cursor.fetchall()]
    for number in missing:
        for statement in RELEASES[number]:
            if not (there and _is_made(cursor, statement)):
                cursor.execute(statement)
    _check_columns(cursor)
    _comment(cursor)
    _take_back(cursor, there)
    _revoke_from_others(cursor, there)
    cursor.execute(
        "INSERT INTO runbook.release (number, applied_by) VALUES (%s, %s)", (NEWEST, COLLECTION_VERSION)
    )
    _set_all(cursor, previous)
    return missing


def _set_all(cursor: Cursor, settings: dict[str, str]) -> dict[str, str]:
    """Until the end of the transaction; returns what they were."""
    previous = {}
    for name, value in settings.items():
        cursor.execute("SELECT pg_catalog.current_setting(%s)", (name,))
        (previous[name],) = one_row(cursor)
        cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
    return previous


def _is_made(cursor: Cursor, statement: str) -> bool:
    """Whether what the statement would make is there."""
    made = MADE.match(statement)
    if made is None:
        return False
    if made["column"]:
        return f"{made['table']}.{made['column']}" in _columns(cursor)
    name = f"{made['schema']}.{made['index']}" if made["index"] else made["whole"]
    kind = "regclass" if "." in name else "regnamespace"
    cursor.execute(f"SELECT pg_catalog.to_{kind}(%s) IS NOT NULL", (name,))
    return one_row(cursor)[0]


def _columns(cursor: Cursor) -> set[str]:
    cursor.execute(COLUMNS, (SCHEMAS,))
    return {name for (name,) in cursor.fetchall()}


def _check_columns(cursor: Cursor) -> None:
    """What is there under the name of a table of ours has to be that table."""
    known = {name for name in COMMENTS if name.count(".") == 2}
    missing = sorted(known - _columns(cursor))
    if missing:
        raise Refused(
            "schemas_of_another_maker",
            "The runbook's schemas in this database were made by no version that this one can bring up to date: they"
            f" lack column {', '.join(missing)}. Nothing was changed. If they are not the runbook's, rename them"
            f" (ALTER SCHEMA {LEDGER_SCHEMA} RENAME TO ..., and likewise {SALVAGE_SCHEMA}); the next deploy then makes"
            " its own.",
        )


def _comment(cursor: Cursor) -> None:
    """With one message to the server: there are as many comments as columns."""
    statements = []
    for name, text in COMMENTS.items():
        parts = name.split(".")
        kind = sql.SQL(("SCHEMA", "TABLE", "COLUMN")[len(parts) - 1])
        statements.append(
            sql.SQL("COMMENT ON {} {} IS {}").format(kind, sql.Identifier(*parts), sql.Literal(text))
        )
    cursor.execute(sql.SQL("; ").join(statements))


def _take_back(cursor: Cursor, there: list[int]) -> None:
    """What was made now belongs to who made it, also where an event trigger gives each new table to the application.

    Whoever owns a table may drop it, without any right on its schema (manual, "DROP OWNED").

    Raises:
        Refused: it is given away again, or this role may not have it back.
    """
    values = {"there": there, "schemas": SCHEMAS}
    cursor.execute(GIVEN_AWAY, values)
    given_away = cursor.fetchall()
    if not given_away:
        return
    try:
        for kind, name, owner in given_away:
            cursor.execute(
                sql.SQL("ALTER {} {} OWNER TO {}").format(
                    sql.SQL(kind), sql.Identifier(*name), sql.Identifier(owner)
                )
            )
    except psycopg2.errors.InsufficientPrivilege as error:
        reason = one_line(error)
    else:
        cursor.execute(GIVEN_AWAY, values)
        if not cursor.fetchall():
            return
        reason = "it gives them away when their owner is set, too"
    raise Refused(
        "ledger_open_to_others",
        "An event trigger of this database gives the tables that are made in it to another role, those of the runbook"
        f" too, and they cannot be had back ({reason}). Whoever owns them can drop them with all rows kept there."
        f" Nothing was changed. Have the trigger leave out the schemas {' and '.join(SCHEMAS)}, then type the same"
        " command again.",
    )


def _revoke_from_others(cursor: Cursor, there: list[int]) -> None:
    """What was made now is its owner's alone: the rows of the salvage are as private as those they were kept from."""
    cursor.execute(GRANTED, (there, SCHEMAS))
    for kind, name, owner, others in cursor.fetchall():
        what = sql.SQL("{} {}").format(sql.SQL(kind), sql.Identifier(*name))
        roles = sql.SQL(", ").join([sql.SQL("PUBLIC"), *map(sql.Identifier, others)])
        cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(what, roles))
        cursor.execute(sql.SQL("GRANT ALL ON {} TO {}").format(what, sql.Identifier(owner)))
