# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of a run among the artifacts."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.run_folder import RunFolder

from tests.unit.record.records import record


def test_what_is_written_is_read_and_nothing_is_made_before(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path / "artifacts"), "run-1")
    assert folder.read() is None
    assert list(tmp_path.iterdir()) == []
    folder.write({"run_id": "run-1", "target": "Büchersaal"})
    assert RunFolder(str(tmp_path / "artifacts"), "run-1").read() == {
        "run_id": "run-1",
        "target": "Büchersaal",
    }
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]


def test_latest_points_to_the_newest_run(tmp_path: Path) -> None:
    for run_id in ("20260101T000000Z-a", "20260103T000000Z-a", "20260102T000000Z-a"):
        record(tmp_path, run_id=run_id).begin("preflight")
    latest = tmp_path / "artifacts" / "latest"
    assert latest.is_symlink()
    assert latest.resolve().name == "20260103T000000Z-a"
    assert [path.name for path in latest.parent.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_record_is_not_taken_for_a_new_run(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.begin("preflight")
    made.path.write_text("{half a fi", encoding="utf-8")
    with pytest.raises(Refused, match=r"run\.json of this run is damaged"):
        record(tmp_path)


@pytest.fixture
def largest_file() -> Iterator[None]:
    """No file of this process gets larger than 100 bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_leaves_the_record_before_it_and_no_part(
    tmp_path: Path, largest_file: None
) -> None:
    folder = RunFolder(str(tmp_path / "artifacts"), "run-1")
    folder.write({"run_id": "run-1"})
    with pytest.raises(OSError, match="File too large"):
        folder.write({"run_id": "run-1", "reason": "because " * 20})
    assert folder.read() == {"run_id": "run-1"}
    assert [path.name for path in folder.path.iterdir()] == ["run.json"]
