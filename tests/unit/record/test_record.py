# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file run.json."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.record.records import failed, ok, on_disk, record, run_until, settled


def test_a_run_killed_in_a_step_says_which(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "backup")
    made.begin("backup")
    content = on_disk(made)
    assert content["outcome"] == "failed", "never a success before the end"
    assert "has not ended" in content["reason"]
    assert content["reason_code"] == "run_not_ended"
    assert "step backup" in content["reason"]


def test_the_reason_of_a_failure_stays_while_the_rollback_is_at_work(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "verify")
    made.end("verify", failed("verify says no"))
    made.begin("emergency_backup")
    assert on_disk(made)["reason"] == "verify says no"


def test_a_later_process_goes_on_with_the_record(tmp_path: Path) -> None:
    run_until(record(tmp_path), "backup")
    again = record(tmp_path)
    assert [step["step"] for step in again.content["steps"]] == ["preflight", "maintenance_window"]
    assert again.content["migrations"] == ["009"]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    made = record(tmp_path, writes=False)
    made.begin("preflight")
    made.end("preflight", ok("009"))
    made.end("backup", ok())
    settled(made, "stopped")
    assert list(tmp_path.iterdir()) == []


def test_receipts_are_mirrored_in_order(tmp_path: Path) -> None:
    made = run_until(record(tmp_path), "backup")
    made.end("backup", ok(receipt="d2"))
    names = sorted(path.name for path in (made.folder / "receipts").iterdir())
    assert names == ["01_preflight.json", "02_maintenance_window.json", "03_backup.json"]
    assert json.loads((made.folder / "receipts" / "03_backup.json").read_text())["digest"] == "d2"
    assert on_disk(made)["steps"][-1]["receipt"] == "d2"


def test_every_step_of_the_file_has_the_public_keys(tmp_path: Path) -> None:
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
