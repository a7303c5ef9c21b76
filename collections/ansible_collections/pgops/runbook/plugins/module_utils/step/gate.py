# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate before a step: its run is open, and what it needs is recorded, fresh, and of these scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import Refused, RunbookError, StepFailed
from ..ledger.approvals import AWAITING, RESUME, WAITS, age_limit, check_approvals, read_approvals
from ..ledger.receipts import check_gate, check_smoke_scripts, latest
from ..ledger.signatures import check_signed
from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..sentences import listed
from ..shapes import Cursor, Json, Receipt
from .kinds import STEPS_AFTER_A_CHANGE, STEPS_WITHOUT_AGE

if TYPE_CHECKING:
    from .step import Step

__all__ = ["lost_receipt", "pass_gate"]


def pass_gate(step: Step, cursor: Cursor) -> None:
    """Read the receipts of the step's run, and let it work only where they allow it; its lease is extended.

    Raises:
        Refused: they do not.
        AwaitingApproval: somebody has yet to say yes.
    """
    step.receipts = step.ledger.receipts(cursor, step.run_id)
    step.lost = lost_receipt(step, cursor, step.receipts)
    if step.lost is not None and not step.automatic:
        raise _of_another_server(step, step.lost)
    run = _check_run_is_open(step, cursor)
    if step.ledger.chain_is_broken(cursor, step.run_id):
        raise Refused(
            "receipt_altered",
            "The receipts of this run are no longer the chain that was written, so that it no longer proves"
            " anything. Start a new run, and find out who writes to schema runbook.",
        )
    check_gate(
        step.name,
        step.playbook,
        step.receipts,
        step.identity,
        step.script_digests(),
        automatic=step.automatic,
        max_age=_ages(step, cursor),
    )
    if step.name == "apply":
        # Whatever a controller has been told: what is needed stands in the receipt of preflight.
        approvals = read_approvals(cursor, step.run_id)
        check_approvals(step.run_id, step.receipts, approvals, run["operator"], stops=False)
    _take_signatures(step, cursor)
    preflight = latest(step.receipts, "preflight")
    if preflight is not None and "smoke" in step.plan:
        check_smoke_scripts(preflight["inputs"].get("smoke"), step.smoke_digests())
    step.ledger.extend_lease(cursor, step.run_id)


def lost_receipt(step: Step, cursor: Cursor, receipts: Sequence[Receipt]) -> list[str] | None:
    """Which migrations of this run are applied, where the ledger does not have the last receipt that it wrote.

    So it is after a failover to a standby that had not got it: what was committed with the receipt is lost with it.

    Args:
        receipts: of the run, as they stand in the ledger now.

    Returns:
        versions; None where the receipt is there, or none is known of.
    """
    last = step.params["run"]["last_receipt"]
    if not last or step.reads_only:
        return None
    if any(receipt["digest"] == last for receipt in receipts):
        return None
    applied = VersionTable(cursor).applied()
    return [version for version in _versions(step) if version in applied]


def _versions(step: Step) -> list[str]:
    preflight = latest(step.receipts, "preflight")
    if preflight is not None:
        return list(preflight["outputs"].get("migrations", []))
    return [migration["version"] for migration in step.plan.get("migrations", [])]


def _of_another_server(step: Step, applied: list[str]) -> RunbookError:
    versions = _versions(step)
    here = f"{listed(applied or versions, separator=', ')} {'is' if applied else 'is not'} applied"
    said = (
        "The ledger does not have the last receipt that this run wrote. Another server answers than the one that"
        " committed it (a failover to a standby that had not got it), or somebody has deleted it. In the database that"
        f" answers now {here}; the server of before may have more. Let nobody write there until it is known what is"
        " lost. What is true here: ansible-playbook playbooks/status.yml"
    )
    if step.name in STEPS_AFTER_A_CHANGE:
        return StepFailed("receipt_lost", said)
    return Refused("receipt_lost", said)


def _take_signatures(step: Step, cursor: Cursor) -> None:
    """Keep what the controller has signed; nothing of this run may be there that it has not.

    A rollback that a failed deploy does by itself goes on without: the controller may never have heard of what was
    committed, and it has to be taken back.
    """
    signed = step.params["run"]["signed"]
    if signed is None:
        return
    step.ledger.keep_signatures(cursor, step.run_id, signed)
    if not step.automatic:
        check_signed(step.receipts, signed)


def _check_run_is_open(step: Step, cursor: Cursor) -> Json:
    """The run, as the ledger has it."""
    run = step.ledger.run(cursor, step.run_id)
    if run is None:
        raise Refused(
            "step_out_of_order",
            f"Step {step.name} belongs to no run of this database. Run the whole playbook, whose first step is"
            f" preflight.",
        )
    if run["outcome"] == AWAITING:
        raise Refused(
            "run_has_ended",
            WAITS.format(step.run_id, RESUME.format(step.run_id)),
        )
    if run["finished"]:
        # Who has taken its place says so there.
        why = f": {run['reason'].rstrip('.')}" if run.get("reason") else ""
        raise Refused(
            "run_has_ended", f"Run {step.run_id} has ended ({run['outcome']}){why}. Start a new run."
        )
    if run["playbook"] != step.playbook:
        raise Refused(
            "step_out_of_order",
            f"Run {step.run_id} is one of {run['playbook']}, not of {step.playbook}. Start a new run.",
        )
    return run


def _ages(step: Step, cursor: Cursor) -> dict[str, tuple[float, float, str]]:
    """Age in minutes of the receipts that get too old, with the greatest age allowed and the variable that says so.

    Once production is changed their age says nothing any more: a slow migration must still be verified. And a
    backup that is put back is an old one.
    """
    ages: dict[str, tuple[float, float, str]] = {}
    if step.name in STEPS_WITHOUT_AGE:
        return ages
    for needed in ("backup", "verify_restore", "rehearse", "emergency_backup"):
        receipt = latest(step.receipts, needed)
        if receipt is not None:
            cursor.execute(
                "SELECT extract(epoch FROM clock_timestamp() - %s::timestamptz)::float / 60",
                (receipt["finished"],),
            )
            limit = age_limit(step.receipts, step.params["backup_max_age_minutes"])
            ages[needed] = (one_row(cursor)[0], *limit)
    return ages
