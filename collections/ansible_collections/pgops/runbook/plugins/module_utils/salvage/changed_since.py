# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people changed since a rollback: told by the digests of the rows as the rollback left them.

Of use only before the migration's first statement, which changes them again.
"""

from __future__ import annotations

from ..content.row_digest import sums_as_text
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.tables import table_facts
from ..shapes import Cursor, Json
from .key import Key, numbered_rows
from .store.items import SalvageStore
from .store.rows import hold_back_differing, narrow_to

__all__ = ["ROW_MADE", "hold_back_changed", "narrow_to_untouched"]

ROW_CHANGED = "somebody changed its row since the rollback"
ROW_DELETED = "somebody deleted its row since the rollback"
ROW_MADE = "somebody made a row with its key since the rollback"
TABLE_CHANGED = "somebody changed the table since the rollback, and it has no key to tell rows apart"


def narrow_to_untouched(cursor: Cursor, item: Json) -> None:
    """Take the values of the rows that are still as the rollback left them; the others are the migration's."""
    facts, now = item["facts"], None
    table = table_facts(cursor, facts["left_table"])
    if table is not None and set(facts["left_columns"]) <= set(table.columns):
        cursor.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name))
        )
        key = Key(facts["left_key_columns"], True)
        now = numbered_rows(table.name, table.partitioned, key, facts["left_columns"])
    narrow_to(cursor, item["item"], now)


def hold_back_changed(cursor: Cursor, item: Json) -> None:
    """Hold back rows of an item of changed rows that are not as the rollback left them, each with its reason."""
    facts = item["facts"]
    table = table_facts(cursor, facts["left_table"])
    if table is None or not set(facts["left_columns"]) <= set(table.columns):
        return  # not as the rollback left it; what can be said of it now is said after the script
    cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name)))
    key = Key(facts["left_key_columns"], facts["unique_key"])
    now = numbered_rows(table.name, table.partitioned, key, facts["left_columns"])
    if not key.unique:
        cursor.execute(sql.SQL("SELECT {} FROM ({}) AS now").format(sums_as_text(), now))
        if one_row(cursor)[0] != facts["left_digest"]:
            SalvageStore(cursor).hold_back(item["item"], TABLE_CHANGED)
        return
    hold_back_differing(cursor, item["item"], now, made=ROW_MADE, deleted=ROW_DELETED, changed=ROW_CHANGED)
