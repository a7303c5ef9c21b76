# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The columns of one table, with what PostgreSQL says of each."""

from __future__ import annotations

from typing import NamedTuple

from ..shapes import Cursor
from .connection import sql
from .values import MADE_BY_APPLICATION

__all__ = ["Column", "columns_of", "own_type_columns"]

_COLUMNS = f"""
    SELECT a.attnum::int, a.attname::text,
           CASE WHEN t.typtype = 'b' OR t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace THEN t.typname::text
                ELSE pg_catalog.format_type(t.oid, NULL) END, pg_catalog.format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.attgenerated <> '', a.attidentity::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
           CASE WHEN a.atthasmissing THEN ROW((a.attmissingval::text::text[])[1])::text END,
           {MADE_BY_APPLICATION.format(type="a.atttypid")}
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        number: stays its own when it is renamed, and is given to no other one when it is dropped.
        name: not quoted.
        type_name: of its type, as pg_type has it (``varchar``); of an enum, a domain and the like of somebody's own
            with its schema, where anything may have the name of one that is known.
        type: with its length, as SQL writes it (``character varying(255)``).
        not_null: whether it takes no NULL.
        generated: whether PostgreSQL computes it.
        identity: ``a`` GENERATED ALWAYS, ``d`` BY DEFAULT AS IDENTITY, else empty.
        default: expression of its default, or of what it is generated from; None: neither.
        missing: record of the one value that rows from before ADD COLUMN have in it without having been written
            (manual, "pg_attribute", attmissingval); None where there is none.
        own_type: whether the type is one that the application has made: see values.py.
    """

    number: int
    name: str
    type_name: str
    type: str
    not_null: bool
    generated: bool
    identity: str
    default: str | None
    missing: str | None
    own_type: bool = False


def columns_of(cursor: Cursor, table: int | str) -> list[Column]:
    """Its columns in their order, dropped ones left out.

    Args:
        table: OID, or the name as PostgreSQL reads it: quoted, with its schema.

    Raises:
        psycopg2.Error: when there is no table of that name; of an OID that is gone there are no columns.
    """
    cursor.execute(_COLUMNS, (table,))
    return [Column(*row) for row in cursor.fetchall()]


def own_type_columns(cursor: Cursor, table: sql.Composable) -> frozenset[str]:
    """Names of the columns of a table whose types the application has made.

    Args:
        table: SQL identifier.
    """
    return frozenset(one.name for one in columns_of(cursor, table.as_string(cursor)) if one.own_type)
