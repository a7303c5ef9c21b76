# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people changed since a rollback: told by the digests of the rows as the rollback left them.

Of use only before the migration's first statement, which changes them again.
"""

from __future__ import annotations

from ..content.row_digest import sums_as_text
from ..postgres.connection import sql
from ..postgres.tables import table_facts
from .key import Key, numbered_rows
from .store import SalvageStore

__all__ = ["ROW_MADE", "hold_back_changed", "narrow_to_untouched"]

ROW_CHANGED = "somebody changed its row since the rollback"
ROW_DELETED = "somebody deleted its row since the rollback"
ROW_MADE = "somebody made a row with its key since the rollback"
TABLE_CHANGED = "somebody changed the table since the rollback, and it has no key to tell rows apart"


def narrow_to_untouched(cursor, item):
    """Take the values of the rows that are still as the rollback left them; the others are the migration's."""
    # A deploy whose statements commit one by one may have begun before, and done none of them.
    cursor.execute("UPDATE runbook_salvage.kept_row SET columns = '{}' WHERE item = %s", (item["item"],))
    facts = item["facts"]
    table = table_facts(cursor, facts["left_table"])
    if table is not None and set(facts["left_columns"]) <= set(table.columns):
        cursor.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name))
        )
        key = Key(facts["left_key_columns"], True)
        cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row k SET kept = now.line, columns = NULL FROM ({}) AS now"
                " WHERE k.item = {} AND now.key = k.key AND md5(now.line) = k.left_digest"
            ).format(
                numbered_rows(table.name, table.partitioned, key, facts["left_columns"]),
                sql.Literal(item["item"]),
            )
        )
    cursor.execute(
        "DELETE FROM runbook_salvage.kept_row WHERE item = %s AND columns IS NOT NULL", (item["item"],)
    )


def hold_back_changed(cursor, item):
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
        if cursor.fetchone()[0] != facts["left_digest"]:
            SalvageStore(cursor).hold_back(item["item"], TABLE_CHANGED)
        return
    cursor.execute(
        sql.SQL(
            "UPDATE runbook_salvage.kept_row k SET held_back = CASE"
            " WHEN k.left_digest IS NULL THEN {made} WHEN now.key IS NULL THEN {deleted} ELSE {changed} END"
            " FROM runbook_salvage.kept_row same LEFT JOIN ({now}) AS now USING (key, occurrence)"
            " WHERE k.item = {item} AND k.held_back IS NULL AND same.item = k.item AND same.number = k.number"
            " AND md5(now.line) IS DISTINCT FROM k.left_digest"
        ).format(
            now=now,
            item=sql.Literal(item["item"]),
            made=sql.Literal(ROW_MADE),
            deleted=sql.Literal(ROW_DELETED),
            changed=sql.Literal(ROW_CHANGED),
        )
    )
