# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file run.json."""

from __future__ import annotations

import json

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused

from tests.unit.run.records import failed, ok, on_disk, record, run_until


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
        "rows": {"009": {"rows": 3, "tables": {}, "more": 0}},
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


def test_rows_that_a_rollback_does_not_give_back_are_in_the_proof(tmp_path):
    lost = {"table": "public.t", "changed": 100, "columns": {"updated": 100}, "words": "w"}
    proof = {"version": "009", "schema_restored": True, "data_restored": False, "not_given_back": [lost]}
    made = record(tmp_path)
    made.end("rehearse", ok(proof))
    assert on_disk(made)["proof"]["not_given_back"] == {"009": [lost]}
    assert on_disk(made)["proof"]["data_restored"] is False
    back = record(tmp_path, "emergency_rollback", run_id="run-2")
    back.end("emergency_rollback", ok({**proof, "schema_restored": True}))
    assert on_disk(back)["proof"]["data_restored"] is False


def test_what_no_rollback_can_take_back_is_in_the_proof(tmp_path):
    proof = {"version": "009", "schema_restored": True, "data_restored": True, "residue": ["column order t"]}
    for step, made in {
        "rehearse": record(tmp_path),
        "emergency_rollback": record(tmp_path, "emergency_rollback", run_id="run-2"),
    }.items():
        made.end(step, ok(proof))
        assert on_disk(made)["proof"]["residue"] == {"009": ["column order t"]}
        assert on_disk(made)["proof"]["schema_restored"] is True


def test_what_is_said_of_replication_is_kept_once(tmp_path):
    made = run_until(record(tmp_path), "apply")
    for step in ("apply", "verify"):
        made.end(step, {**ok(), "outputs": {"replication": ["s1 lags"]}})
    assert on_disk(made)["replication"] == ["s1 lags"]


def test_on_which_rows_a_rollback_was_rehearsed_is_on_record(tmp_path):
    made = record(tmp_path)
    seen = {
        "compared": {"rows": 20, "tables": {"t": 20}, "more": 0},
        "not_applied": None,
        "refuses": "in use",
    }
    proof = {"version": "009", "schema_restored": True, "data_restored": True, "generated_rows": seen}
    summary = {"rows": 20, "seed": 1, "filled": 1, "unfilled": {}, "ended": None}
    answer = ok(proof)
    answer["outputs"]["generated_rows"] = summary
    made.end("rehearse_from_empty", answer)
    written = on_disk(made)["proof"]
    assert written["rows"] == {"009": {"rows": 20, "tables": {"t": 20}, "more": 0}}
    assert written["generated_rows"] == {
        **summary,
        "not_given_back": {},
        "not_applied": {},
        "refuses": {"009": "in use"},
    }
