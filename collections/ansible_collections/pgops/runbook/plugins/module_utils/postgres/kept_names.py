# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of objects that stand in the ledger or the salvage, as PostgreSQL once wrote them.

Whoever may write those tables could write something else there. So a name is looked up, by functions that take a name
and nothing else, and what goes into a statement is what the catalog has (manual, "System Catalog Information
Functions", to_regclass).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor
from .application_tables import is_application_schema
from .bisect import NotTaken, savepoint
from .connection import sql
from .tables import Table, table_facts

__all__ = ["kept_table", "name_in", "object_of_application"]

_RELATION = """
    SELECT n.nspname, c.relname, NULL
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass(%s)"""

_ROUTINE = """
    SELECT n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE p.oid = pg_catalog.to_regprocedure(%s)"""

_TYPE = """
    SELECT n.nspname, t.typname, NULL
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid = pg_catalog.to_regtype(%s)"""

#: Kind of an object, as GRANT calls it -> query for its schema, its name and, as text, the types of its arguments.
_LOOKED_UP = {
    "TABLE": _RELATION,
    "SEQUENCE": _RELATION,
    "FUNCTION": _ROUTINE,
    "PROCEDURE": _ROUTINE,
    "TYPE": _TYPE,
    "DOMAIN": _TYPE,
}


def kept_table(cursor: Cursor, name: Sequence[str]) -> Table | None:
    """The application's table of that (schema, name), or None; rows go back to no other one."""
    return table_facts(cursor, name) if is_application_schema(name[0]) else None


def object_of_application(cursor: Cursor, kind: str, identity: str) -> sql.Composable:
    """The object of that name, as a part of a statement.

    Args:
        cursor: of a transaction.
        kind: as GRANT calls it (manual, "GRANT").
        identity: schema, name and arguments, with quotes where they need them.

    Raises:
        NotTaken: there is none, or it is not one of the application.
    """
    if kind not in _LOOKED_UP:
        name = name_in(cursor, identity)
        if kind == "SCHEMA" and not is_application_schema(name.string):
            raise NotTaken(reason=f"schema {identity} is not one of the application")
        return name
    with savepoint(cursor):
        cursor.execute(_LOOKED_UP[kind], (identity,))
        found = cursor.fetchone()
    if found is None:
        raise NotTaken(reason=f"{identity} is gone")
    schema, name, arguments = found
    if not is_application_schema(schema):
        raise NotTaken(reason=f"{identity} is not one of the application")
    written: sql.Composable = sql.Identifier(schema, name)
    # Written by the server, from the catalog.
    return written if arguments is None else sql.SQL("{}({})").format(written, sql.SQL(arguments))


def name_in(cursor: Cursor, identity: str) -> sql.Identifier:
    """A name without a schema.

    Raises:
        NotTaken: it is none, or more than one.
    """
    with savepoint(cursor):
        cursor.execute("SELECT pg_catalog.parse_ident(%s)", (identity,))
        ((names,),) = cursor.fetchall()
    if len(names) != 1:
        raise NotTaken(reason=f"{identity} is not one name")
    return sql.Identifier(*names)
