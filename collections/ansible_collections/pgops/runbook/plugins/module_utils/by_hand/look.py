# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at the rows of one item: what was kept of each, what is there now, and why it waits."""

from __future__ import annotations

from ..postgres.connection import sql
from ..postgres.kept_names import kept_table
from ..postgres.other_encodings import as_bytes, read_json, read_name
from ..postgres.session import pin_session
from ..postgres.values import text_of
from ..salvage.key import field
from ..salvage.returning.waiting import WaitingRows
from ..salvage.store.items import OF_TABLES
from ..salvage.store.rows import reasons_of_rows, try_again
from ..shapes import Cursor, Json

__all__ = ["MOST_ROWS", "look_at_rows"]

MOST_ROWS = 10

# Of a value as much as a line bears.
# As bytes: in a database of SQL_ASCII they may be no text.
VALUES = f"""
    SELECT number, {as_bytes("key")}, gone, there, {as_bytes("theirs")}, {as_bytes("now")} FROM (
    SELECT k.number, k.key, k.kept IS NULL AS gone, k.place IS NOT NULL AS there,
           (SELECT jsonb_object_agg(f.key, left(f.value, 60))
            FROM unnest({{names}}::text[], {{theirs}}) AS f (key, value)
            WHERE k.theirs IS DISTINCT FROM NULL AND (k.columns IS NULL OR f.key = ANY (k.columns))) AS theirs,
           (SELECT jsonb_object_agg(f.key, left(f.value, 60))
            FROM unnest({{names}}::text[], {{now}}) AS f (key, value)
            WHERE k.now IS DISTINCT FROM NULL AND (k.columns IS NULL OR f.key = ANY (k.columns))) AS now
    FROM {{work}} k WHERE k.columns IS DISTINCT FROM '{{{{}}}}' ORDER BY k.number LIMIT {{most}}) AS row
    ORDER BY number"""


def look_at_rows(cursor: Cursor, item: Json) -> list[Json]:
    """The first rows of an item of a table; none where its table is not there.

    Args:
        cursor: of a transaction that is rolled back: temporary tables are made, and rows tried again.
        item: as SalvageStore.open_items() gives it.

    Returns:
        list of dict, MOST_ROWS at most: key (names of the key columns, and their values), reason (or None), deleted
        (whether users had deleted the row), there (whether it is there now), kept and now (dict column -> text of the
        value or None).
    """
    table = kept_table(cursor, (item["schema"], item["table"])) if item["kind"] in OF_TABLES else None
    if table is None or not set(item["key_columns"]) <= set(table.columns):
        return []
    pin_session(cursor, local=True)
    reasons = reasons_of_rows(cursor, item["item"])
    try_again(cursor, [item["item"]])
    rows = WaitingRows(cursor, item, table)
    rows.make()
    rows.read()
    rows.find_places()
    rows.run(
        VALUES,
        names=sql.Literal(rows.columns),
        theirs=_texts(rows, "k.theirs"),
        now=_texts(rows, "k.now"),
        most=sql.Literal(MOST_ROWS),
    )
    names = f"{', '.join(item['key_columns'])} " if rows.has_key else ""
    return [
        {
            "key": f"{names}{read_name(cursor, key)}",
            "reason": reasons.get(number),
            "deleted": deleted,
            "there": there,
            "kept": read_json(cursor, kept),
            "now": read_json(cursor, now),
        }
        for number, key, deleted, there, kept, now in cursor.fetchall()
    ]


def _texts(rows: WaitingRows, row: str) -> sql.Composable:
    """SQL: the values of a row as an array of text; as JSON has them, but those of the application's own types."""
    return sql.SQL("ARRAY[{}]::text[]").format(
        sql.SQL(", ").join(
            text_of(field(row, name), own_type=True)
            if name in rows.own_types
            else sql.SQL("to_jsonb({}) #>> '{{}}'").format(field(row, name))
            for name in rows.columns
        )
    )
