# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The hosts that hold the files, and whether each was asked before paths change: told from the receipts of a run."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from ..ledger.receipts import latest
from ..shapes import Receipt

__all__ = ["library_hosts_of", "refuse_unless_all_hosts_checked"]


def library_hosts_of(receipts: Sequence[Receipt]) -> list[str]:
    """Hosts whose files follow the migrations of a run, as its preflight found them."""
    preflight = latest(receipts, "preflight")
    return (preflight["outputs"].get("library_hosts") or []) if preflight is not None else []


def refuse_unless_all_hosts_checked(receipts: Sequence[Receipt]) -> None:
    """Refuse to change paths in the database before each host was asked whether its files can follow.

    A check counts only after the rehearsal, and only where no check after it found something in the way.

    Args:
        receipts: this run's, oldest first.

    Raises:
        Refused: naming the hosts that are missing and the migration that changes paths.
    """
    preflight = latest(receipts, "preflight")
    asking = preflight["outputs"].get("files") if preflight is not None else None
    checked: set[str] = set()
    for receipt in receipts:
        if receipt["step"] == "rehearse" or (receipt["step"] == "files_check" and receipt["status"] != "ok"):
            checked.clear()
        elif receipt["step"] == "files_check":
            checked.add(receipt["outputs"]["library_host"])
    missing = [host for host in library_hosts_of(receipts) if host not in checked]
    if asking and missing:
        raise Refused(
            "step_out_of_order",
            f"Step apply needs the receipt of step files_check for host {', '.join(missing)}, because migration"
            f" {asking[0]} changes paths of files. Run the whole playbook: steps cannot be skipped.",
        )
