# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""pg_restore of a folder with a dump, also by no superuser, of objects that are not their schema's owner's.

Whoever gets an object must be allowed to create in its schema, of a publication in the database, unless a superuser
gives it (manual, ALTER TABLE, ALTER PUBLICATION), and a dump grants at its end. So the schemas come first, then those
rights for the time of the restore, then the rest.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..postgres.answers import one_row
from ..postgres.connection import client_options, connect, sql, transaction
from ..postgres.lone_extensions import make_those_allowed
from ..postgres.programs import find_program, reading_null, run_program
from ..shapes import Connection, Cursor, Target

__all__ = ["creators_needed", "restore_folder"]

# Schema (None: the database), role that owns something in it, and which of both privileges the schema's owner has
# granted it, which a dump says too.
Creator = Sequence  # of [str or None, str, [str]], as JSON has it

# Every owner is there but the superuser that initdb made, which may create everywhere (manual, pg_shdepend).
CREATORS = """
    SELECT n.nspname::text, r.rolname::text, array(
        SELECT acl.privilege_type FROM pg_catalog.aclexplode(n.nspacl) AS acl
        WHERE acl.grantee = r.oid AND acl.grantor = n.nspowner ORDER BY 1)
    FROM (SELECT DISTINCT d.refobjid AS schema, s.refobjid AS owner
          FROM pg_catalog.pg_shdepend s
          JOIN pg_catalog.pg_depend d ON d.classid = s.classid AND d.objid = s.objid
          WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.deptype = 'o'
            AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
            AND d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n'
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = s.classid AND e.objid = s.objid
                            AND e.refclassid = 'pg_catalog.pg_extension'::regclass AND e.deptype = 'e')) AS found
    JOIN pg_catalog.pg_namespace n ON n.oid = found.schema AND n.nspowner <> found.owner
    JOIN pg_catalog.pg_roles r ON r.oid = found.owner
    UNION SELECT NULL, pg_catalog.pg_get_userbyid(pubowner)::text, '{}' FROM pg_catalog.pg_publication ORDER BY 1, 2"""

# USAGE is what functions need that indexes call, as the owner of their table.
LACKING = """
    SELECT t.schema, r.rolname::text, p FROM unnest(%s::text[], %s::text[]) AS t (schema, role)
    CROSS JOIN unnest(ARRAY['CREATE', 'USAGE']) AS p
    JOIN pg_catalog.pg_roles r ON r.rolname = t.role LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
    WHERE CASE WHEN t.schema IS NOT NULL THEN NOT pg_catalog.has_schema_privilege(r.oid, n.oid, p)
               WHEN p = 'CREATE' THEN NOT pg_catalog.has_database_privilege(r.oid, current_database(), p)
          END ORDER BY 1, 2, 3"""

# A line of pg_restore --list: number; two OIDs, what it is, its schema or "-", its name, its owner.
SCHEMA = re.compile(r"\d+; \d+ \d+ SCHEMA - ")

# The state of a trigger that a partition has of its parent's foreign key, by a name that only production has: the
# number in it is the trigger's own.
TRIGGER_BY_NUMBER = re.compile(r"\d+; \d+ (\d+) TRIGGER .* RI_ConstraintTrigger_[ac]_\1 ")


def creators_needed(cursor: Cursor) -> list[list]:
    """Who has to be allowed to create where, before a dump of this database can be restored by no superuser.

    Returns:
        lists of [schema or None, role, what the schema's owner has granted it].
    """
    cursor.execute(CREATORS)
    return [list(row) for row in cursor.fetchall()]


def restore_folder(
    folder: str,
    target: Target,
    database: str,
    bindir: str,
    jobs: int,
    creators: Sequence[Creator] = (),
    trigger_states: bool = False,
    lone_extensions: Sequence[Sequence[str]] = (),
) -> None:
    """Restore a dump in directory format into a database that is empty; any error ends it.

    Args:
        target: connection options of its server.
        jobs: how many connections work at once.
        creators: see creators_needed().
        trigger_states: whether the dump may name triggers that no other database has (see trigger_states.py).
        lone_extensions: of which a role that is no superuser makes those that it may (see lone_extensions.py).

    Raises:
        StepFailed: pg_restore failed.
    """
    program = find_program("pg_restore", bindir)
    connection = connect(target, database)
    try:
        target = reading_null(connection, target)
        options = [*client_options(target, database), "--exit-on-error", f"--jobs={jobs}"]
        in_parts = (creators or lone_extensions) and not _is_superuser(connection)
        if not in_parts and not trigger_states:
            run_program(program, options, target, [folder])
            return
        listed = run_program(program, ["--list"], target, [folder]).splitlines(keepends=True)
        contents = [line for line in listed if not TRIGGER_BY_NUMBER.match(line)]
        if not in_parts:
            _restore_listed(program, options, target, folder, contents)
            return
        schemas = [line for line in contents if SCHEMA.match(line)]
        _restore_listed(program, options, target, folder, schemas)
        left_out = [_of_extension(name) for name in make_those_allowed(connection, lone_extensions)]
        rest = [
            line for line in contents if line not in schemas and not any(one.match(line) for one in left_out)
        ]
        granted = _let_create(connection, creators)
        _restore_listed(program, options, target, folder, rest)
        _take_back(connection, granted, creators)
    finally:
        connection.close()


def _of_extension(name: str) -> re.Pattern[str]:
    """The lines of an extension and of the comment on it, as pg_restore lists them."""
    quoted = '"' + name.replace('"', '""') + '"'
    return re.compile(
        rf"\d+; \d+ \d+ (EXTENSION - |COMMENT - EXTENSION )({re.escape(name)}|{re.escape(quoted)}) \S*$"
    )


def _is_superuser(connection: Connection) -> bool:
    with transaction(connection) as cursor:
        cursor.execute("SELECT pg_catalog.current_setting('is_superuser')::boolean")
        return one_row(cursor)[0]


def _restore_listed(
    program: str, options: list[str], target: Target, folder: str, contents: Sequence[str]
) -> None:
    """Restore what these lines of the dump's contents name; of no lines, nothing."""
    if not contents:
        return
    with tempfile.TemporaryDirectory(prefix="pgops-runbook-") as own:
        path = os.path.join(own, "contents")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(contents)
        run_program(program, [*options, f"--use-list={path}"], target, [folder])


class Granted(NamedTuple):
    """A right that a role has for the time of a restore; ``schema`` is None where it is on the database."""

    schema: Optional[str]
    role: str
    privilege: str


def _let_create(connection: Connection, creators: Sequence[Creator]) -> list[Granted]:
    """Grant what they lack."""
    with transaction(connection) as cursor:
        cursor.execute(LACKING, ([one[0] for one in creators], [one[1] for one in creators]))
        granted = [Granted(*row) for row in cursor.fetchall()]
        for one in granted:
            cursor.execute(_statement("GRANT {} ON {} TO {}", one, connection))
        return granted


def _take_back(connection: Connection, granted: Sequence[Granted], creators: Sequence[Creator]) -> None:
    """Revoke what was granted and is not in the dump."""
    kept = {Granted(schema, role, one) for schema, role, privileges in creators for one in privileges}
    with transaction(connection) as cursor:
        for one in granted:
            if one not in kept:
                cursor.execute(_statement("REVOKE {} ON {} FROM {}", one, connection))


def _statement(form: str, right: Granted, connection: Connection) -> sql.Composed:
    where = _where(connection, right.schema)
    return sql.SQL(form).format(sql.SQL(right.privilege), where, sql.Identifier(right.role))


def _where(connection: Connection, schema: Optional[str]) -> sql.Composed:
    if schema is None:
        return sql.SQL("DATABASE {}").format(sql.Identifier(connection.info.dbname))
    return sql.SQL("SCHEMA {}").format(sql.Identifier(schema))
