# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What deployed migrations brought themselves: rows, the tables that they read from, values of new columns."""

from __future__ import annotations

from collections.abc import Sequence

from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor

__all__ = [
    "any_brought",
    "forget_brought",
    "given_to_column",
    "note_column",
    "note_rows",
    "note_source",
    "sources_of",
    "tables_brought_into",
]


def note_rows(
    cursor: Cursor, migration: str, table: tuple[str, str], columns: Sequence[str], rows: sql.Composable
) -> None:
    """Note the rows that the migration brought into a table.

    Args:
        columns: of the line, in its order.
        rows: SQL query with the columns key, occurrence and line.
    """
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.made_row"
            " (migration, schema_name, table_name, columns, key, occurrence, line)"
            " SELECT {}, {}, {}, {}, key, occurrence, line FROM ({}) AS rows"
        ).format(sql.Literal(migration), *map(sql.Literal, table), sql.Literal(list(columns)), rows)
    )


def tables_brought_into(cursor: Cursor, migration: str) -> list[tuple[str, str, list[str]]]:
    """(schema, table, columns of the line) of the tables that the migration brought rows into."""
    cursor.execute(
        "SELECT DISTINCT schema_name, table_name, columns FROM runbook_salvage.made_row WHERE migration = %s",
        (migration,),
    )
    return cursor.fetchall()


def any_brought(cursor: Cursor, items: Sequence[int]) -> bool:
    """Whether the migration of one of the items brought rows into the item's table."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM runbook_salvage.manifest m JOIN runbook_salvage.made_row made"
        " ON (made.migration, made.schema_name, made.table_name) = (m.migration, m.schema_name, m.table_name)"
        " WHERE m.item = ANY (%s))",
        (list(items),),
    )
    return one_row(cursor)[0]


def note_source(cursor: Cursor, migration: str, table: tuple[str, str]) -> None:
    """Note that the migration read from a table."""
    cursor.execute(
        "INSERT INTO runbook_salvage.made_source (migration, schema_name, table_name) VALUES (%s, %s, %s)",
        (migration, *table),
    )


def sources_of(cursor: Cursor, migration: str) -> list[tuple[str, str]]:
    """(schema, table) of the tables that the migration read from."""
    cursor.execute(
        "SELECT DISTINCT schema_name, table_name FROM runbook_salvage.made_source WHERE migration = %s",
        (migration,),
    )
    return cursor.fetchall()


def note_column(cursor: Cursor, migration: str, column: tuple[str, str, str], given: str) -> None:
    """Note what a new column gave to the rows that were there.

    Args:
        column: schema, table and column.
        given: record of the one value.
    """
    cursor.execute(
        "INSERT INTO runbook_salvage.made_column (migration, schema_name, table_name, column_name, given)"
        " VALUES (%s, %s, %s, %s, %s)",
        (migration, *column, given),
    )


def given_to_column(cursor: Cursor, migration: str, column: tuple[str, str, str]) -> str | None:
    """The record that note_column() noted, or None."""
    cursor.execute(
        "SELECT given FROM runbook_salvage.made_column"
        " WHERE (migration, schema_name, table_name, column_name) = (%s, %s, %s, %s)",
        (migration, *column),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def forget_brought(cursor: Cursor, migration: str) -> None:
    """Forget all that was noted of a migration."""
    for table in ("made_row", "made_source", "made_column"):
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE migration = %s").format(sql.Identifier("runbook_salvage", table)),
            (migration,),
        )
