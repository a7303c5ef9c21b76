# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A backup that was proven is looked at again before somebody relies on it, and not advised where it is gone."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup import still_there
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles

from tests.integration.production.applied import AUTHOR
from tests.integration.step_runs import StepRuns


def folder_of(runs: StepRuns, name: str = "backup") -> Path:
    return Path(BackupFiles(str(runs.backups), runs.run_id, name).folder)


def some_file(folder: Path) -> Path:
    """The largest of the dump."""
    return max((folder / "dump").iterdir(), key=lambda path: path.stat().st_size)


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder)


def remove_dump(folder: Path) -> None:
    shutil.rmtree(folder / "dump")


def remove_one(folder: Path) -> None:
    some_file(folder).unlink()


def cut_off(folder: Path) -> None:
    os.truncate(some_file(folder), 10)


def change_a_bit(folder: Path) -> None:
    """As a disk does it: neither size nor time tell."""
    path = some_file(folder)
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def add_one(folder: Path) -> None:
    (folder / "dump" / "9999.dat.gz").write_bytes(b"")


def edit_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"rows"', '"ROWS"', 1))


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def link_to_elsewhere(folder: Path) -> None:
    path = some_file(folder)
    elsewhere = folder.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


DAMAGE: list[tuple[Callable[[Path], None], str, str]] = [
    (remove_all, "backup_missing", "is no longer on the host where this runs."),
    (remove_dump, "backup_damaged", "dump is missing."),
    (remove_one, "backup_damaged", " is missing."),
    (cut_off, "backup_damaged", " is changed."),
    (change_a_bit, "backup_damaged", " is changed."),
    (add_one, "backup_damaged", "9999.dat.gz is new."),
    (edit_manifest, "backup_damaged", "was changed after it was written"),
    (remove_manifest, "backup_damaged", "cannot be read"),
    (link_to_elsewhere, "backup_damaged", " is changed."),
]


def refused(runs: StepRuns, answer: dict[str, Any], code: str, said: str) -> None:
    assert (answer["outcome"], answer["reason_code"], runs.ask(AUTHOR)) == ("refused", code, [])
    assert said in answer["msg"], answer["msg"]
    assert "type the same command again" in answer["msg"]


@pytest.mark.parametrize(("damage", "code", "said"), DAMAGE)
def test_nothing_is_applied_without_the_backup(
    runs: StepRuns, damage: Callable[[Path], None], code: str, said: str
) -> None:
    runs.up_to("rehearse")
    damage(folder_of(runs))
    refused(runs, runs.step("apply"), code, said)


def test_of_a_large_one_sizes_and_times_are_looked_at(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.up_to("rehearse")
    monkeypatch.setattr(still_there, "READ_AT_MOST", 1)
    folder = folder_of(runs)
    os.utime(some_file(folder), ns=(time.time_ns(), time.time_ns()))
    refused(runs, runs.step("apply"), "backup_damaged", " is changed.")

    another = runs.another()
    runs.conclude("refused")
    another.up_to("rehearse")
    change_a_bit(folder_of(another))
    cut = folder_of(another)
    another.must("apply")  # what neither size nor time tells is not read again
    assert still_there.fault_in(BackupFiles(str(runs.backups), another.run_id), None) is None
    cut_off(cut)
    fault = still_there.fault_in(BackupFiles(str(runs.backups), another.run_id), None)
    assert fault is not None
    assert fault.code == "backup_damaged"


def rolling_back(deployed: StepRuns, **options: Any) -> StepRuns:
    """A run of emergency_rollback that has made its backup."""
    back = deployed.another("emergency_rollback")
    back.must("preflight")
    back.must("backup", purpose="emergency", pg_bindir=back.server.bindir, **options)
    return back


@pytest.mark.parametrize(("damage", "code", "said"), [DAMAGE[0], DAMAGE[4]])
def test_nothing_is_rolled_back_without_the_backup_made_for_it(
    deployed: StepRuns, damage: Callable[[Path], None], code: str, said: str
) -> None:
    back = rolling_back(deployed)
    damage(folder_of(back, "emergency_backup"))
    answer = back.step("emergency_rollback")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", code)
    assert said in answer["msg"]
    assert "type the same command again" in answer["msg"]
    assert back.ask(AUTHOR), "it is applied still"
    assert "backup_gone" not in answer, "the one from before the deploy is there"


def test_a_rollback_goes_on_with_what_it_keeps_and_with_its_backup(deployed: StepRuns) -> None:
    back = rolling_back(deployed, kind="salvage")
    back.must("emergency_rollback")
    assert back.ask(AUTHOR) == []


def test_a_rollback_that_fails_says_whether_the_backup_from_before_the_deploy_is_gone(
    deployed: StepRuns,
) -> None:
    deployed.write(rollback__002_author_rollback="SELECT 1 / 0;")
    back = deployed.another("emergency_rollback")
    preflight = back.must("preflight", accept_edited_scripts=True)
    assert preflight["outputs"]["restorable_run"] == deployed.run_id
    back.must("backup", purpose="emergency", pg_bindir=back.server.bindir)
    cut_off(folder_of(deployed))
    answer = back.step("emergency_rollback")
    assert answer["reason_code"] not in ("backup_missing", "backup_damaged"), "that is not why it failed"
    assert answer["backup_gone"]["run_id"] == deployed.run_id
    assert " is changed." in answer["backup_gone"]["why"]
    back.conclude("unchanged")

    remove_all(folder_of(deployed))
    preflight = back.another("emergency_rollback").must("preflight", accept_edited_scripts=True)
    assert preflight["outputs"]["restorable_run"] is None, "nobody is told to put it back"


def test_a_server_that_is_away_hides_no_missing_folder(deployed: StepRuns) -> None:
    remove_all(folder_of(deployed))
    answer = deployed.step("emergency_rollback", automatic=True)
    assert answer["backup_gone"]["run_id"] == deployed.run_id
    deployed.connection = {"login_port": 1}
    answer = deployed.step("emergency_rollback", automatic=True)
    assert answer["reason_code"] == "server_unreachable"
    assert "is no longer on the host" in answer["backup_gone"]["why"]


def test_the_status_says_that_the_newest_backup_is_gone(deployed: StepRuns) -> None:
    def status() -> Any:
        return deployed.another("status").must("status")["outputs"]["backup_gone"]

    assert status() is None
    folder = folder_of(deployed)
    kept = folder.rename(folder.with_name("elsewhere"))
    found = status()
    assert found["run_id"] == deployed.run_id
    assert f"{folder} is no longer" in found["why"]
    kept.rename(folder)
    assert status() is None
    change_a_bit(folder)
    assert " is changed." in status()["why"]
    shutil.rmtree(folder)
    deployed.execute("UPDATE runbook.run SET backup_removed = now()")
    assert status() is None, "a cleanup has removed it, and has said so"


def test_a_database_without_a_proven_backup_has_none_to_miss(runs: StepRuns) -> None:
    assert runs.another("status").must("status")["outputs"]["backup_gone"] is None
    runs.up_to("backup")
    shutil.rmtree(folder_of(runs))
    assert runs.another("status").must("status")["outputs"]["backup_gone"] is None
