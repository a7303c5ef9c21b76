# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several kept versions of one row: which of them goes back.

A deploy without ``restore_salvage`` leaves the salvage of an earlier rollback where it is; the next rollback may keep
the same rows again, as users made them meanwhile. The last version goes back and the earlier one stays: put back one
after the other, the last would overwrite the earlier, which would then be in no place at all.
"""

from __future__ import annotations

from ..store.items import COLUMNS, ROWS, TABLE, UNTOUCHED

__all__ = ["LATER_VERSION", "hold_back_earlier_versions"]

LATER_VERSION = "a later rollback kept another version of it"

# Kinds whose rows are what users wrote, and kinds that write to rows.
WRITTEN_BY_USERS = (TABLE, ROWS, COLUMNS)
WRITES = (*WRITTEN_BY_USERS, UNTOUCHED)

# Equal rows of a table that has no key are as many rows, not versions of one: the second would be taken for the first.
SAME_ROW = """
    UPDATE runbook_salvage.kept_row earlier SET held_back = %(reason)s FROM runbook_salvage.kept_row later
    WHERE earlier.item = %(earlier)s AND later.item = %(later)s
      AND earlier.held_back IS NULL AND later.held_back IS NULL
      AND later.key = earlier.key AND later.occurrence = earlier.occurrence
      AND coalesce(later.columns, %(later_columns)s) && coalesce(earlier.columns, %(earlier_columns)s)
      AND (NOT %(comparable)s OR later.kept <> earlier.kept)"""

WHOLE = """
    UPDATE runbook_salvage.kept_row SET held_back = %(reason)s WHERE item = %(earlier)s AND held_back IS NULL
      AND EXISTS (SELECT FROM runbook_salvage.kept_row WHERE item = %(later)s AND held_back IS NULL)"""


def hold_back_earlier_versions(cursor, items):
    """Hold back what a later item of the same migration would overwrite; the last version of a row stays free.

    Args:
        cursor: of the transaction that puts the items back.
        items: those that are to go back, as SalvageStore.open_items() gives them.
    """
    for later in items:
        for earlier in items:
            if _may_overwrite(later, earlier):
                cursor.execute(
                    SAME_ROW if _row_by_row(later, earlier) else WHOLE,
                    {
                        "reason": LATER_VERSION,
                        "earlier": earlier["item"],
                        "later": later["item"],
                        "earlier_columns": earlier["columns"],
                        "later_columns": later["columns"],
                        "comparable": earlier["facts"]["unique_key"]
                        and earlier["columns"] == later["columns"],
                    },
                )


def _may_overwrite(later, earlier):
    return (
        later["item"] > earlier["item"]
        and later["run_id"] != earlier["run_id"]
        and (later["schema"], later["table"]) == (earlier["schema"], earlier["table"])
        and later["kind"] in WRITES
        and earlier["kind"] in WRITTEN_BY_USERS
        and not set(later["columns"]).isdisjoint(earlier["columns"])
    )


def _row_by_row(later, earlier):
    """Whether it can be told which rows are the same: by one key, and not by the whole content of the table."""
    replaces = later["kind"] == ROWS and not later["facts"]["unique_key"]
    return later["key_columns"] == earlier["key_columns"] and not replaces
