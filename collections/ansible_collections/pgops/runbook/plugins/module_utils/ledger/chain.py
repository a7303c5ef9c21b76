# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the chain of receipts is the one that was written, as far as the ledger itself can tell.

A chain that was broken stays so until a run is told to go on all the same: its first receipt says so, and from there
on the chain is looked at anew. What others append meanwhile, as a rollback does, makes nothing whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor, Json, Receipt
from .ledger import Ledger
from .receipts import FIRST_PREVIOUS, broken_link

__all__ = ["ACCEPTED", "accepted_faults", "broken_receipt", "faults_of_chain"]

#: Output of the preflight that was told to go on: the faults that it found.
ACCEPTED = "accepted_chain"


def _accepts(receipt: Receipt) -> bool:
    return receipt["step"] == "preflight" and bool(receipt["outputs"].get(ACCEPTED))


def accepted_faults(receipts: Sequence[Receipt]) -> list[Json]:
    """run_id and faults (sentences) of each run that went on although the chain was broken.

    Args:
        receipts: the whole chain, oldest first.
    """
    return [
        {"run_id": receipt["run_id"], "faults": receipt["outputs"][ACCEPTED]}
        for receipt in receipts
        if _accepts(receipt)
    ]


def broken_receipt(receipts: Sequence[Receipt]) -> Receipt | None:
    """The first receipt that was changed or whose predecessor is gone, or None; not before the last accepted fault.

    Args:
        receipts: the whole chain, oldest first.
    """
    begins = max((place for place, receipt in enumerate(receipts) if _accepts(receipt)), default=0)
    since = receipts[begins:]
    return broken_link(since, since[0]["previous"] if begins else FIRST_PREVIOUS)


def faults_of_chain(cursor: Cursor, ledger: Ledger) -> list[str]:
    """What is wrong with the chain, in sentences without a full stop; empty where it is whole."""
    broken = broken_receipt(ledger.receipts(cursor))
    faults = []
    if broken is not None:
        what = f"{broken['step']} {broken['migration'] or ''}".strip()
        faults.append(
            f"the receipt of {what} in run {broken['run_id']} is no longer as it was written, or one before it is gone"
        )
    cut_off = ledger.cut_off(cursor)
    return [*faults, *([cut_off] if cut_off else [])]
