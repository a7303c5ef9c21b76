# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What rollbacks have left that no rollback can take back (see catalog.residue), as their receipts say."""

from __future__ import annotations

from collections.abc import Iterable

from ..shapes import Receipt

__all__ = ["residue_left"]


def residue_left(receipts: Iterable[Receipt]) -> dict[str, list[str]]:
    """Of which migration that was rolled back what stayed: version -> names.

    Args:
        receipts: all of the database, in order.
    """
    left: dict[str, list[str]] = {}
    for receipt in receipts:
        if receipt["status"] != "ok":
            continue
        if receipt["step"] == "swap":
            left.clear()  # an older database has taken the place of the one that had it
        if receipt["step"] == "emergency_rollback" and receipt["migration"]:
            # A later rollback leaves nothing that was not there before its deploy.
            known = left.setdefault(receipt["migration"], [])
            known += [name for name in receipt["outputs"].get("residue") or [] if name not in known]
    return left
