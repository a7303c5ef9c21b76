# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All SQL of the putting back on the tables of schema ``runbook_salvage``: kept rows, own rows, the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor

__all__ = [
    "count_kept",
    "follow_own_rows",
    "hold_back_older",
    "hold_back_older_item",
    "hold_back_what_differs",
    "join_own_rows",
    "key_is_held_back",
    "note_returned",
    "numbers_that_differ",
    "own_row_before",
    "range_of_numbers",
    "read_kept",
    "reasons_of_held_back",
]

# Equal rows of a table that has no key are as many rows, not versions of one: the second would be taken for the first.
OLDER_ROWS = """
    UPDATE runbook_salvage.kept_row older SET held_back = %(reason)s FROM runbook_salvage.kept_row newer
    WHERE older.item = %(older)s AND newer.item = %(newer)s
      AND older.held_back IS NULL AND newer.held_back IS NULL
      AND newer.key = older.key AND newer.occurrence = older.occurrence
      AND coalesce(newer.columns, %(newer_columns)s) && coalesce(older.columns, %(older_columns)s)
      AND (NOT %(comparable)s OR newer.kept <> older.kept)"""

OLDER_ITEM = """
    UPDATE runbook_salvage.kept_row SET held_back = %(reason)s WHERE item = %(older)s AND held_back IS NULL
      AND EXISTS (SELECT FROM runbook_salvage.kept_row WHERE item = %(newer)s AND held_back IS NULL)"""

READ = """
    INSERT INTO {work} (number, key, occurrence, columns, kept, shape, kind, written)
    SELECT number, key, occurrence, columns, kept, CAST(kept AS {shape}), {kind}, false
    FROM runbook_salvage.kept_row
    WHERE item = {item} AND held_back IS NULL AND number BETWEEN {low} AND {high} ORDER BY number"""

WHAT_DIFFERS = """
    UPDATE runbook_salvage.kept_row SET held_back = found.reason FROM (
        SELECT k.number, CASE WHEN now.place IS NULL THEN {absent}
                              WHEN {compared} AND k.columns IS NULL AND now.line <> k.kept THEN {other} END AS reason
        FROM runbook_salvage.kept_row k LEFT JOIN ({now}) AS now USING (key, occurrence)
        WHERE k.item = {item} AND k.held_back IS NULL) AS found
    WHERE kept_row.item = {item} AND kept_row.number = found.number AND found.reason IS NOT NULL"""

FOLLOW = """
    UPDATE runbook_salvage.made_row own_row SET key = k.key, occurrence = k.occurrence
    FROM {pairs} pair JOIN {work} k USING (number)
    WHERE pair.renumbered AND own_row.migration = {migration} AND own_row.schema_name = {schema}
      AND own_row.table_name = {table} AND own_row.key = pair.key AND own_row.occurrence = pair.occurrence"""

DIFFERING = """
    SELECT pair.number FROM {pairs} pair JOIN {work} k USING (number)
    JOIN runbook_salvage.kept_row USING (number)
    JOIN {target} t ON t.ctid = pair.place AND t.tableoid = pair.partition
    WHERE kept_row.item = {item}
      AND {now} <> CASE WHEN kept_row.brought IS NULL OR NOT {known} THEN {kept} ELSE {own} END"""


# Rows of one item -------------------------------------------------------------------------------------------


def range_of_numbers(cursor: Cursor, item: dict[str, Any]) -> range:
    """Of the rows that are not held back; there may be gaps."""
    cursor.execute(
        "SELECT min(number), max(number) FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL",
        (item["item"],),
    )
    lowest, highest = one_row(cursor)
    return range(0) if lowest is None else range(lowest, highest + 1)


def read_kept(
    cursor: Cursor,
    item: dict[str, Any],
    work: sql.Composable,
    shape: sql.Composable,
    kind: sql.Composable,
    low: int,
    high: int,
) -> None:
    """Read the records of a range into the work table, as values of the types that ``shape`` has.

    Args:
        work, shape: SQL identifiers.
        kind: SQL: what is to be done with row kept_row, where it has no place in the table.
    """
    cursor.execute(
        sql.SQL(READ).format(
            work=work,
            shape=shape,
            kind=kind,
            item=sql.Literal(item["item"]),
            low=sql.Literal(low),
            high=sql.Literal(high),
        )
    )


def hold_back_what_differs(
    cursor: Cursor, item: dict[str, Any], now: sql.Composable, absent: str, other: str, compared: bool
) -> None:
    """Hold back rows that are not in the table as they were kept.

    Args:
        now: SQL query for the rows of the table: key, occurrence, line, place.
        absent, other: the reason, where there is no such row, and where it has another value.
        compared: whether the whole row is what was kept.
    """
    cursor.execute(
        sql.SQL(WHAT_DIFFERS).format(
            absent=sql.Literal(absent),
            other=sql.Literal(other),
            compared=sql.Literal(compared),
            now=now,
            item=sql.Literal(item["item"]),
        )
    )


def count_kept(cursor: Cursor, item: dict[str, Any]) -> int:
    """Rows that are kept, held back or not."""
    cursor.execute("SELECT count(*) FROM runbook_salvage.kept_row WHERE item = %s", (item["item"],))
    return one_row(cursor)[0]


def reasons_of_held_back(cursor: Cursor, item: dict[str, Any]) -> dict[str, int]:
    """Reason -> rows, of those that are still kept."""
    cursor.execute(
        "SELECT coalesce(held_back, ''), count(*) FROM runbook_salvage.kept_row WHERE item = %s GROUP BY 1",
        (item["item"],),
    )
    return dict(cursor.fetchall())


def note_returned(cursor: Cursor, item: dict[str, Any], run_id: str) -> None:
    """Say that an item went back whole, with this run."""
    cursor.execute(
        "UPDATE runbook_salvage.manifest SET returned = clock_timestamp(), returned_by = %s WHERE item = %s",
        (run_id, item["item"]),
    )


# Several items ----------------------------------------------------------------------------------------------


def hold_back_older(
    cursor: Cursor, older: dict[str, Any], newer: dict[str, Any], reason: str, comparable: bool
) -> None:
    """Hold back rows of an item of which another one has a newer version.

    Args:
        comparable: whether rows of both that are written alike are the same.
    """
    cursor.execute(
        OLDER_ROWS,
        {
            "reason": reason,
            "older": older["item"],
            "newer": newer["item"],
            "older_columns": older["columns"],
            "newer_columns": newer["columns"],
            "comparable": comparable,
        },
    )


def hold_back_older_item(cursor: Cursor, older: dict[str, Any], newer: dict[str, Any], reason: str) -> None:
    """Hold back all rows of an item, where the other one has any that go back."""
    cursor.execute(OLDER_ITEM, {"reason": reason, "older": older["item"], "newer": newer["item"]})


def key_is_held_back(
    migration: str,
    parent: tuple[str, str],
    key_columns: Sequence[str],
    reasons: Sequence[str],
    key: sql.Composable,
) -> sql.Composable:
    """SQL condition: a row of the table ``parent`` with this key stays in the salvage, for one of these reasons.

    Args:
        key: SQL of the values of ``key_columns``.
    """
    return sql.SQL(
        "EXISTS (SELECT FROM runbook_salvage.kept_row parent JOIN runbook_salvage.manifest m USING (item)"
        " WHERE m.returned IS NULL AND (m.migration, m.schema_name, m.table_name) = ({}, {}, {})"
        " AND m.key_columns = {}::text[] AND parent.held_back = ANY ({}) AND parent.key = ROW({})::text)"
    ).format(
        sql.Literal(migration),
        *map(sql.Literal, parent),
        sql.Literal(list(key_columns)),
        sql.Literal(list(reasons)),
        key,
    )


# The migration's own rows -----------------------------------------------------------------------------------


def join_own_rows(migration: str, item: dict[str, Any]) -> sql.Composable:
    """SQL: join with the rows that the migration brought into the table of an item, as own_row: key, occurrence."""
    return sql.SQL(
        "JOIN runbook_salvage.made_row own_row ON own_row.migration = {} AND own_row.schema_name = {}"
        " AND own_row.table_name = {}"
    ).format(*map(sql.Literal, (migration, item["schema"], item["table"])))


def follow_own_rows(
    cursor: Cursor, migration: str, item: dict[str, Any], pairs: sql.Composable, work: sql.Composable
) -> None:
    """Note the keys that own rows have, now that they became the kept rows that they were paired with."""
    cursor.execute(
        sql.SQL(FOLLOW).format(
            pairs=pairs,
            work=work,
            migration=sql.Literal(migration),
            schema=sql.Literal(item["schema"]),
            table=sql.Literal(item["table"]),
        )
    )


def own_row_before(shape: sql.Composable) -> sql.Composable:
    """SQL: the own row of the deploy before, as the value of a table's row type; for numbers_that_differ."""
    return sql.SQL("CAST(kept_row.brought AS {})").format(shape)


def numbers_that_differ(cursor: Cursor, item: dict[str, Any], **parts: sql.Composable) -> list[int]:
    """Numbers of kept rows whose own row is another one than before.

    Args:
        parts: SQL: the identifiers pairs, work and target; now (values of row t), kept (of row k), own (of
            own_row_before), and whether that is ``known``.
    """
    cursor.execute(sql.SQL(DIFFERING).format(item=sql.Literal(item["item"]), **parts))
    return [number for (number,) in cursor.fetchall()]
