# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a row is recognised after it has left its table: its key, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..content.row_digest import row_text
from ..postgres.connection import sql
from ..shapes import Cursor

__all__ = ["Key", "alike", "field", "fields", "numbered_rows", "plain_columns", "record"]

# Types of which equal values are written alike and others are not, so that no text has to be made to compare them:
# not numeric (1.0 and 1.00), float (0 and -0), char(n), interval, jsonb, arrays.
PLAIN_TYPES = (
    *("bool", "int2", "int4", "int8", "oid", "text", "varchar", "uuid", "bytea"),
    *("date", "timestamp", "timestamptz"),
)

PLAIN = """
    SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
    WHERE a.attrelid = {}::pg_catalog.regclass AND a.attnum > 0 AND t.typname = ANY ({})
      AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.collisdeterministic IS NOT FALSE"""


class Key(NamedTuple):
    """Columns that tell the rows of a table apart.

    Attributes:
        columns: names.
        unique: whether they do; otherwise equal rows are told apart by their number, and one is as good as another.
    """

    columns: list[str]
    unique: bool


def record(columns: Sequence[str], alias: str | None = None) -> sql.Composed:
    """SQL: the columns as one text, in the order given; read back with a cast to a type that has this order."""
    names = [sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns]
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(names))


def fields(row: str, names: Sequence[str]) -> sql.Composed:
    """SQL: fields of a composite value, as ``theirs`` or ``k.theirs``, as one text; written as ``record`` writes it."""
    return sql.SQL("{}::text").format(_row(row, names))


def _row(row: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL("ROW({})").format(sql.SQL(", ").join(field(row, name) for name in names))


def field(row: str, name: str) -> sql.Composed:
    """SQL: one field of a composite value, as ``theirs`` or ``k.theirs``."""
    whole = sql.SQL(".").join(map(sql.Identifier, row.split(".")))
    return sql.SQL("({}).{}").format(whole, sql.Identifier(name))


def plain_columns(cursor: Cursor, table: sql.Composable) -> frozenset[str]:
    """Names of the columns whose values are written alike exactly where they are equal.

    Args:
        table: SQL identifier.
    """
    name = table.as_string(cursor)
    cursor.execute(sql.SQL(PLAIN).format(sql.Literal(name), sql.Literal(list(PLAIN_TYPES))))
    return frozenset(found for (found,) in cursor.fetchall())


def alike(first: str, second: str, names: Sequence[str], plain: Collection[str] = ()) -> sql.Composed:
    """SQL condition: fields of two composite values of one type are written alike; never NULL.

    For rows that are found otherwise: no join is made by it. Where the bytes are the same so is the text, which is
    then not made (manual, "Composite Type Comparison"); values of other bytes may still be written alike.

    Args:
        plain: of the fields those whose values need not be written to be compared: see plain_columns().
    """
    conditions = [
        sql.SQL("{} IS NOT DISTINCT FROM {}").format(field(first, name), field(second, name))
        for name in names
        if name in plain
    ]
    rest = [name for name in names if name not in plain]
    if rest or not conditions:
        # Two rows that are not cast would be compared column by column.
        conditions.append(
            sql.SQL("({}::record OPERATOR(pg_catalog.*=) {}::record OR {} = {})").format(
                _row(first, rest), _row(second, rest), fields(first, rest), fields(second, rest)
            )
        )
    return sql.SQL("({})").format(sql.SQL(" AND ").join(conditions))


def numbered_rows(
    table: tuple[str, str], partitioned: bool, key: Key, columns: list[str], **more: sql.Composable
) -> sql.Composed:
    """SQL query for every row of a table: place, partition, key, occurrence and line.

    Args:
        table: schema and name.
        partitioned: whether it is the parent of partitions; rows of tables that inherit are not its own.
        key: Key.
        columns: what the line holds, in this order.
        more: further result columns, SQL expressions by name.
    """
    only = sql.SQL("") if partitioned else sql.SQL("ONLY ")
    key_text = row_text(key.columns)
    if key.unique:
        occurrence: sql.Composable = sql.SQL("1::bigint")
    else:
        occurrence = sql.SQL("row_number() OVER (PARTITION BY {} ORDER BY {})").format(
            key_text, record(columns)
        )
    expressions = {
        "place": sql.SQL("ctid"),
        "partition": sql.SQL("tableoid"),
        "key": key_text,
        "occurrence": occurrence,
        "line": record(columns),
        **more,
    }
    return sql.SQL("SELECT {} FROM {}{}").format(
        sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(expression, sql.Identifier(name))
            for name, expression in expressions.items()
        ),
        only,
        sql.Identifier(*table),
    )
