# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All SQL of the putting back on the tables of schema ``runbook_salvage``: kept rows and the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor

__all__ = [
    "columns_that_count",
    "count_kept",
    "count_more",
    "hold_back_conflicts",
    "hold_back_older",
    "hold_back_older_item",
    "hold_back_with_its_row",
    "note_returned",
    "put_back_undisturbed",
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
      AND (NOT %(comparable)s OR newer.kept IS DISTINCT FROM older.kept)"""

OLDER_ITEM = """
    UPDATE runbook_salvage.kept_row SET held_back = %(reason)s WHERE item = %(older)s AND held_back IS NULL
      AND EXISTS (SELECT FROM runbook_salvage.kept_row WHERE item = %(newer)s AND held_back IS NULL)"""

# A row that users had added while several migrations were there is kept whole with the earlier one, and with the later
# one in the columns that this had added.
WITH_ITS_ROW = """
    UPDATE runbook_salvage.kept_row k SET held_back = %(reason)s
    FROM runbook_salvage.kept_row whole JOIN runbook_salvage.manifest m ON m.item = whole.item
    WHERE k.item = %(item)s AND k.held_back IS NULL AND k.columns <> '{}'
      AND m.item <> %(item)s AND m.run_id = %(run_id)s AND m.schema_name = %(schema)s AND m.table_name = %(table)s
      AND m.key_columns = %(key_columns)s AND whole.held_back IS NOT NULL AND whole.base IS NULL
      AND whole.columns IS NULL AND whole.key = k.key AND whole.occurrence = k.occurrence"""

# OFFSET 0 keeps a record that is cast from being read anew for each of its columns.
READ = """
    INSERT INTO {work} (number, key, occurrence, columns, kept, base, made, written_since, parents, written, reason,
        theirs, basis, place, partition, now, undisturbed, kind)
    SELECT number, k.key, k.occurrence, columns, nullif(kept IS NOT NULL, false), nullif(base IS NOT NULL, false), made,
           written_since, parents, false,
           CASE WHEN columns IS DISTINCT FROM '{{}}' AND NOT as_kept THEN {reason} END, theirs, {of_now}
    FROM (SELECT *, theirs::text = kept AS as_kept
          FROM (SELECT *, CAST(kept AS {shape}) AS theirs FROM runbook_salvage.kept_row
                WHERE item = {item} AND held_back IS NULL AND number BETWEEN {low} AND {high} OFFSET 0) AS as_read
          OFFSET 0) AS k"""
ALONE = "CAST(base AS {shape}), NULL, NULL, NULL, false, NULL"

# What the row is now is not read from a text where it is written as base is; and then theirs goes back.
OF_NOW = """
    CASE WHEN now.line = base THEN now.values ELSE CAST(base AS {shape}) END, now.place, now.partition, now.values,
    coalesce(now.line = base, false), CASE WHEN now.line = base AND as_kept THEN {undisturbed} END"""
JOINED = " LEFT JOIN ({now}) AS now ON now.key = k.key AND now.occurrence = k.occurrence"

# The line is looked at where the key is found, and not joined by: it would be written twice. Of what was kept the place
# is known, and nothing has to be looked up.
UNDISTURBED = """
    WITH written AS (
        UPDATE {target} t SET {assignments}
        FROM (SELECT k."kept place", k."kept number", k."kept key", k."kept columns", k."kept base", {read}
              FROM (SELECT ctid AS "kept place", number AS "kept number", key AS "kept key", columns AS "kept columns",
                           base AS "kept base", kept AS "kept line", CAST(kept AS {shape}) AS theirs
                    FROM runbook_salvage.kept_row
                    WHERE item = {item} AND held_back IS NULL AND occurrence = 1 AND columns <> '{{}}'
                      AND columns <@ {settable}::text[] AND kept <> base OFFSET 0) AS k
              WHERE k.theirs::text = k."kept line" OFFSET 0) AS k
        WHERE {key} = k."kept key" AND ({line} = k."kept base") IS TRUE
        RETURNING k."kept place" AS kept, k."kept number" AS number, k."kept key" AS key, t.ctid AS place,
            t.tableoid AS partition),
    gone AS (DELETE FROM runbook_salvage.kept_row k USING written WHERE k.ctid = written.kept)
    {claim}"""
CLAIM = """
    INSERT INTO {claims} (number, key, occurrence, place, partition, kept, columns, undisturbed, written)
    SELECT number, key, 1, place, partition, true, '{{}}', false, true FROM written"""

CONFLICTS = """
    UPDATE runbook_salvage.kept_row SET columns = k.conflict, held_back = {reason} || array_to_string(k.conflict, ', ')
    FROM {work} k WHERE kept_row.item = {item} AND kept_row.number = k.number AND k.conflict <> '{{}}'
      AND k.reason IS NULL"""

# A row is told again which of its columns count; what was asked of its defaults is answered.
COUNTED = """
    WITH counted AS (
        UPDATE runbook_salvage.kept_row SET columns = k.columns
        FROM {work} k WHERE kept_row.item = {item} AND kept_row.number = k.number AND k.written_since
          AND kept_row.columns = '{{}}' AND k.columns <> '{{}}' RETURNING 1),
    asked AS (
        UPDATE runbook_salvage.kept_row SET written_since = NULL
        FROM {work} k WHERE kept_row.item = {item} AND kept_row.number = k.number AND k.written_since
          AND k.columns = '{{}}')
    SELECT count(*) FROM counted"""


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
    low: int,
    high: int,
    reason: str,
    now: sql.Composable | None = None,
    undisturbed: sql.Composable | None = None,
) -> None:
    """Read the records of a range into the work table, as values of the types that ``shape`` has.

    Args:
        work, shape: SQL identifiers.
        reason: why a row stays whose values are others in these types.
        now: SQL query for the rows of the table, as numbered_rows() makes it, with values: each kept row is told the
            one that has its key. Its line has the columns of the record.
        undisturbed: SQL: the kind of a row that is now written as base is, or NULL; on the row of the salvage.
    """
    parts = {
        "shape": shape,
        "undisturbed": undisturbed or sql.SQL("NULL"),
        "item": sql.Literal(item["item"]),
        "low": sql.Literal(low),
        "high": sql.Literal(high),
        "reason": sql.Literal(reason),
    }
    values, joined = (ALONE, sql.SQL("")) if now is None else (OF_NOW, sql.SQL(JOINED).format(now=now))
    of_now = sql.SQL(values).format(**parts)
    cursor.execute(sql.SQL(READ + "{joined}").format(work=work, of_now=of_now, joined=joined, **parts))


def columns_that_count(
    cursor: Cursor, item: dict[str, Any], settable: Sequence[str]
) -> dict[tuple[str, ...], int]:
    """The lists of columns that count in rows with a base -> rows, of rows in which none counts but these."""
    cursor.execute(
        "SELECT columns, count(*) FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL"
        " AND kept <> base AND columns <> '{}' AND columns <@ %s::text[] GROUP BY columns",
        (item["item"], list(settable)),
    )
    return {tuple(columns): rows for columns, rows in cursor.fetchall()}


def put_back_undisturbed(
    cursor: Cursor, item: dict[str, Any], parts: dict[str, sql.Composable], claims: sql.Composable | None
) -> None:
    """Set what counts in rows t that are written as base is, and forget the kept rows.

    Args:
        parts: SQL of the target table, of the shape of its values, of the names that may count (settable), of what is
            read from a kept row k and assigned, and of the key and the whole line of a row t.
        claims: SQL identifier of a work table that is told which rows are taken, or None.
    """
    claim = sql.SQL("SELECT") if claims is None else sql.SQL(CLAIM).format(claims=claims)
    cursor.execute(sql.SQL(UNDISTURBED).format(claim=claim, item=sql.Literal(item["item"]), **parts))


def hold_back_conflicts(cursor: Cursor, item: dict[str, Any], work: sql.Composable, reason: str) -> None:
    """Hold back those values of rows, whose others went back, that were changed on both sides.

    Args:
        work: SQL identifier of a table with number and conflict (names of columns).
        reason: what is said before the names.
    """
    cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE conflict <> '{{}}')").format(work))
    if not one_row(cursor)[0]:
        return
    cursor.execute(
        sql.SQL(CONFLICTS).format(work=work, reason=sql.Literal(reason), item=sql.Literal(item["item"]))
    )


def count_more(cursor: Cursor, item: dict[str, Any], work: sql.Composable) -> int:
    """Rows that wait for something, of which nothing seemed to wait: their default is another one now.

    Args:
        work: SQL identifier of a table with number, columns and written_since.
    """
    cursor.execute(sql.SQL(COUNTED).format(work=work, item=sql.Literal(item["item"])))
    return one_row(cursor)[0]


def count_kept(cursor: Cursor, item: dict[str, Any]) -> int:
    """Rows that wait, held back or not."""
    cursor.execute(
        "SELECT count(*) FROM runbook_salvage.kept_row WHERE item = %s AND columns IS DISTINCT FROM '{}'",
        (item["item"],),
    )
    return one_row(cursor)[0]


def reasons_of_held_back(cursor: Cursor, item: dict[str, Any]) -> dict[str, int]:
    """Reason -> rows, of those that still wait."""
    cursor.execute(
        "SELECT coalesce(held_back, ''), count(*) FROM runbook_salvage.kept_row"
        " WHERE item = %s AND columns IS DISTINCT FROM '{}' GROUP BY 1",
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


def hold_back_with_its_row(cursor: Cursor, item: dict[str, Any], reason: str) -> None:
    """Hold back values of rows that as a whole wait in an item of another migration of the same rollback."""
    cursor.execute(WITH_ITS_ROW, {**item, "reason": reason})
