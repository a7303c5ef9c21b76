# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another user has planted in backup_dir or artifacts_dir is neither followed, nor written to, nor waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.run_folder import make_run_folder
from ansible_collections.pgops.runbook.plugins.module_utils.own_files import (
    NotOurs,
    is_link_of_another,
    make_own_folder,
    open_regular,
    read_regular,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.artifacts import changed_artifacts
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord

from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns
from tests.plants import PLANTS, as_root, fifo, link, make_victim, untouched

FACTS = {"playbook": "deploy", "target": "t", "database": "d"}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    return make_victim(tmp_path)


@as_root
@pytest.mark.parametrize("plant", PLANTS)
def test_a_run_does_not_take_a_folder_that_it_has_not_made(
    runs: StepRuns, victim: Path, plant: Callable
) -> None:
    runs.backups.mkdir()
    plant(runs.backups / runs.run_id, victim)
    runs.steps("preflight", "maintenance_window")
    answer = runs.step("backup", pg_bindir=runs.server.bindir)
    assert (answer["reason_code"], answer["outcome"]) == ("backup_dir_unusable", "refused"), answer
    assert untouched(victim)


@as_root
@pytest.mark.parametrize("plant", PLANTS)
def test_nor_does_a_rehearsal(runs: StepRuns, victim: Path, plant: Callable) -> None:
    rehearsal = runs.another("rehearse")
    runs.backups.mkdir()
    plant(runs.backups / rehearsal.run_id, victim)
    answer = rehearsal.step("preflight")
    assert (answer["reason_code"], answer["outcome"]) == ("backup_dir_unusable", "refused"), answer
    assert untouched(victim)


@as_root
def test_a_backup_dir_behind_a_link_of_another_is_refused(runs: StepRuns, victim: Path) -> None:
    link(runs.backups, victim)
    answer = runs.step("preflight")
    assert (answer["reason_code"], answer["outcome"]) == ("backup_dir_unusable", "refused"), answer
    assert untouched(victim)
    runs.backups.unlink()
    runs.backups.symlink_to(victim)  # our own, as people put backups on another disk
    runs.must("preflight")


@pytest.mark.parametrize("name", ["manifest.json", "dump/toc.dat"])
@pytest.mark.parametrize("plant", [fifo, lambda path, victim: path.symlink_to(victim / "run.json")])
def test_what_took_the_place_of_a_file_of_the_backup_is_not_read(
    proven: StepRuns, victim: Path, name: str, plant: Callable
) -> None:
    path = proven.backups / proven.run_id / "backup" / name
    path.unlink()
    plant(path, victim)
    restore = Restore(proven)
    answer = restore.step("preflight")
    if not answer.get("failed"):
        answer = restore.step("restore")
    assert answer["failed"], answer
    assert answer["reason_code"] in ("backup_damaged", "backup_missing"), answer


@as_root
@pytest.mark.parametrize("plant", PLANTS)
def test_a_record_is_not_written_where_another_has_planted(
    tmp_path: Path, victim: Path, plant: Callable
) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    plant(artifacts / "run1", victim)
    record = RunRecord(str(artifacts), "run2", FACTS)
    record.begin("preflight")
    with pytest.raises(OSError, match="run1"):
        RunRecord.begin(_of(artifacts, "run1"), "preflight")
    assert untouched(victim)


def _of(artifacts: Path, run_id: str) -> RunRecord:
    """A record as it is made before anything was planted."""
    record = RunRecord(str(artifacts), "another", FACTS)
    record._files.path = artifacts / run_id
    record._files.record = artifacts / run_id / "run.json"
    return record


@as_root
def test_nor_behind_a_link_of_another(tmp_path: Path, victim: Path) -> None:
    link(tmp_path / "artifacts", victim)
    assert is_link_of_another(str(tmp_path / "artifacts"))
    with pytest.raises(NotOurs):
        RunRecord(str(tmp_path / "artifacts"), "run1", FACTS).begin("preflight")
    assert untouched(victim)


def test_the_status_waits_for_no_fifo_and_reads_behind_no_link(tmp_path: Path, victim: Path) -> None:
    artifacts = tmp_path / "artifacts"
    for run_id in ("run1", "run2"):
        (artifacts / run_id / "receipts").mkdir(parents=True)
    os.mkfifo(artifacts / "run1" / "run.json")
    os.mkfifo(artifacts / "run1" / "receipts" / "01_preflight.json")
    (artifacts / "run2" / "run.json").symlink_to(victim / "run.json")
    (artifacts / "run2" / "receipts" / "01_preflight.json").symlink_to(victim / "run.json")
    run = {"record_sha256": "0", "receipts": []}
    found = changed_artifacts(str(artifacts), {"identity": {}, "runs": {"run1": run, "run2": run}})
    assert [one.rpartition(" is not as ")[0].rpartition("/")[2] for one in found] == [
        "run.json",
        "01_preflight.json",
    ] * 2
    assert not any("precious" in one for one in found)


def test_what_is_ours_is_taken_and_what_is_a_file_is_read(tmp_path: Path) -> None:
    make_own_folder(str(tmp_path / "run1"))
    make_own_folder(str(tmp_path / "run1"))
    make_run_folder(str(tmp_path / "not there yet" / "run1"))
    (tmp_path / "file").write_text("ä", encoding="utf-8")
    assert read_regular(str(tmp_path / "file")) == "ä"
    with open_regular(str(tmp_path / "file")) as opened:
        assert opened.read() == "ä".encode()
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "none"))
    with pytest.raises(NotOurs):
        read_regular(str(tmp_path))
