# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What run.json says of a run that has ended, for the run that takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.controller import (
    process_start,
    this_controller,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.record import RunRecord
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.taking_over import (
    at_work_elsewhere,
    ended_here,
    may_be_taken_over,
    still_there,
)

from tests.unit.record.records import settled

FACTS = {"playbook": "deploy", "target": "t", "database": "d"}


@pytest.mark.parametrize(
    ("controller", "lease_expired", "because"),
    [
        ({}, True, None),
        ({"process_start": "1"}, False, "gone"),
        ({"process_start": "1"}, True, "gone"),
        ({"boot_id": "another machine"}, False, None),
        ({"boot_id": "another machine"}, True, "unseen"),
        (None, True, "unseen"),
    ],
)
def test_a_process_that_is_there_is_believed_more_than_the_clock(
    controller: dict | None, lease_expired: bool, because: str | None
) -> None:
    holder = {
        "run_id": "r1",
        "playbook": "deploy",
        "migrations": ["002"],
        "operator": "ada@desk",
        "started": "2026-01-01T00:00:00Z",
        "controller": None if controller is None else {**this_controller(), **controller},
        "lease_expired": lease_expired,
    }
    assert may_be_taken_over(holder) == because
    said = still_there(holder)
    assert (said is not None) == (controller == {})
    if said is not None:
        pid = this_controller()["pid"]
        assert (
            f"r1 (deploy of 002) by ada@desk, since 2026-01-01T00:00:00Z. Its controller is alive: process {pid}"
            in said
        )
        assert said.endswith(
            f"or end it (kill {pid}) and type the same command again. If it is sure to do nothing any"
            " more: -e take_over=r1"
        )


def test_only_of_one_that_has_ended(tmp_path: Path) -> None:
    record = RunRecord(str(tmp_path), "run1", FACTS)
    record.end("preflight", {"outputs": {"migrations": ["002"]}})
    assert ended_here(tmp_path, "run1") is None
    record.end("backup", {"failed": True, "reason_code": "disk_full", "msg": "its disk was full"})
    settled(record)
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


@pytest.mark.parametrize(
    ("controller", "ended", "at_work"),
    [
        ({"pid": 1}, None, True),
        ({"pid": 1}, "2026-01-01T00:00:00Z", False),
        ({}, None, False),  # this command itself
        ({"pid": 1, "process_start": "1"}, None, False),  # it is gone
        ({"boot_id": "another machine"}, None, False),  # the ledger knows more
        (None, None, False),  # of an older release
    ],
)
def test_a_run_in_which_another_command_is_at_work_is_not_this_ones(
    controller: dict | None, ended: str | None, at_work: bool
) -> None:
    ours = this_controller()
    content = {"run_id": "r1", "ended": ended, "outcome": "failed"}
    if controller is not None:
        content["controller"] = {
            **ours,
            **({"process_start": process_start(1)} if controller.get("pid") else {}),
            **controller,
        }
    said = at_work_elsewhere(content, ours)
    assert (said is not None) == at_work
    if said is not None:
        assert "Run r1 is at work in another command: process 1 on this machine." in said
