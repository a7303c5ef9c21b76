# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What run.json says of a run that has ended, for the run that takes its place."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pgops.runbook.plugins.plugin_utils.run.record import RunRecord
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.taking_over import ended_here

FACTS = {"playbook": "deploy", "target": "t", "database": "d"}


def test_only_of_one_that_has_ended(tmp_path: Path) -> None:
    record = RunRecord(str(tmp_path), "run1", FACTS)
    record.end("preflight", {"outputs": {"migrations": ["002"]}})
    assert ended_here(tmp_path, "run1") is None
    record.end("backup", {"failed": True, "reason_code": "disk_full", "msg": "its disk was full"})
    record.conclude()
    assert ended_here(tmp_path, "run1") == {
        "run_id": "run1",
        "outcome": "refused",
        "reason": "its disk was full",
        "record_sha256": record.digest(),
    }


def test_of_one_that_is_not_here_or_damaged_nothing_is_known(tmp_path: Path) -> None:
    assert ended_here(tmp_path, "run1") is None
    (tmp_path / "run2").mkdir()
    (tmp_path / "run2" / "run.json").write_text("{")
    assert ended_here(tmp_path, "run2") is None
