# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which runs have a proven backup, and in which folder its dump is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.restore.source import dump_folder, proven_runs


def test_runs_whose_backup_was_restored_and_compared_are_named_newest_first() -> None:
    chain = [
        ("r1", "verify_restore", "ok"),
        ("r2", "backup", "ok"),
        ("r3", "verify_restore", "failed"),
        ("r4", "verify_restore", "ok"),
        ("r1", "verify_restore", "ok"),
        ("r5", "rehearse", "ok"),
        ("r6", "verify_restore", "ok"),
    ]
    receipts = [dict(zip(("run_id", "step", "status"), one, strict=True), outputs={}) for one in chain]
    assert proven_runs(receipts) == ["r6", "r1", "r4"]
    half_done = {"run_id": "r6", "step": "backup", "status": "ok", "outputs": {"half_done": {"run_id": "r1"}}}
    assert proven_runs([*receipts, half_done]) == ["r1", "r4"], "one of neither state is none"
    assert proven_runs([]) == []


def test_a_dump_is_found_where_its_run_left_it(tmp_path: Path) -> None:
    dump = tmp_path / "r1/backup/dump"
    assert dump_folder(str(tmp_path), "r1") is None
    dump.mkdir(parents=True)
    assert dump_folder(str(tmp_path), "r1") == str(dump)
    dump.rmdir()
    dump.touch()
    assert dump_folder(str(tmp_path), "r1") is None, "a dump is a folder"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../r1", "other/../r1", "/r1", ".r1", "r1/", "r1\n", "r" * 122]
)
def test_a_name_that_is_none_of_a_run_leads_nowhere(tmp_path: Path, name: str) -> None:
    backups = tmp_path / "backups"
    for place in (tmp_path / "r1", backups, backups / "r1", backups / ".r1", backups / ("r" * 122), tmp_path):
        (place / "backup/dump").mkdir(parents=True)
    (backups / "other").mkdir()
    assert dump_folder(str(backups), "r1")
    assert dump_folder(str(backups), name) is None
