# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rows of the salvage's items: entering them, and what is found out about them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from ...postgres.connection import sql
from ...postgres.other_encodings import in_own_encoding
from ...shapes import Cursor

__all__ = [
    "enter_changed",
    "enter_large_object",
    "enter_rows",
    "keep_line",
    "keep_unknown",
    "note_made",
    "numbers_of_large_objects",
    "reasons_of_rows",
    "rows_of",
    "try_again",
    "write_large_object",
]

#: Bytes of a large object that one row holds: as text they are well below the 1 GB of a value.
CHUNK = 64 * 1024 * 1024

#: Bytes of a file that are sent at a time.
CHUNK_OF_FILE = 1024 * 1024

# The mode is INV_READ, and the last 2 is SEEK_END (manual, "Large Objects", "Server-Side Functions").
CHUNKS = """
    INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept)
    SELECT %(item)s, %(oid)s::text, part + 1, encode(lo_get(%(oid)s, part * %(chunk)s, %(chunk)s::int), 'base64')
    FROM (SELECT lo_lseek64(lo_open(%(oid)s, 262144), 0, 2) AS size) AS whole,
         generate_series(0, greatest(size - 1, 0) / %(chunk)s) AS part"""


def keep_line(cursor: Cursor, item: int, key: str, kept: str) -> None:
    """Enter one line of an item that is not about the rows of a table."""
    cursor.execute(
        "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
        (item, key, kept),
    )


def enter_large_object(cursor: Cursor, item: int, oid: int) -> None:
    """Enter the content of a large object, in rows of CHUNK bytes; its OID is their key."""
    cursor.execute(CHUNKS, {"item": item, "oid": oid, "chunk": CHUNK})


def numbers_of_large_objects(cursor: Cursor, item: int) -> dict[int, list[int]]:
    """OID -> numbers of its rows, of those that nothing holds back."""
    cursor.execute(
        "SELECT key::bigint, array_agg(number) FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL"
        " GROUP BY key ORDER BY 1",
        (item,),
    )
    return dict(cursor.fetchall())


def write_large_object(cursor: Cursor, item: int, oid: int) -> None:
    """Write the content that was kept into a large object that is empty."""
    cursor.execute(
        "SELECT lo_put(%(oid)s, (occurrence - 1) * %(chunk)s, decode(kept, 'base64')) FROM runbook_salvage.kept_row"
        " WHERE item = %(item)s AND key = %(oid)s::text ORDER BY occurrence",
        {"item": item, "oid": oid, "chunk": CHUNK},
    )


def enter_rows(cursor: Cursor, file: IO[bytes]) -> None:
    """Enter rows of any items from a file in COPY's own format, as Difference.copy_out() writes it."""
    cursor.copy_expert(
        sql.SQL(
            "COPY runbook_salvage.kept_row (item, key, occurrence, kept, base, columns, written_since, parents)"
            " FROM STDIN"
        )
        + in_own_encoding(cursor),
        file,
        CHUNK_OF_FILE,
    )


def enter_changed(cursor: Cursor, item: int, rows: sql.Composable) -> None:
    """Enter the rows into an item that were there before.

    Args:
        rows: SQL identifier of a table as Difference makes it.
    """
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, base, columns)"
            " SELECT {}, key, occurrence, kept, base, columns FROM {} WHERE kept IS NOT NULL ORDER BY partition, place"
        ).format(sql.Literal(item), rows)
    )


def keep_unknown(cursor: Cursor, item: int, image: sql.Composable, columns: Sequence[str] | None) -> None:
    """Enter all rows of an image: nobody knows what the migration makes of them.

    Args:
        image: SQL identifier of a table with key, occurrence and line.
        columns: those that count; None: all, and the row itself.
    """
    cursor.execute(
        sql.SQL(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns)"
            " SELECT {}, key, occurrence, line, {}::text[] FROM {}"
        ).format(sql.Literal(item), sql.Literal(None if columns is None else list(columns)), image)
    )


def note_made(cursor: Cursor, item: int, left: sql.Composable) -> None:
    """Note of rows of an item whether the rollback has left them, or the migration brings them.

    Args:
        left: SQL query for the keys of the rows that the rollback left.
    """
    cursor.execute(
        sql.SQL(
            "UPDATE runbook_salvage.kept_row k SET made = NOT EXISTS (SELECT FROM ({}) AS found (key)"
            " WHERE found.key = k.key) WHERE item = {} AND base IS NOT NULL"
        ).format(left, sql.Literal(item))
    )


def reasons_of_rows(cursor: Cursor, item: int) -> dict[int, str]:
    """Number -> why the row was held back."""
    cursor.execute(
        "SELECT number, held_back FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NOT NULL",
        (item,),
    )
    return dict(cursor.fetchall())


def try_again(cursor: Cursor, items: Sequence[int]) -> None:
    """Forget why rows of items were held back."""
    cursor.execute(
        "UPDATE runbook_salvage.kept_row SET held_back = NULL WHERE item = ANY (%s)", (list(items),)
    )


def rows_of(item: int, expressions: Sequence[sql.Composable]) -> sql.Composed:
    """SQL query for the rows of an item that wait.

    Args:
        expressions: SQL expressions of the columns number, key, kept, base and columns, with their names.
    """
    # OFFSET 0 keeps a record that is cast from being read anew for each of its columns.
    return sql.SQL(
        "SELECT {} FROM runbook_salvage.kept_row WHERE item = {} AND columns IS DISTINCT FROM '{{}}' OFFSET 0"
    ).format(sql.SQL(", ").join(expressions), sql.Literal(item))
