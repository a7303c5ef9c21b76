# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Items of salvage as a rollback would have kept them, with rows of a table that it has dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Cursor, Json

__all__ = ["keep_item", "rows_kept"]


def keep_item(
    cursor: Cursor,
    kind: str,
    rows: Sequence[tuple[str | None, str]] = (),
    *,
    run_id: str = "run 1",
    migration: str = "002",
    columns: Sequence[str] = ("id", "mark"),
    key_columns: Sequence[str] = ("id",),
    table: tuple[str | None, str | None] = ("public", "star"),
    facts: Json | None = None,
) -> int:
    """Keep an item; returns its number.

    Args:
        cursor: in a transaction.
        kind: see SalvageStore.
        rows: key and record, as PostgreSQL writes records.
        run_id, migration, columns, key_columns, table, facts: of the item.
    """
    store = SalvageStore(cursor)
    store.create()
    number = store.begin_item(run_id, migration, kind, table, columns, key_columns, facts)
    for key, record in rows:
        cursor.execute(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
            (number, key, record),
        )
    if rows:
        store.finish_item(number)
    return number


def rows_kept(cursor: Cursor, number: int) -> list[tuple[Any, ...]]:
    cursor.execute("SELECT key, kept, held_back FROM runbook_salvage.kept_row WHERE item = %s", (number,))
    return cursor.fetchall()
