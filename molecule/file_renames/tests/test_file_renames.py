# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on disk go forward and back with the database, and what users did to them stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

VERSION = "update_normalized_filenames"


@pytest.fixture
def runs(scenario_state) -> dict[str, dict]:
    """Return the records of the deploy and of the rollback, by playbook."""
    records = [json.loads(path.read_text()) for path in (scenario_state / "artifacts").glob("2*/run.json")]
    return {record["playbook"]: record for record in records}


@pytest.fixture
def listed(scenario_state):
    """Return a function that reads a list of files that tasks/list_files.yml wrote: path -> (mode, inode)."""

    def read(name: str) -> dict[str, tuple[str, str]]:
        parts = (scenario_state / "lists" / name).read_text(encoding="utf-8").split("\0")[:-1]
        return {
            path: (mode, inode)
            for path, mode, inode in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
        }

    return read


def rows(snapshot: dict) -> dict[int, str]:
    """Path below the library of each row, by id."""
    content = snapshot["tables"]["public.files"]
    number, path = content["columns"].index("id"), content["columns"].index("filepath")
    return {
        int(row[number]): row[path].removeprefix("/library/")
        for row in content["rows"]
        if not row[path].startswith("C:")
    }


def on_disk(library: Path) -> dict[str, str]:
    return {str(path.relative_to(library)): path.read_text() for path in library.rglob("*") if path.is_file()}


def test_obstacle_is_named_before_production_is_changed(record_of, snapshot_of, listed):
    run = record_of("obstacle")
    assert (run["outcome"], run["failed_step"]) == ("refused", "files_check")
    assert "odd/six.mid exists already, so odd/six .mid cannot get its name" in run["reason"]
    assert "Obstacles (1)" in run["reason"]
    assert (
        snapshot_of("obstacle")["tables"]["public.files"] == snapshot_of("before")["tables"]["public.files"]
    )
    assert set(listed("obstacle")) == {
        *rows(snapshot_of("before")).values(),
        "odd/six.mid",
        "odd/cover art.jpg",
    }


def test_deploy_renamed_the_files(runs, snapshot_of, listed):
    before, deployed = rows(snapshot_of("before")), rows(snapshot_of("deployed"))
    changed = [number for number in before if before[number] != deployed[number]]
    assert len(changed) > 20
    assert set(listed("deployed")) == {*deployed.values(), "odd/cover art.jpg"}
    for number in before:
        assert listed("deployed")[deployed[number]] == listed("obstacle")[before[number]], before[number]
    run = runs["deploy"]
    assert (run["outcome"], run["steps"][-1]["step"], run["steps"][-1]["status"]) == (
        "deployed",
        "files_rename",
        "ok",
    )
    found = run["files"]["hosts"]["media1"]
    assert (found["renamed"], found["missing"], found["extra"]) == (len(changed), 0, 1)
    assert found["extra_files"] == ["odd/cover art.jpg"]


def test_rollback_brought_the_names_back_and_kept_those_of_users(runs, snapshot_of, present, scenario_state):
    before, after = rows(snapshot_of("before")), rows(present("midi_library"))
    assert {path for number, path in after.items() if path != before[number]} == {"odd/my six.mid"}
    files = on_disk(scenario_state / "library")
    assert files.pop("odd/cover art.jpg") == "of a user"
    assert files == {path: f"file {number}" for number, path in after.items()}


def test_files_that_were_left_behind_follow_with_the_next_run(record_of, runs, listed):
    left = record_of("left_behind")
    assert (left["outcome"], left["reason"]) == ("failed", "the run ended before its last step")
    assert left["files"]["hosts"] == {"media1": None}
    assert set(listed("left_behind")) - set(listed("deployed")) == {"odd/my six.mid"}
    run = runs["emergency_rollback"]
    assert (run["outcome"], run["migrations"]) == ("rolled_back", [])
    assert "the files on disk, which were behind, have followed" in run["reason"]
    assert [step["step"] for step in run["steps"]] == ["preflight", "files_rename"]
    assert run["files"]["hosts"]["media1"]["direction"] == "rollback"


def test_receipts_are_in_the_ledger_and_nothing_waits(query, runs):
    receipts = query(
        "midi_library",
        "SELECT step, run_id, status FROM runbook.receipt WHERE step LIKE 'files\\_%' ORDER BY position",
    )
    assert [(step, status) for step, _, status in receipts] == [
        ("files_check", "failed"),
        ("files_check", "ok"),
        ("files_rename", "ok"),
        ("files_rename", "ok"),
    ]
    assert [run_id for _, run_id, _ in receipts[1:]] == [
        runs["deploy"]["run_id"],
        runs["deploy"]["run_id"],
        runs["emergency_rollback"]["run_id"],
    ]
    assert query("midi_library", "SELECT count(*) FROM runbook.path_change") == [(0,)]


def test_journal_is_put_aside_and_private(host, scenario_state):
    folder = scenario_state / "library_state"
    assert host.file(str(folder)).mode == 0o700
    [journal] = folder.iterdir()
    assert journal.name.endswith("-last.journal")
    assert host.file(str(journal)).mode == 0o600
