# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of the salvage's items: entering them, and what is found out about them. Nothing here commits.

Arguments that are called ``rows``, ``now`` and the like are SQL queries for rows of the application's tables (see
salvage.key.numbered_rows), with the columns that each function names.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...postgres.connection import sql
from ...shapes import Cursor

__all__ = [
    "hold_back_differing",
    "keep_deleted",
    "keep_line",
    "keep_rows",
    "keep_untouched",
    "narrow_to",
    "note_brought",
    "rows_of",
    "try_again",
]


def keep_line(cursor: Cursor, item: int, key: str, kept: str) -> None:
    """Enter one line of an item that is not about the rows of a table."""
    cursor.execute(
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
        (item, key, kept),
    )


def keep_rows(
    cursor: Cursor,
    item: int,
    rows: sql.Composable,
    columns: sql.Composable | None = None,
    left_digest: sql.Composable | None = None,
) -> None:
    """Enter rows into an item.

    Args:
        rows: query with the columns key, occurrence and line, and those that the next two arguments name.
        columns: SQL expression of the columns that count; None: all of them.
        left_digest: SQL expression of the digest of the row as it was left; None: it was not.
    """
    nothing = sql.SQL("NULL")
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns, left_digest)"
            " SELECT {}, key, occurrence, line, {}, {} FROM ({}) AS rows"
        ).format(sql.Literal(item), columns or nothing, left_digest or nothing, rows)
    )


def keep_untouched(cursor: Cursor, item: int, rows: sql.Composable, changed: int) -> None:
    """Enter the digests of those rows of which another item has none; of no column anything is kept.

    Args:
        rows: query with the columns key, occurrence and line, by a unique key.
        changed: number of the other item.
    """
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns, left_digest)"
            " SELECT {}, was.key, was.occurrence, '', '{{}}', md5(was.line) FROM ({}) AS was WHERE NOT EXISTS"
            " (SELECT FROM runbook_salvage.kept_row k WHERE k.item = {} AND k.key = was.key)"
        ).format(sql.Literal(item), rows, sql.Literal(changed))
    )


def keep_deleted(
    cursor: Cursor, item: int, migration: str, table: tuple[str, str], now: sql.Composable
) -> None:
    """Enter the rows that the migration had brought into the table and that are not there any more.

    Args:
        now: query with the columns key and occurrence.
    """
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept)"
            " SELECT {item}, made.key, made.occurrence, made.line FROM runbook_salvage.made_row made"
            " WHERE made.migration = {version} AND made.schema_name = {schema} AND made.table_name = {name}"
            " AND NOT EXISTS (SELECT FROM ({now}) AS now WHERE now.key = made.key"
            " AND now.occurrence = made.occurrence)"
        ).format(
            item=sql.Literal(item),
            version=sql.Literal(migration),
            schema=sql.Literal(table[0]),
            name=sql.Literal(table[1]),
            now=now,
        )
    )


def note_brought(cursor: Cursor, items: Sequence[int]) -> None:
    """Enter beside rows what the migration had brought under their keys."""
    cursor.execute(
        "UPDATE runbook_salvage.kept_row k SET brought = made.line"
        " FROM runbook_salvage.manifest m JOIN runbook_salvage.made_row made"
        " ON (made.migration, made.schema_name, made.table_name) = (m.migration, m.schema_name, m.table_name)"
        " WHERE m.item = ANY (%s) AND k.item = m.item AND made.key = k.key AND made.occurrence = k.occurrence",
        (list(items),),
    )


def narrow_to(cursor: Cursor, item: int, now: sql.Composable | None) -> None:
    """Take the values of the rows that are still as they were left, all columns of them; forget the other rows.

    Args:
        now: query with the columns key and line; None: there is none.
    """
    # A deploy whose statements commit one by one may have begun before, and done none of them.
    cursor.execute("UPDATE runbook_salvage.kept_row SET columns = '{}' WHERE item = %s", (item,))
    if now is not None:
        cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row k SET kept = now.line, columns = NULL FROM ({}) AS now"
                " WHERE k.item = {} AND now.key = k.key AND md5(now.line) = k.left_digest"
            ).format(now, sql.Literal(item))
        )
    cursor.execute("DELETE FROM runbook_salvage.kept_row WHERE item = %s AND columns IS NOT NULL", (item,))


def hold_back_differing(
    cursor: Cursor, item: int, now: sql.Composable, made: str, deleted: str, changed: str
) -> None:
    """Hold back rows that are not as they were left, each with its reason.

    Args:
        now: query with the columns key, occurrence and line.
        made, deleted, changed: reasons: there is a row where none was left; there is none any more; it is another.
    """
    cursor.execute(
        sql.SQL(
            "UPDATE runbook_salvage.kept_row k SET held_back = CASE"
            " WHEN k.left_digest IS NULL THEN {made} WHEN now.key IS NULL THEN {deleted} ELSE {changed} END"
            " FROM runbook_salvage.kept_row same LEFT JOIN ({now}) AS now USING (key, occurrence)"
            " WHERE k.item = {item} AND k.held_back IS NULL AND same.item = k.item AND same.number = k.number"
            " AND md5(now.line) IS DISTINCT FROM k.left_digest"
        ).format(
            now=now,
            item=sql.Literal(item),
            made=sql.Literal(made),
            deleted=sql.Literal(deleted),
            changed=sql.Literal(changed),
        )
    )


def try_again(cursor: Cursor, item: int) -> None:
    """Forget why rows of an item were held back."""
    cursor.execute("UPDATE runbook_salvage.kept_row SET held_back = NULL WHERE item = %s", (item,))


def rows_of(item: int, expressions: Sequence[sql.Composable]) -> sql.Composed:
    """SQL query for the rows of an item that are still kept.

    Args:
        expressions: SQL expressions of the columns number, key, kept and columns, with their names.
    """
    # OFFSET 0 keeps a record that is cast from being read anew for each of its columns.
    return sql.SQL("SELECT {} FROM runbook_salvage.kept_row WHERE item = {} OFFSET 0").format(
        sql.SQL(", ").join(expressions), sql.Literal(item)
    )
