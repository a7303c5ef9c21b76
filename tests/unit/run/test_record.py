# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""run.json: the outcome of every way in which a run can end."""

from __future__ import annotations

import itertools
import json

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import (
    DEPLOY_STEPS,
    REHEARSE_STEPS,
    RESTORE_STEPS,
    ROLLBACK_STEPS,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.record import (
    RunRecord,
    final_outcome,
    succeeded,
)

ALL_STEPS = {
    "deploy": DEPLOY_STEPS,
    "rehearse": REHEARSE_STEPS,
    "emergency_rollback": ROLLBACK_STEPS,
    "restore": RESTORE_STEPS,
}
SUCCESS = {
    "deploy": "deployed",
    "rehearse": "rehearsed",
    "emergency_rollback": "rolled_back",
    "restore": "restored",
}
CHANGES = {"deploy": "apply", "emergency_rollback": "emergency_rollback", "restore": "swap"}


def record(tmp_path, playbook="deploy", writes=True, run_id="run-1"):
    facts = {"playbook": playbook, "target": "library", "database": "midi"}
    return RunRecord(str(tmp_path / "artifacts"), run_id, facts, writes=writes)


def ok(*migrations, receipt="d1", **outputs):
    if migrations:
        outputs["migrations"] = list(migrations)
    return {
        "failed": False,
        "outputs": outputs,
        "started": "2026-01-01T00:00:00.000000Z",
        "seconds": 1.5,
        "receipts": [{"digest": receipt, "step": "x"}],
    }


def failed(reason="it did not work", outcome=None, code="statement_failed"):
    return {
        "failed": True,
        "reason_code": code,
        "msg": reason,
        "outcome": outcome,
        "seconds": 0.5,
        "receipts": [],
    }


def result_of(step, versions=("009",)):
    """A module's answer to a step that went well."""
    if step == "preflight":
        return ok(*versions)
    proofs = [
        {"version": version, "schema_restored": True, "data_restored": True, "depends_on": ["001"]}
        for version in versions
    ]
    return ok(*proofs) if step in ("rehearse", "apply", "emergency_rollback") else ok()


def run_until(made, step):
    """Let every step before ``step`` succeed."""
    for name in itertools.takewhile(lambda name: name != step, ALL_STEPS[made.content["playbook"]]):
        made.end(name, result_of(name))
    return made


def on_disk(made):
    return json.loads(made.path.read_text(encoding="utf-8"))


# Outcomes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("playbook", ALL_STEPS)
def test_all_steps_well(tmp_path, playbook):
    made = run_until(record(tmp_path, playbook), None)
    made.conclude()
    assert on_disk(made)["outcome"] == SUCCESS[playbook]
    assert (on_disk(made)["failed_step"], on_disk(made)["reason"]) == (None, None)
    assert on_disk(made)["reason_code"] is None
    assert succeeded(made.content)


@pytest.mark.parametrize(
    ("playbook", "step"), [(playbook, step) for playbook, steps in ALL_STEPS.items() for step in steps]
)
def test_the_outcome_of_a_failure_tells_whether_production_was_changed(tmp_path, playbook, step):
    made = run_until(record(tmp_path, playbook), step)
    made.end(step, failed("the disk is full", code="backup_dir_full"))
    made.conclude("the task's own words", "task_failed")
    steps = ALL_STEPS[playbook]
    reached = playbook in CHANGES and steps.index(step) >= steps.index(CHANGES[playbook])
    content = on_disk(made)
    assert content["outcome"] == ("failed" if reached else "refused")
    assert (content["failed_step"], content["reason"]) == (step, "the disk is full")
    assert content["reason_code"] == content["steps"][-1]["reason_code"] == "backup_dir_full"
    assert not succeeded(content)


def test_what_a_refusal_found_is_told_beside_its_sentence(tmp_path):
    made = run_until(record(tmp_path), "verify_restore")
    rows = [{"table": "public.notes", "keys": [{"key": "(2)", "problem": "changed", "columns": ["body"]}]}]
    statement = "ALTER ROLE app PASSWORD 'secret'"
    made.end("verify_restore", {**failed("other data"), "details": {"rows": rows, "statement": statement}})
    made.conclude("other data")
    *before, step = on_disk(made)["steps"]
    assert (step["reason"], step["details"]) == ("other data", {"rows": rows})
    assert not any("details" in one for one in before)


@pytest.mark.parametrize(("playbook", "step"), CHANGES.items())
@pytest.mark.parametrize("outcome", ["unchanged", "refused"])
def test_a_change_that_was_undone_or_refused_says_so_itself(tmp_path, playbook, step, outcome):
    made = run_until(record(tmp_path, playbook), step)
    made.end(step, failed("not so", outcome))
    made.conclude("not so")
    assert (on_disk(made)["outcome"], on_disk(made)["failed_step"]) == (outcome, step)


@pytest.mark.parametrize("step", ["apply", "verify", "smoke_test"])
def test_a_failure_that_was_taken_back(tmp_path, step):
    made = run_until(record(tmp_path), step)
    made.end(step, failed("verify says no"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    made.conclude("verify says no")
    content = on_disk(made)
    assert (content["outcome"], content["failed_step"]) == ("rolled_back", step)
    assert content["reason_code"] == "statement_failed"
    assert content["reason"] == "verify says no"
    assert not succeeded(content), "a rollback nobody asked for is no success"


@pytest.mark.parametrize("second", ["emergency_backup", "emergency_rollback"])
def test_a_rollback_that_fails_too_is_said(tmp_path, second):
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    if second == "emergency_rollback":
        made.end("emergency_backup", ok())
    made.end(second, failed("the server is gone"))
    made.conclude("verify says no")
    content = on_disk(made)
    assert (content["outcome"], content["failed_step"]) == ("failed", "verify")
    assert content["reason"] == "verify says no The automatic rollback failed too: the server is gone"


@pytest.mark.parametrize("restore_fails", [False, True])
def test_a_rollback_that_fails_may_be_followed_by_a_restore(tmp_path, restore_fails):
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", failed("the rollback fails"))
    made.end("restore", ok(proof={"schema_equal": True, "data_equal": True}))
    made.end("count_rows", ok())
    made.end("swap", failed("no room", "unchanged") if restore_fails else ok(replaced="midi_before"))
    made.conclude("verify says no")
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


def test_a_rollback_that_had_nothing_to_take_back_leaves_the_outcome_alone(tmp_path):
    made = run_until(record(tmp_path), "apply")
    made.end("apply", failed("no lock", "unchanged"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", {**ok(), "outputs": {"migrations": []}})
    made.conclude("no lock")
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == ("unchanged", "no lock")


def test_nothing_pending_is_a_success(tmp_path):
    made = record(tmp_path)
    made.end("preflight", {**ok(), "outputs": {"migrations": []}})
    made.conclude()
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == ("deployed", "nothing was pending")


@pytest.mark.parametrize(
    ("until", "outcome"), [("backup", "refused"), ("apply", "refused"), ("verify", "failed")]
)
def test_a_run_that_ends_early_without_a_failed_step_is_no_success(tmp_path, until, outcome):
    made = run_until(record(tmp_path), until)
    made.conclude()
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == (
        outcome,
        "the run ended before its last step",
    )
    assert on_disk(made)["reason_code"] == "chain_incomplete"


def test_a_task_beside_the_steps_that_fails_before_apply_is_a_refusal(tmp_path):
    made = run_until(record(tmp_path), "backup")
    made.conclude("the application did not go into maintenance")
    content = on_disk(made)
    assert (content["outcome"], content["reason"]) == (
        "refused",
        "the application did not go into maintenance",
    )
    assert content["reason_code"] == "task_failed"
    made.conclude("its own words", "artifacts_dir_unwritable")
    assert on_disk(made)["reason_code"] == "artifacts_dir_unwritable"


def test_a_task_beside_the_steps_that_fails_after_all_of_them_is_not_hidden(tmp_path):
    made = run_until(record(tmp_path), None)
    made.conclude("the last task failed")
    assert on_disk(made)["outcome"] == "failed"


def test_a_task_beside_the_steps_that_fails_and_is_taken_back(tmp_path):
    made = run_until(record(tmp_path), "verify")
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    made.conclude("a task failed")
    assert on_disk(made)["outcome"] == "rolled_back"


def test_final_outcome_is_that_of_the_first_failure():
    steps = [
        {"step": "preflight", "status": "ok"},
        {"step": "backup", "status": "failed", "outcome": "refused", "reason": "first"},
    ]
    steps[1]["reason_code"] = "backup_dir_full"
    assert final_outcome("deploy", steps) == ("refused", "backup", "backup_dir_full", "first")
    assert final_outcome("deploy", steps[:1]) == ("deployed", None, None, None)


# The file ------------------------------------------------------------------------------------------------


def test_a_run_killed_in_a_step_says_which(tmp_path):
    made = run_until(record(tmp_path), "backup")
    made.begin("backup")
    content = on_disk(made)
    assert content["outcome"] == "failed", "never a success before the end"
    assert "has not ended" in content["reason"]
    assert content["reason_code"] == "run_not_ended"
    assert "step backup" in content["reason"]


def test_the_reason_of_a_failure_stays_while_the_rollback_is_at_work(tmp_path):
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    made.begin("emergency_backup")
    assert on_disk(made)["reason"] == "verify says no"


def test_a_later_process_goes_on_with_the_record(tmp_path):
    run_until(record(tmp_path), "backup")
    again = record(tmp_path)
    assert [step["step"] for step in again.content["steps"]] == ["preflight", "maintenance_window"]
    assert again.content["migrations"] == ["009"]


def test_check_mode_writes_nothing(tmp_path):
    made = record(tmp_path, writes=False)
    made.begin("preflight")
    made.end("preflight", ok("009"))
    made.end("backup", ok())
    made.conclude("stopped")
    assert list(tmp_path.iterdir()) == []


def test_receipts_are_mirrored_in_order(tmp_path):
    made = run_until(record(tmp_path), "backup")
    made.end("backup", ok(receipt="d2"))
    names = sorted(path.name for path in (made.folder / "receipts").iterdir())
    assert names == ["01_preflight.json", "02_maintenance_window.json", "03_backup.json"]
    assert json.loads((made.folder / "receipts" / "03_backup.json").read_text())["digest"] == "d2"
    assert on_disk(made)["steps"][-1]["receipt"] == "d2"


def test_latest_points_to_the_newest_run(tmp_path):
    for run_id in ("20260101T000000Z-a", "20260103T000000Z-a", "20260102T000000Z-a"):
        record(tmp_path, run_id=run_id).begin("preflight")
    latest = tmp_path / "artifacts" / "latest"
    assert latest.is_symlink()
    assert latest.resolve().name == "20260103T000000Z-a"
    assert [path.name for path in latest.parent.iterdir() if path.name.startswith(".")] == []


def test_every_step_of_the_file_has_the_public_keys(tmp_path):
    made = run_until(record(tmp_path), "backup")
    made.begin("backup")
    made.end("backup", failed())
    for step in on_disk(made)["steps"]:
        assert {"step", "status", "started", "seconds", "receipt"} <= step.keys()
        assert step["started"].endswith("Z"), "also of a step that failed before it reached the server"
    assert {
        "run_id",
        "playbook",
        "target",
        "database",
        "migrations",
        "outcome",
        "failed_step",
        "reason_code",
        "reason",
        "steps",
        "proof",
        "salvage",
    } <= on_disk(made).keys()


def test_proof_of_the_rehearsal(tmp_path):
    made = run_until(record(tmp_path), "apply")
    assert on_disk(made)["proof"] == {
        "schema_restored": True,
        "data_restored": True,
        "rehearsed": ["009"],
        "sequences_moved": {},
        "depends_on": {"009": ["001"]},
    }


@pytest.mark.parametrize(
    ("values", "proven"), [([True, True], True), ([True, None], None), ([True, False], False)]
)
def test_proof_of_a_rollback_is_no_stronger_than_its_weakest_migration(tmp_path, values, proven):
    made = run_until(record(tmp_path, "emergency_rollback"), "emergency_rollback")
    made.end(
        "emergency_rollback",
        ok(*({"version": str(n), "schema_restored": value} for n, value in enumerate(values))),
    )
    assert on_disk(made)["proof"]["schema_restored"] is proven


def test_a_damaged_record_is_not_taken_for_a_new_run(tmp_path):
    made = record(tmp_path)
    made.begin("preflight")
    made.path.write_text("{half a fi", encoding="utf-8")
    with pytest.raises(Refused, match=r"run\.json of this run is damaged"):
        record(tmp_path)


# Files on disk -------------------------------------------------------------------------------------------


def with_files(tmp_path, playbook="deploy", hosts=("media1",), migrations=("names",)):
    """A run whose migration asks for the files, up to that step."""
    made = record(tmp_path, playbook)
    outputs = {"migrations": list(migrations), "files": ["names"]}
    made.end("preflight", {**ok(), "outputs": outputs, "library_hosts": list(hosts)})
    for step in ALL_STEPS[playbook][1:] if migrations else ():
        made.end(step, result_of(step))
    return made


def followed(host="media1"):
    facts = {"library_host": host, "renamed": 3, "rows": 9, "missing": 0, "extra": 0, "extra_files": []}
    return {**ok(), "outputs": {**facts, "direction": "deploy"}}


@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback"])
def test_a_run_with_files_ends_when_every_host_has_followed(tmp_path, playbook):
    made = with_files(tmp_path, playbook, hosts=("media1", "media2"))
    made.end("files_rename", followed("media1"))
    made.conclude()
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == (
        "failed",
        "the run ended before its last step",
    )
    made.end("files_rename", followed("media2"))
    made.conclude()
    assert on_disk(made)["outcome"] == {"deploy": "deployed", "emergency_rollback": "rolled_back"}[playbook]
    assert on_disk(made)["files"]["hosts"]["media2"]["renamed"] == 3


def test_without_a_library_nothing_waits_for_files(tmp_path):
    made = with_files(tmp_path, hosts=())
    made.conclude()
    assert on_disk(made)["outcome"] == "deployed"
    assert not made.files_follow()
    assert on_disk(made)["files"] == {"migrations": ["names"], "hosts": {}}


def test_a_run_that_only_ends_the_renaming_is_open_in_the_ledger(tmp_path):
    made = with_files(tmp_path, migrations=())
    assert made.is_open_in_ledger()
    made.end("files_rename", followed())
    made.conclude()
    content = on_disk(made)
    assert content["outcome"] == "deployed"
    assert content["reason"] == "the database had it; the files on disk, which were behind, have followed"


@pytest.mark.parametrize("outcome", ["failed", "refused"])
@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback"])
def test_files_that_cannot_follow_are_no_refusal(tmp_path, playbook, outcome):
    """The database has been changed: to call it untouched would be wrong."""
    made = with_files(tmp_path, playbook)
    made.end("files_rename", failed("library_root is gone", outcome))
    made.conclude()
    assert (on_disk(made)["outcome"], on_disk(made)["failed_step"]) == ("failed", "files_rename")


@pytest.mark.parametrize("files_come_back", [True, False])
def test_after_an_automatic_rollback_the_files_have_to_come_back_too(tmp_path, files_come_back):
    made = with_files(tmp_path)
    made.end("files_rename", failed("a.mid exists already"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    made.end("files_rename", followed() if files_come_back else failed("the disk is gone"))
    made.conclude()
    content = on_disk(made)
    assert content["failed_step"] == "files_rename"
    if files_come_back:
        assert (content["outcome"], content["reason"]) == ("rolled_back", "a.mid exists already")
    else:
        assert content["outcome"] == "failed"
        assert "but the files have not followed: the disk is gone" in content["reason"]


# Rows that wait ------------------------------------------------------------------------------------------


def returned(version, held_back):
    item = {"item": 1, "table": "public.tag", "kind": "dropped table", "returned": 7, "held_back": held_back}
    return {
        "version": version,
        "statements": [],
        "salvage_returned": [{**item, "reasons": {"its row is gone": held_back}}] if held_back else [],
    }


def deployed(tmp_path, *held_back, fail=False):
    """A deploy of 001 ... of each of which so many rows were held back."""
    versions = [f"{number:03d}" for number in range(1, len(held_back) + 1)]
    made = record(tmp_path)
    for step in ALL_STEPS["deploy"]:
        found = list(map(returned, versions, held_back)) if step == "apply" else []
        made.end(step, ok(*found) if found else ok(*(versions if step == "preflight" else [])))
    made.conclude(fail_on_held_back=fail)
    return made.content


@pytest.mark.parametrize(("held_back", "waiting"), [([0], 0), ([3], 3), ([3000, 0, 15], 3015)])
def test_rows_that_were_held_back_are_counted(tmp_path, held_back, waiting):
    run = deployed(tmp_path, *held_back)
    assert run["rows_waiting"] == waiting
    assert (run["outcome"], run["reason"], run["reason_code"]) == ("deployed", None, None)
    assert succeeded(run)


def test_a_deploy_may_be_asked_to_fail_where_rows_wait(tmp_path):
    run = deployed(tmp_path, 3015, fail=True)
    assert (run["outcome"], run["failed_step"], run["reason_code"]) == ("deployed", None, "rows_held_back")
    assert run["reason"].startswith("The migration is deployed, and 3,015 rows wait that a rollback had kept")
    assert not succeeded(run)
    assert succeeded(deployed(tmp_path / "other", 0, fail=True))


@pytest.mark.parametrize(("taken_back", "waiting"), [(["001"], 2), (["002", "001"], 0)])
def test_what_was_taken_back_waits_for_the_next_deploy(tmp_path, taken_back, waiting):
    made = record(tmp_path)
    made.end("preflight", ok("001", "002"))
    made.end("apply", ok(returned("001", 1), returned("002", 2)))
    assert made.content["rows_waiting"] == 3
    made.end("verify", failed("wrong"))
    kept = [{"version": version, "schema_restored": True, "statements": []} for version in taken_back]
    made.end("emergency_rollback", ok(*kept))
    assert made.content["rows_waiting"] == waiting


def test_a_failure_is_not_hidden_by_rows_that_wait(tmp_path):
    made = record(tmp_path)
    made.end("preflight", ok("001"))
    made.end("apply", ok(returned("001", 1)))
    made.end("verify", failed("wrong"))
    made.conclude(fail_on_held_back=True)
    assert (made.content["reason"], made.content["reason_code"]) == ("wrong", "statement_failed")
