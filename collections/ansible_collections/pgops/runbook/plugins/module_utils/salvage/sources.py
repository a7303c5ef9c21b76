# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration makes its rows of: where that was changed since the rollback, a key may stand for another thing.

A migration that fills a table from another one makes other rows of other sources. What users had made of its rows
before the rollback must not overwrite what the migration makes now of what they have changed since.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..content.row_digest import sums_as_text
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.tables import table_facts
from ..shapes import Cursor, Json
from .key import Key, numbered_rows
from .store.brought import any_brought, sources_of
from .store.items import SalvageStore
from .store.rows import note_brought

__all__ = ["SOURCE_CHANGED", "note_sources", "sources_changed"]

SOURCE_CHANGED = "what the migration makes it of was changed since the rollback"


def note_sources(cursor: Cursor, version: str, items: list[int]) -> None:
    """Enter, for items of tables into which the migration brought rows, what it had brought and read.

    Args:
        cursor: of the rollback's transaction after its last statement, with pinned settings.
        version: the migration.
        items: numbers of the items that the rollback kept.
    """
    if not any_brought(cursor, items):
        return
    note_brought(cursor, items)
    digests = [[list(name), _digest(cursor, name)] for name in sources_of(cursor, version)]
    SalvageStore(cursor).note_sources(items, [one for one in digests if one[1] is not None])


def sources_changed(cursor: Cursor, item: Json) -> bool:
    """Whether a table that the migration reads from is another one than after the rollback; it is locked then.

    Args:
        cursor: of the deploy's transaction before its first statement, with pinned settings.
        item: as SalvageStore.open_items() gives it.
    """
    return any(digest != _digest(cursor, name) for name, digest in item["facts"].get("sources", ()))


def _digest(cursor: Cursor, name: Sequence[str]) -> str | None:
    table = table_facts(cursor, name)
    if table is None:
        return None
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(*table.name)))
    rows = numbered_rows(table.name, table.partitioned, Key(table.columns[:1], True), table.columns)
    cursor.execute(sql.SQL("SELECT {} FROM ({}) AS rows").format(sums_as_text(), rows))
    return one_row(cursor)[0]
