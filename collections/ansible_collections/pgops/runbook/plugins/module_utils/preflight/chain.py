# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy builds on what earlier runs have proven, and so on receipts that are as they were written."""

from __future__ import annotations

from ..errors import Refused
from ..ledger.chain import ACCEPTED, faults_of_chain
from ..ledger.ledger import Ledger
from ..sentences import listed
from ..shapes import Cursor, Json
from ..step.step import Step

__all__ = ["accept_or_refuse_chain", "refuse_broken_chain"]


def refuse_broken_chain(step: Step, cursor: Cursor) -> list[str]:
    """Refuse a deploy on a broken chain, unless that was accepted by name; whatever else is warned and goes on.

    Who has to take a migration back, or to put a backup back, does not wait until it is known who wrote to the ledger.

    Returns:
        What is wrong, in sentences; empty where the chain is whole.

    Raises:
        Refused: saying what was found, and what lets the deploy go on.
    """
    faults = faults_of_chain(cursor, Ledger())
    if not faults:
        return []
    sentence = f"The receipts of this database are no longer the chain that was written: {listed(faults)}."
    if step.playbook != "deploy" or step.params["accept_broken_chain"]:
        step.module.warn(f"{sentence} What earlier runs have proven cannot be relied on.")
        return faults
    raise Refused(
        "receipt_chain_broken",
        f"{sentence} What earlier runs have proven cannot be relied on. Find out who writes to schema runbook;"
        " ansible-playbook playbooks/status.yml says which copies in artifacts_dir the ledger no longer has. To deploy"
        " all the same, on the schema as it is: -e accept_broken_chain=true",
    )


def accept_or_refuse_chain(step: Step, cursor: Cursor) -> Json:
    """See refuse_broken_chain(); where a deploy was told to go on, the chain begins anew with the receipt it writes.

    Returns:
        dict for preflight's receipt: empty, or accepted_chain (what was wrong).
    """
    faults = refuse_broken_chain(step, cursor)
    if not faults or step.playbook != "deploy":
        return {}
    Ledger().take_as_whole(cursor)
    return {ACCEPTED: faults}
