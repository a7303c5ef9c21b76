# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Items of salvage and own rows of a migration, entered as a rollback and a deploy enter them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import ROWS, SalvageStore

MIGRATION = "002"


def keep(
    cursor: Any,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, str]],
    *,
    kind: str = ROWS,
    run: str = "run",
    unique: bool = True,
) -> dict[str, Any]:
    """An item whose key is its first column, as SalvageStore.open_items() gives it.

    Args:
        rows: (key, record) of each.
    """
    store = SalvageStore(cursor)
    store.create()
    facts = {"unique_key": unique}
    number = store.begin_item(run, MIGRATION, kind, ("public", table), columns, columns[:1], facts)
    for key, record in rows:
        cursor.execute(
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
            (number, key, record),
        )
    store.finish_item(number)
    item = store.item(number)
    assert item is not None
    return item


def note_own_row(cursor: Any, table: str, key: str, line: str) -> None:
    """A row that the migration brought."""
    cursor.execute(
        "INSERT INTO runbook_salvage.made_row VALUES (%s, 'public', %s, '{}', %s, 1, %s)",
        (MIGRATION, table, key, line),
    )


def kept(cursor: Any) -> list[tuple[int, str, str | None]]:
    """(item, key, reason) of what is still kept."""
    cursor.execute("SELECT item, key, held_back FROM runbook_salvage.kept_row ORDER BY item, number")
    return cursor.fetchall()
