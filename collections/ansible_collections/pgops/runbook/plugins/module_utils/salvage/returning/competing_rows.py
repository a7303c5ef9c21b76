# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several kept versions of one row, or parts of it: which of them goes back.

A deploy without ``restore_salvage`` leaves the salvage of an earlier rollback where it is; the next rollback may keep
the same rows again, as users made them meanwhile. The last version goes back and the earlier one stays: put back one
after the other, the last would overwrite the earlier, which would then be in no place at all.

Of several migrations that one rollback took back, the later one's deploy finds rows that the earlier one's has held
back, and in their places rows of others that bear their keys. What it kept of the first does not belong to the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...shapes import Cursor
from ..store.items import OF_TABLES
from ..store.returning import hold_back_older, hold_back_older_item, hold_back_with_its_row

__all__ = ["NEWER_VERSION", "hold_back_competing_rows"]

NEWER_VERSION = "a later rollback kept another version of it"
ITS_ROW_WAITS = "its row, which an earlier migration has, waits too"


def hold_back_competing_rows(cursor: Cursor, items: Sequence[dict[str, Any]]) -> None:
    """Hold back what a newer item of the same migration would overwrite; the last version of a row stays free.

    Args:
        cursor: of the transaction that puts the items back.
        items: those that are to go back, as SalvageStore.open_items() gives them.
    """
    for newer in items:
        for older in items:
            if not _may_overwrite(newer, older):
                continue
            if _row_by_row(newer, older):
                comparable = older["facts"]["unique_key"] and older["columns"] == newer["columns"]
                hold_back_older(cursor, older, newer, NEWER_VERSION, comparable)
            else:
                hold_back_older_item(cursor, older, newer, NEWER_VERSION)
    for item in items:
        if item["kind"] in OF_TABLES:
            hold_back_with_its_row(cursor, item, ITS_ROW_WAITS)


def _may_overwrite(newer: dict[str, Any], older: dict[str, Any]) -> bool:
    return (
        newer["item"] > older["item"]
        and newer["run_id"] != older["run_id"]
        and (newer["schema"], newer["table"]) == (older["schema"], older["table"])
        and newer["kind"] in OF_TABLES
        and older["kind"] in OF_TABLES
        and not set(newer["columns"]).isdisjoint(older["columns"])
    )


def _row_by_row(newer: dict[str, Any], older: dict[str, Any]) -> bool:
    """Whether it can be told which rows are the same: by one key, and not by the whole content of a row."""
    return newer["key_columns"] == older["key_columns"]
