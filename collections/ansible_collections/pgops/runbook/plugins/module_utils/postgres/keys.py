# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which columns the rows of a table are told apart: its primary key and its unique indexes."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..shapes import Cursor

__all__ = ["PRIMARY_KEY", "UniqueKey", "key_among", "unique_keys"]

# Columns of index i in their order, without those that it only INCLUDEs.
_COLUMNS = """ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
          WHERE k.position <= i.indnkeyatts ORDER BY k.position)"""

#: SQL expression: names of the columns of the primary key of relation ``c``, in its order; empty where it has none.
PRIMARY_KEY = f"""coalesce((SELECT {_COLUMNS} FROM pg_catalog.pg_index i
          WHERE i.indrelid = c.oid AND i.indisprimary), '{{}}'::text[])"""

# A condition or an expression lets rows with equal columns in, and an index that is not valid promises nothing.
_UNIQUE_KEYS = f"""
    SELECT {_COLUMNS}, i.indisprimary, i.indimmediate,
           NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, position)
                       JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                       WHERE k.position <= i.indnkeyatts AND NOT a.attnotnull)
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid"""


class UniqueKey(NamedTuple):
    """A unique index that no condition and no expression weakens.

    Attributes:
        columns: names, in its order.
        primary: whether it is the primary key.
        immediate: whether it is checked with each row, and not at the end of a statement or transaction.
        not_null: whether none of its columns may be NULL; where one may, rows with NULL are not told apart.
    """

    columns: list[str]
    primary: bool
    immediate: bool
    not_null: bool


def unique_keys(cursor: Cursor, oid: int) -> list[UniqueKey]:
    """Unique keys of the table of that OID: the primary key first, then those with the fewest columns."""
    cursor.execute(_UNIQUE_KEYS, (oid,))
    return [UniqueKey(*row) for row in cursor.fetchall()]


def key_among(cursor: Cursor, oid: int, columns: Collection[str]) -> list[str] | None:
    """The first key that tells every row from every other by some of ``columns`` alone, at any moment; or None."""
    for key in unique_keys(cursor, oid):
        if key.immediate and key.not_null and set(key.columns) <= set(columns):
            return key.columns
    return None
