# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a run ended, and what production is then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.outcome import (
    final_outcome,
    nothing_to_do,
    succeeded,
)

from tests.unit.record.records import (
    ALL_STEPS,
    CHANGES,
    SUCCESS,
    failed,
    ok,
    on_disk,
    record,
    result_of,
    run_until,
    settled,
)


@pytest.mark.parametrize("playbook", ALL_STEPS)
def test_all_steps_well(tmp_path: Path, playbook: Any) -> None:
    made = run_until(record(tmp_path, playbook), None)
    settled(made)
    assert on_disk(made)["outcome"] == SUCCESS[playbook]
    assert (on_disk(made)["failed_step"], on_disk(made)["reason"]) == (None, None)
    assert on_disk(made)["reason_code"] is None
    assert succeeded(made.content)


@pytest.mark.parametrize(
    ("playbook", "step"), [(playbook, step) for playbook, steps in ALL_STEPS.items() for step in steps]
)
def test_the_outcome_of_a_failure_tells_whether_production_was_changed(
    tmp_path: Path, playbook: Any, step: Any
) -> None:
    made = run_until(record(tmp_path, playbook), step)
    made.end(step, failed("the disk is full", code="backup_dir_full"))
    settled(made, "the task's own words", "task_failed")
    steps = ALL_STEPS[playbook]
    reached = playbook in CHANGES and steps.index(step) >= steps.index(CHANGES[playbook])
    content = on_disk(made)
    assert content["outcome"] == ("failed" if reached else "refused")
    assert (content["failed_step"], content["reason"]) == (step, "the disk is full")
    assert content["reason_code"] == content["steps"][-1]["reason_code"] == "backup_dir_full"
    assert not succeeded(content)


def test_what_a_refusal_found_is_told_beside_its_sentence(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "verify_restore")
    rows = [{"table": "public.notes", "keys": [{"key": "(2)", "problem": "changed", "columns": ["body"]}]}]
    statement = "ALTER ROLE app PASSWORD 'secret'"
    made.end("verify_restore", {**failed("other data"), "details": {"rows": rows, "statement": statement}})
    settled(made, "other data")
    *before, step = on_disk(made)["steps"]
    assert (step["reason"], step["details"]) == ("other data", {"rows": rows})
    assert not any("details" in one for one in before)


@pytest.mark.parametrize(("playbook", "step"), CHANGES.items())
@pytest.mark.parametrize("outcome", ["unchanged", "refused"])
def test_a_change_that_was_undone_or_refused_says_so_itself(
    tmp_path: Path, playbook: Any, step: Any, outcome: str
) -> None:
    made = run_until(record(tmp_path, playbook), step)
    made.end(step, failed("not so", outcome))
    settled(made, "not so")
    assert (on_disk(made)["outcome"], on_disk(made)["failed_step"]) == (outcome, step)


@pytest.mark.parametrize("step", ["apply", "verify", "smoke_test"])
def test_a_failure_that_was_taken_back(tmp_path: Path, step: str) -> None:
    made = run_until(record(tmp_path), step)
    made.end(step, failed("verify says no"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    settled(made, "verify says no")
    content = on_disk(made)
    assert (content["outcome"], content["failed_step"]) == ("rolled_back", step)
    assert content["reason_code"] == "statement_failed"
    assert content["reason"] == "verify says no"
    assert not succeeded(content), "a rollback nobody asked for is no success"


@pytest.mark.parametrize("second", ["emergency_backup", "emergency_rollback"])
def test_a_rollback_that_fails_too_is_said(tmp_path: Path, second: str) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    if second == "emergency_rollback":
        made.end("emergency_backup", ok())
    made.end(second, failed("the server is gone"))
    settled(made, "verify says no")
    content = on_disk(made)
    assert (content["outcome"], content["failed_step"]) == ("failed", "verify")
    assert content["reason"] == "verify says no The automatic rollback failed too: the server is gone"


@pytest.mark.parametrize("restore_fails", [False, True])
def test_a_rollback_that_fails_may_be_followed_by_a_restore(tmp_path: Path, restore_fails: bool) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", failed("the rollback fails"))
    made.end("restore", ok(proof={"schema_equal": True, "data_equal": True}))
    made.end("count_rows", ok())
    made.end("swap", failed("no room", "unchanged") if restore_fails else ok(replaced="midi_before"))
    settled(made, "verify says no")
    content = on_disk(made)
    reason = "verify says no The automatic rollback failed too: the rollback fails "
    if restore_fails:
        assert (content["outcome"], content["failed_step"]) == ("failed", "verify")
        assert content["reason"] == reason + "And so did the automatic restore: no room"
        assert content["restore"] is None
    else:
        assert (content["outcome"], content["failed_step"]) == ("restored", "verify")
        assert content["reason"] == reason + "The backup of this run was put back."
        assert content["restore"] == {"replaced": "midi_before"}
    assert content["proof"]["data_restored"] is True
    assert not succeeded(content), "a restore nobody asked for is no success"


def test_a_rollback_that_had_nothing_to_take_back_leaves_the_outcome_alone(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "apply")
    made.end("apply", failed("no lock", "unchanged"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", {**ok(), "outputs": {"migrations": []}})
    settled(made, "no lock")
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == ("unchanged", "no lock")


def test_nothing_later_to_roll_back_is_a_success(tmp_path: Path) -> None:
    made = record(tmp_path, "emergency_rollback")
    made.end("preflight", {**ok(), "outputs": {"migrations": []}})
    settled(made)
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == ("rolled_back", "nothing later was applied")


def test_nothing_pending_is_a_success(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.end("preflight", {**ok(), "outputs": {"migrations": []}})
    settled(made)
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == ("deployed", "nothing was pending")


@pytest.mark.parametrize(
    ("until", "outcome"), [("backup", "refused"), ("apply", "refused"), ("verify", "failed")]
)
def test_a_run_that_ends_early_without_a_failed_step_is_no_success(
    tmp_path: Path, until: str, outcome: str
) -> None:
    made = run_until(record(tmp_path), until)
    settled(made)
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == (
        outcome,
        "the run ended before its last step",
    )
    assert on_disk(made)["reason_code"] == "chain_incomplete"


def test_a_task_beside_the_steps_that_fails_before_apply_is_a_refusal(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "backup")
    settled(made, "the application did not go into maintenance")
    content = on_disk(made)
    assert (content["outcome"], content["reason"]) == (
        "refused",
        "the application did not go into maintenance",
    )
    assert content["reason_code"] == "task_failed"
    settled(made, "its own words", "artifacts_dir_unwritable")
    assert on_disk(made)["reason_code"] == "artifacts_dir_unwritable"


@pytest.mark.parametrize(
    ("step", "outcome"), [("rehearse", "refused"), ("apply", "failed"), ("verify", "failed")]
)
def test_a_step_whose_task_was_ended_before_it_could_report(tmp_path: Path, step: str, outcome: str) -> None:
    made = run_until(record(tmp_path), step)
    made.begin(step)
    assert made.may_have_committed() == (outcome == "failed")
    settled(made, "Task failed: it was ended")
    assert (on_disk(made)["outcome"], on_disk(made)["begun"]) == (outcome, step)


def test_a_task_beside_the_steps_that_fails_after_all_of_them_is_not_hidden(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), None)
    settled(made, "the last task failed")
    assert on_disk(made)["outcome"] == "failed"


def test_a_task_beside_the_steps_that_fails_and_is_taken_back(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    settled(made, "a task failed")
    assert on_disk(made)["outcome"] == "rolled_back"


def test_an_automatic_rollback_that_could_not_report_has_taken_back_what_the_ledger_says(
    tmp_path: Path,
) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("the schema differs"))
    made.end("emergency_backup", ok())
    assert not made.has_taken_back()
    made.end("emergency_rollback", {**failed("It was killed.", "failed"), "details": {"done": True}})
    assert made.has_taken_back()
    settled(made)
    content = on_disk(made)
    assert (content["outcome"], content["reason"]) == ("rolled_back", "the schema differs It was killed.")


def test_final_outcome_is_that_of_the_first_failure() -> None:
    steps = [
        {"step": "preflight", "status": "ok"},
        {"step": "backup", "status": "failed", "outcome": "refused", "reason": "first"},
    ]
    steps[1]["reason_code"] = "backup_dir_full"
    assert final_outcome("deploy", steps) == ("refused", "backup", "backup_dir_full", "first")
    assert final_outcome("deploy", steps[:1]) == ("deployed", None, None, None)


@pytest.mark.parametrize(
    ("playbook", "wanted", "reason"),
    [
        ("deploy", "pending", "nothing was pending"),
        ("deploy", "", "nothing was pending"),
        ("deploy", "009", "migration 009 was applied already"),
        ("emergency_rollback", "009", "migration 009 was not applied"),
        ("emergency_rollback", "", "nothing later was applied"),
    ],
)
def test_why_there_was_nothing_to_do(playbook: str, wanted: str, reason: str) -> None:
    assert nothing_to_do(playbook, wanted) == reason


@pytest.mark.parametrize(("playbook", "step"), CHANGES.items())
def test_a_step_of_which_nothing_was_heard_may_have_changed_production(
    tmp_path: Path, playbook: str, step: str
) -> None:
    """Its record broke, and other steps ran after it: what it has done is not known, and not taken for nothing."""
    made = run_until(record(tmp_path, playbook), step)
    made.begin(step)
    assert made.has_begun_to_change()
    made.begin("smoke_test")
    made.end("smoke_test", ok())
    assert made.has_begun_to_change()
    assert made.content["unreported"] == [step]
    if playbook == "deploy":
        assert made.may_have_committed()
    made.settle("Task failed: a defect")
    assert made.content["outcome"] == "failed"
