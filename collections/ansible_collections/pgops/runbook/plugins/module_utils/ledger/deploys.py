# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order what is applied was deployed, as the receipts have it."""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Receipt
from .receipts import in_force

__all__ = ["deployed_in_order"]


def deployed_in_order(receipts: Sequence[Receipt]) -> list[str]:
    """Versions that were deployed or adopted and not taken back since, in the order in which that happened.

    Args:
        receipts: the whole chain, oldest first.
    """
    deployed: dict[str, None] = {}
    for receipt in in_force(receipts):
        version = receipt["migration"]
        if not version or receipt["status"] != "ok":
            continue
        if receipt["step"] in ("apply", "adopt", "emergency_rollback"):
            deployed.pop(version, None)
        if receipt["step"] in ("apply", "adopt"):
            deployed[version] = None
    return list(deployed)
