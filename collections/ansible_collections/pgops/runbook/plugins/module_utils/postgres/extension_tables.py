# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that belong to an extension, and whose rows no dump has: CREATE EXTENSION makes them anew.

pg_dump writes neither the definition nor the rows of an extension's member, but for rows of configuration tables
(manual, "Extension Configuration Tables"). Whether rows are lost by that, nobody can tell before a restore: those that
the extension's own script inserts come back with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..shapes import Cursor
from .answers import one_row
from .application_tables import INCLUDED, RELATIONS, SAVED, of_application
from .connection import sql

__all__ = ["MemberTable", "has_rows", "tables_not_dumped"]

NOT_DUMPED = f"""
    SELECT pg_catalog.quote_ident(x.extname), c.oid::bigint, n.nspname::text, c.relname::text,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
    FROM {RELATIONS}
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
      AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    WHERE {of_application("r", members=INCLUDED)} AND NOT {of_application("r", members=SAVED)}
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
      AND NOT pg_catalog.row_security_active(c.oid)
    ORDER BY 1, 3, 4"""


@dataclass(frozen=True)
class MemberTable:
    """A table of which no dump has the rows.

    Attributes:
        extension: quoted name of the extension to which it belongs.
        oid: its OID.
        name: quoted, with its schema.
        columns: names of its columns in their order.
    """

    extension: str
    oid: int
    schema: str
    relation: str
    name: str
    columns: tuple[str, ...]


def tables_not_dumped(cursor: Cursor) -> list[MemberTable]:
    """Those of the current database that the role may read, as the cursor's transaction sees them."""
    cursor.execute(NOT_DUMPED)
    return [
        MemberTable(extension, oid, schema, relation, name, tuple(columns))
        for extension, oid, schema, relation, name, columns in cursor.fetchall()
    ]


def has_rows(cursor: Cursor, table: MemberTable) -> bool:
    """Whether it has any row."""
    name = sql.Identifier(table.schema, table.relation)
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM ONLY {})").format(name))
    return bool(one_row(cursor)[0])
