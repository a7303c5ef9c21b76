# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of a run, on the controller."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import digest_of_record
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import ending, handing_on
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.ending import end_run, note_unannounced

from tests.unit.record.records import failed, ok, on_disk, record, run_until, settled

OPTIONS = {"run": {"playbook": "deploy", "migration": "009", "run_id": "run-1"}, "target": {}}


class LedgerThatAnswers:
    """Stands for the module of the step announce, which other tests run for real."""

    def __init__(self, **answer: Any) -> None:
        self.answer, self.told = answer, []

    def __call__(self, options: Any) -> dict[Any, Any]:
        self.told.append(options)
        return dict(self.answer)


def test_the_ledger_is_told_what_the_record_says(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "apply")
    made.end("apply", failed("it did not work", outcome="unchanged"))
    ledger = LedgerThatAnswers(changed=True)
    result = end_run(made, OPTIONS, ledger)
    (told,) = ledger.told
    assert told["outcome"] == on_disk(made)["outcome"] == "unchanged"
    assert told["reason"] == "it did not work"
    assert told["record_sha256"] == made.digest()
    assert result["changed"] is True
    assert result["succeeded"] is False


def test_a_ledger_that_cannot_be_closed_is_a_warning_beside_the_outcome(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    result = end_run(made, OPTIONS, LedgerThatAnswers(failed=True, msg="the server is away"))
    assert result["run"]["outcome"] == "deployed"
    (said,) = result["warnings"]
    assert said.startswith("That the run has ended is not in the ledger, where the next command writes it:")
    assert "the server is away" in said
    assert on_disk(made)["ledger_unclosed"] == said


def test_a_module_that_was_killed_as_it_closed_the_run_is_named(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    killed = {
        "failed": True,
        "rc": -9,
        "msg": "Module result deserialization failed: No start of json char found",
    }
    result = end_run(made, OPTIONS, LedgerThatAnswers(**killed))
    (said,) = result["warnings"]
    assert "was killed by signal 9 (SIGKILL)" in said
    assert on_disk(made)["ledger_unclosed"] == said


def test_a_run_without_a_receipt_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = record(tmp_path)

    def closed() -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(made, "save", closed)
    result = end_run(
        made, {**OPTIONS, "reason": "artifacts_dir cannot be written"}, LedgerThatAnswers(changed=True)
    )
    assert (
        "Permission denied. No step has left a receipt, and the ledger has nothing" in result["run"]["reason"]
    )
    assert result["report"][-1] == "Record: could not be written; the ledger has nothing of this run either"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("step_killed", 1),
        ("step_crashed", 1),
        ("migration_unknown", 0),
        ("host_unreachable", 1),
        ("postgresql_error", 1),  # its session was ended, perhaps at the answer to COMMIT
    ],
)
def test_the_ledger_is_told_of_a_preflight_that_died_since_nobody_knows_what_it_had_committed(
    tmp_path: Path, code: str, told: int
) -> None:
    made = record(tmp_path, playbook="restore")
    made.end("preflight", failed(code=code))
    ledger = LedgerThatAnswers(changed=False)
    end_run(made, {"run": {**OPTIONS["run"], "playbook": "restore"}}, ledger)
    assert len(ledger.told) == told


def test_check_mode_says_what_would_be_done_and_tells_nobody(tmp_path: Path) -> None:
    ledger = LedgerThatAnswers(changed=True)
    result = end_run(record(tmp_path, writes=False), {**OPTIONS, "preflight_done": True}, ledger)
    assert result["run"]["outcome"] == "checked"
    assert "would be: maintenance_window, backup" in result["report"][0]
    assert ledger.told == []


def test_check_mode_in_which_nothing_was_looked_at_is_no_success(tmp_path: Path) -> None:
    result = end_run(record(tmp_path, writes=False), OPTIONS, LedgerThatAnswers())
    assert (result["succeeded"], result["run"]["outcome"]) == (False, "refused")
    assert result["run"]["reason_code"] == "chain_incomplete"
    assert "Preflight was left out" in result["report"][0]


def test_a_record_that_cannot_be_written_is_said_with_the_place_of_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run_until(record(tmp_path), "announce")

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made, "save", full)
    result = end_run(made, OPTIONS, LedgerThatAnswers(changed=True))
    assert result["run"]["reason_code"] == "artifacts_dir_unwritable"
    assert "No space left on device. The ledger in the database has all receipts" in result["run"]["reason"]


def test_the_ledger_is_told_of_the_reports_by_the_digest_of_the_record_that_lists_them(
    tmp_path: Path,
) -> None:
    made = run_until(record(tmp_path), "announce")
    ledger = LedgerThatAnswers()
    result = end_run(made, OPTIONS, ledger)
    listed = on_disk(made)["artifacts"]
    for path in result["report_files"]:
        name = str(Path(path).relative_to(made.folder))
        assert listed[name] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert {"report.html", "report.md", "junit.xml"} < set(listed)
    assert ledger.told[0]["record_sha256"] == digest_of_record(on_disk(made))


def test_an_attempt_that_has_no_folder_yet_has_its_reports_too(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    settled(made)
    attempt = made.successor("run-2")
    result = end_run(attempt, OPTIONS, LedgerThatAnswers())
    assert "warnings" not in result
    assert {Path(path).parent for path in result["report_files"]} == {attempt.folder}


def test_reports_that_cannot_be_written_are_not_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run_until(record(tmp_path), "announce")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ending, "write_reports", full)
    result = end_run(made, OPTIONS, LedgerThatAnswers())
    assert result["warnings"] == ["The report could not be written: No space left on device."]
    assert result["run"]["outcome"] == "deployed"
    assert not {"report.html", "report.md", "junit.xml"} & set(on_disk(made)["artifacts"])


def test_the_metrics_are_where_they_are_wanted(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    result = end_run(made, {**OPTIONS, "metrics_dir": str(tmp_path)}, LedgerThatAnswers())
    assert "warnings" not in result
    (path,) = tmp_path.glob("*.prom")
    assert (
        'pgops_runbook_run_success{target="library",database="midi",playbook="deploy"} 1' in path.read_text()
    )


def test_metrics_that_cannot_be_written_are_a_warning(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    gone = str(tmp_path / "gone")
    result = end_run(made, {**OPTIONS, "metrics_dir": gone}, LedgerThatAnswers())
    assert result["succeeded"] is True
    assert result["warnings"] == [f"The metrics could not be written to {gone}: No such file or directory."]


def test_that_nobody_was_told_is_added_to_a_record_that_is_closed(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "announce")
    end_run(made, OPTIONS, LedgerThatAnswers())
    result = note_unannounced(made, [{"event": "end", "reason": "exit status 1"}])
    assert result["warnings"] == ["Nobody was told of the end: exit status 1"]
    assert on_disk(made)["unannounced"][0]["reason"] == "exit status 1"


def test_a_record_that_cannot_be_written_is_handed_on(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "verify")
    full = OSError(28, "No space left on device")
    went_well, went_wrong = ok("009"), failed()
    handing_on.hand_on(made, full, went_well)
    handing_on.hand_on(made, full, went_wrong)
    assert "No space left on device" in went_well["warnings"][0]
    assert handing_on.carried({"ansible_facts": went_well["ansible_facts"]}) == [made.content]
    assert handing_on.carried({"runbook_record": went_wrong["runbook_record"]}) == [made.content]
    assert handing_on.carried({}) == []


def test_a_variable_that_cannot_be_used_has_its_code_and_the_migration_that_was_asked_for(
    tmp_path: Path,
) -> None:
    wrong = (
        "Validation of arguments failed:\nvalue of maintenance_mode must be one of: none, block, got: bogus"
    )
    made = record(tmp_path)
    end_run(made, {**OPTIONS, "reason": wrong}, LedgerThatAnswers())
    assert (made.content["outcome"], made.content["reason_code"]) == ("refused", "setting_invalid")
    assert made.content["reason"].startswith("A variable cannot be used: value of maintenance_mode must be")
    assert made.content["migrations"] == ["009"]
