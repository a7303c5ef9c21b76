# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Four eyes: whether a deploy needs approvals, and whether one that has them may still go on."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog.application import read_schema
from ..catalog.catalog import carried_by_dump, of_dumped_tables, without_extensions
from ..catalog.difference import describe
from ..catalog.remade import Remade
from ..errors import Refused
from ..ledger.approvals import (
    AWAITING,
    RESUME,
    changed_since,
    check_approvals,
    demand,
    demand_of,
    read_approvals,
    reopen,
)
from ..ledger.journal import open_journal
from ..ledger.ledger import Ledger
from ..ledger.receipts import outputs_in
from ..sentences import cut, listed
from ..shapes import Cursor, Json, Receipt
from ..step.step import Step
from .half_done import edited_since_begun
from .opening import close_dead_run, refuse_living_run

__all__ = [
    "APPROVALS_SPEC",
    "NEW_DEPLOY",
    "approvals_needed",
    "go_on",
    "not_waiting",
    "refuse_taken_name",
    "refuse_what_has_changed",
]

RISK_LEVELS = ["LOW", "MEDIUM", "HIGH", "CRITICAL"]

#: Options of preflight.
APPROVALS_SPEC: Json = {
    "approvals_required": {"type": "int", "default": 0},
    "approvals_required_for": {"type": "list", "elements": "str", "choices": RISK_LEVELS, "default": []},
    "approval_max_age_hours": {"type": "float", "default": 24},
}

NEW_DEPLOY = "ansible-playbook deploy.yml -e migration={}"


def approvals_needed(step: Step, cursor: Cursor, selected: Sequence[str]) -> Json | None:
    """What a run about these migrations needs (see ledger.approvals.demand); None for nothing.

    A migration that was approved and is half done is finished without another approval, as it was approved.

    Raises:
        Refused: a setting makes no sense; or scripts that need an approval were edited since the migration was begun.
    """
    count, hours = step.params["approvals_required"], step.params["approval_max_age_hours"]
    if count < 0 or not hours > 0:
        raise Refused(
            "setting_invalid",
            "approvals_required must be 0 or more, and approval_max_age_hours more than 0. Nothing was done.",
        )
    if step.playbook != "deploy" or not selected:
        return None
    risks = {entry["version"]: entry["risk_level"] for entry in step.plan["index"]}
    needed = demand(
        count, step.params["approvals_required_for"], {version: risks[version] for version in selected}, hours
    )
    half_done = open_journal(cursor)
    if half_done is not None and [half_done["migration"]] == list(selected):
        if needed is not None and edited_since_begun(step, cursor, half_done):
            raise Refused(
                "script_edited_when_half_done",
                f"The scripts of migration {half_done['migration']} were edited since run {half_done['run_id']} began"
                " it: who has approved it has not approved this. Bring the old text back. Nothing was done.",
            )
        return None
    if needed is not None:
        step.module.warn(
            f"This deploy stops after its rehearsal until others have approved it; it needs {needed['required']}"
            f" approval{'s' * (needed['required'] != 1)}: {listed(needed['why'])}."
        )
    return needed


def refuse_taken_name(step: Step, cursor: Cursor) -> None:
    """
    Raises:
        Refused: there is a run of this name, and so its record is elsewhere: here nobody knows of it.
    """
    run = step.ledger.run(cursor, step.run_id)
    if run is None:
        return
    waits = run["outcome"] == AWAITING
    raise Refused(
        "run_id_taken",
        f"There is a run {step.run_id} in this database already, and artifacts_dir has no record of it."
        + (
            " It waits for approval. Where its record is, resume it: " + RESUME.format(step.run_id)
            if waits
            else " Start a new run without run_id."
        ),
    )


def go_on(step: Step, cursor: Cursor) -> None:
    """Open a run again that has stopped until it is approved; in check mode only look whether that may be.

    Raises:
        AwaitingApproval: approvals are missing. The run waits on.
        Refused: it does not wait, or another run holds the database. All is as it was.
    """
    run = step.ledger.run(cursor, step.run_id)
    receipts = step.ledger.receipts(cursor, step.run_id)
    if run is None or demand_of(receipts) is None or (run["finished"] and run["outcome"] != AWAITING):
        raise Refused("run_not_waiting", not_waiting(step.run_id, run))
    # Also where it is this one: somebody else may have let it go on just now.
    refuse_living_run(step, step.ledger.unfinished_run(cursor))
    if any(receipt["step"] == "apply" for receipt in receipts):
        raise Refused(
            "run_not_waiting",
            f"Run {step.run_id} has begun to change production and was interrupted. What is true now:"
            " ansible-playbook playbooks/status.yml",
        )
    check_approvals(step.run_id, receipts, read_approvals(cursor, step.run_id), run["operator"], stops=True)
    if not step.module.check_mode:
        close_dead_run(step, cursor)
        reopen(cursor, step.run_id, step.params["run"]["controller"])


def not_waiting(run_id: str, run: Json | None) -> str:
    """That a run does not wait for approval, and why.

    Args:
        run: as Ledger.run() gives it.
    """
    if run is None:
        return f"This database knows no run {run_id}. Check run_id, and with several databases --limit."
    ended = f"it has ended ({run['outcome']})" if run["finished"] else "it is in progress, or was interrupted"
    return (
        f"Run {run_id} ({run['playbook']} of {', '.join(run['migrations'])}) does not wait for approval: {ended}."
        " Which ones do: ansible-playbook playbooks/status.yml"
    )


def refuse_what_has_changed(step: Step, cursor: Cursor, receipts: Sequence[Receipt]) -> None:
    """What was approved is what was rehearsed, on production as it was then.

    Raises:
        Refused: another run has changed production since, or its schema is not the rehearsed one.
    """
    versions = outputs_in(receipts, "preflight")["migrations"]
    again = f"Deploy again: {NEW_DEPLOY.format(versions[0] if len(versions) == 1 else 'pending')}"
    by = changed_since(cursor, step.run_id)
    if by is not None:
        raise Refused(
            "production_changed_since_rehearsal",
            f"Run {by} has changed production since run {step.run_id} rehearsed {', '.join(versions)}, so that what was"
            f" rehearsed and approved is no longer what would be done. {again}",
        )
    half_done = open_journal(cursor)
    if half_done is not None:
        raise Refused(
            "migration_half_done",
            f"Migration {half_done['migration']} is half done since run {half_done['run_id']} was stopped. Finish it"
            f" first, then deploy again: {NEW_DEPLOY.format(half_done['migration'])}",
        )
    _refuse_drift(cursor, receipts, again)


def _refuse_drift(cursor: Cursor, receipts: Sequence[Receipt], again: str) -> None:
    """apply compares likewise, under its locks; here the application is not out of service yet."""
    first = outputs_in(receipts, "rehearse")["migrations"][0]
    rehearsed, current = Ledger().catalog(cursor, first["catalog_before"]), read_schema(cursor)
    left_out = outputs_in(receipts, "verify_restore").get("extensions_left_out", [])
    both = (of_dumped_tables(without_extensions(one, left_out)) for one in (rehearsed, current))
    lines = describe(Remade().difference(cursor, *map(carried_by_dump, both)))
    if lines:
        raise Refused(
            "schema_drifted",
            f"The schema was changed outside of the runbook since it was rehearsed and approved: {listed(lines)}. Find"
            f" out who changed it. {again}",
            difference=cut(lines),
        )
