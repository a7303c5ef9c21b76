# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""On how many rows of which tables a rollback was rehearsed, by the evidence of its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["RowsSeen", "rows_seen"]


class RowsSeen(NamedTuple):
    """Number of rows that were in place when a rollback was rehearsed, and by table of those that had most.

    Attributes:
        tables: empty where that is not known.
        more: how many other tables have some.
    """

    rows: int
    tables: dict[str, int]
    more: int = 0


def rows_seen(proof: Mapping[str, Any]) -> RowsSeen:
    """The rows before the migration or over it, of the database or generated, whichever were most.

    Args:
        proof: evidence of a migration (see Rehearsal), of a receipt of any age.
    """
    generated = proof.get("generated_rows") or {}
    # Receipts of older releases have a number, in which rows of the record of versions count too.
    counted = [proof.get("rows_in") or {"rows": proof.get("rows_compared") or 0, "tables": {}, "more": 0}]
    counted += [
        one for one in (proof.get("rows_over"), generated.get("compared"), generated.get("over")) if one
    ]
    most = max(counted, key=lambda one: one["rows"])
    return RowsSeen(most["rows"], dict(most["tables"]), most["more"])
