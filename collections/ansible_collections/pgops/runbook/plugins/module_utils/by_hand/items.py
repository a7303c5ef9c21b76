# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What putting back and purging share: items by their number, and a run of their own in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from ..salvage.store.items import SalvageStore
from ..shapes import Cursor, Json, Receipt
from ..step.options import operator_name
from ..step.step import Step

__all__ = ["COMMAND", "enter_run", "find_item", "kept_items", "refuse_beside_a_run"]

COMMAND = "ansible-playbook playbooks/salvage.yml"


def find_item(cursor: Cursor, number: int) -> tuple[Json, Json]:
    """The item of that number, as SalvageStore.item() and as SalvageStore.summary() give it.

    Raises:
        Refused: when there is no salvage, no number was given, or none has it.
    """
    items = {item["item"]: item for item in kept_items(cursor)}
    if number <= 0:
        raise Refused(
            "salvage_item_not_named",
            f"No item is named: -e salvage_item=<number>. Nothing was changed. {COMMAND} lists the items.",
        )
    item = SalvageStore(cursor).item(number)
    if item is None or number not in items:
        known = ", ".join(map(str, items)) or "none at all"
        raise Refused(
            "salvage_item_unknown",
            f"There is no salvage item {number}, only: {known}. Nothing was changed. {COMMAND} lists the items.",
        )
    return item, items[number]


def kept_items(cursor: Cursor) -> list[Json]:
    """What is kept, as SalvageStore.summary() gives it.

    Raises:
        Refused: when there is no salvage at all.
    """
    store = SalvageStore(cursor)
    if not store.exists():
        raise Refused(
            "salvage_item_unknown",
            "There is no salvage in this database: no rollback has kept anything here. Nothing was changed.",
        )
    return store.summary()


def refuse_beside_a_run(step: Step, cursor: Cursor) -> None:
    """Refuse to change the salvage that a run may be about to keep or to put back.

    Raises:
        Refused: naming the run.
    """
    run = step.ledger.unfinished_run(cursor)
    if run is not None:
        raise Refused(
            "another_run_in_progress",
            f"Run {run['run_id']} by {run['operator']} is in progress in this database, or was interrupted in it."
            " Nothing was changed. Change the salvage when it has ended; ansible-playbook playbooks/status.yml shows"
            " it.",
        )


def enter_run(
    step: Step,
    cursor: Cursor,
    name: str,
    migrations: Sequence[str],
    outputs: Json,
    outcome: str,
    reason: str,
) -> Receipt:
    """Write a whole run into the ledger: its beginning, one receipt and its end.

    Args:
        step: whose run it is.
        cursor: of the transaction that changes the salvage.
        name: of the step in the receipt: "salvage_restore" or "salvage_purge".
        migrations: versions whose salvage was changed.
        outputs: for the receipt.
        outcome, reason: of the run.

    Returns:
        The receipt.
    """
    run = step.params["run"]
    step.ledger.create(cursor)
    step.ledger.open_run(
        cursor, step.run_id, step.playbook, migrations, operator_name(run["operator"]), run["controller"]
    )
    receipt = step.ledger.append(
        cursor,
        step.run_id,
        name,
        "ok",
        step.started,
        step.identity,
        migration=migrations[0] if len(migrations) == 1 else None,
        outputs=outputs,
    )
    step.recorded.append(receipt)
    step.ledger.finish_run(cursor, step.run_id, outcome, reason)
    return receipt
