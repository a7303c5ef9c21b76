# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration makes its rows of: where that was changed since the rollback, a key may stand for another thing.

A migration that fills a table from another one makes other rows of other sources. What users had made of its rows
before the rollback must not overwrite what the migration makes now of what they have changed since.
"""

from __future__ import annotations

import json

from ..content.row_digest import sums_as_text
from ..postgres.connection import sql
from ..postgres.tables import table_facts
from .key import Key, numbered_rows

__all__ = ["SOURCE_CHANGED", "note_sources", "sources_changed"]

SOURCE_CHANGED = "what the migration makes it of was changed since the rollback"


def note_sources(cursor, version, items):
    """Enter, for items of tables into which the migration brought rows, what it had brought and read.

    Args:
        cursor: of the rollback's transaction after its last statement, with pinned settings.
        version: the migration.
        items: numbers of the items that the rollback kept.
    """
    cursor.execute(
        "SELECT EXISTS (SELECT FROM runbook_salvage.manifest m JOIN runbook_salvage.made_row made"
        " ON (made.migration, made.schema_name, made.table_name) = (m.migration, m.schema_name, m.table_name)"
        " WHERE m.item = ANY (%s))",
        (items,),
    )
    if not cursor.fetchone()[0]:
        return
    cursor.execute(
        "UPDATE runbook_salvage.kept_row k SET brought = made.line"
        " FROM runbook_salvage.manifest m JOIN runbook_salvage.made_row made"
        " ON (made.migration, made.schema_name, made.table_name) = (m.migration, m.schema_name, m.table_name)"
        " WHERE m.item = ANY (%s) AND k.item = m.item AND made.key = k.key AND made.occurrence = k.occurrence",
        (items,),
    )
    cursor.execute(
        "SELECT DISTINCT schema_name, table_name FROM runbook_salvage.made_source WHERE migration = %s",
        (version,),
    )
    digests = [[list(name), _digest(cursor, name)] for name in cursor.fetchall()]
    cursor.execute(
        "UPDATE runbook_salvage.manifest m SET facts = facts || %s"
        " || jsonb_build_object('brought_columns', made.columns) FROM runbook_salvage.made_row made"
        " WHERE item = ANY (%s) AND (made.migration, made.schema_name, made.table_name)"
        " = (m.migration, m.schema_name, m.table_name)",
        (json.dumps({"sources": [one for one in digests if one[1] is not None]}), items),
    )


def sources_changed(cursor, item):
    """Whether a table that the migration reads from is another one than after the rollback; it is locked then.

    Args:
        cursor: of the deploy's transaction before its first statement, with pinned settings.
        item: as SalvageStore.open_items() gives it.
    """
    return any(digest != _digest(cursor, name) for name, digest in item["facts"].get("sources", ()))


def _digest(cursor, name):
    table = table_facts(cursor, name)
    if table is None:
        return None
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(*table.name)))
    rows = numbered_rows(table.name, table.partitioned, Key(table.columns[:1], True), table.columns)
    cursor.execute(sql.SQL("SELECT {} FROM ({}) AS rows").format(sums_as_text(), rows))
    return cursor.fetchone()[0]
