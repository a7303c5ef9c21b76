# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs whose migrations change paths of files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.record.records import ALL_STEPS, failed, ok, on_disk, record, result_of, settled


def with_files(
    tmp_path: Path, playbook: str = "deploy", hosts: Any = ("media1",), migrations: Any = ("names",)
) -> Any:
    """A run whose migration asks for the files, up to that step."""
    made = record(tmp_path, playbook)
    outputs = {"migrations": list(migrations), "files": ["names"]}
    made.end("preflight", {**ok(), "outputs": outputs, "library_hosts": list(hosts)})
    for step in ALL_STEPS[playbook][1:] if migrations else ():
        made.end(step, result_of(step))
    return made


def followed(host: str = "media1") -> dict[Any, Any]:
    facts = {"library_host": host, "renamed": 3, "rows": 9, "missing": 0, "extra": 0, "extra_files": []}
    return {**ok(), "outputs": {**facts, "direction": "deploy"}}


@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback"])
def test_a_run_with_files_ends_when_every_host_has_followed(tmp_path: Path, playbook: str) -> None:
    made = with_files(tmp_path, playbook, hosts=("media1", "media2"))
    made.end("files_rename", followed("media1"))
    settled(made)
    assert (on_disk(made)["outcome"], on_disk(made)["reason"]) == (
        "failed",
        "the run ended before its last step",
    )
    made.end("files_rename", followed("media2"))
    settled(made)
    assert on_disk(made)["outcome"] == {"deploy": "deployed", "emergency_rollback": "rolled_back"}[playbook]
    assert on_disk(made)["files"]["hosts"]["media2"]["renamed"] == 3


def test_without_a_library_nothing_waits_for_files(tmp_path: Path) -> None:
    made = with_files(tmp_path, hosts=())
    settled(made)
    assert on_disk(made)["outcome"] == "deployed"
    assert not made.files_follow()
    assert on_disk(made)["files"] == {"migrations": ["names"], "hosts": {}}


def test_a_run_that_only_ends_the_renaming_is_open_in_the_ledger(tmp_path: Path) -> None:
    made = with_files(tmp_path, migrations=())
    assert made.is_open_in_ledger()
    made.end("files_rename", followed())
    settled(made)
    content = on_disk(made)
    assert content["outcome"] == "deployed"
    assert content["reason"] == "the database had it; the files on disk, which were behind, have followed"


@pytest.mark.parametrize("outcome", ["failed", "refused"])
@pytest.mark.parametrize("playbook", ["deploy", "emergency_rollback"])
def test_files_that_cannot_follow_are_no_refusal(tmp_path: Path, playbook: str, outcome: str) -> None:
    """The database has been changed: to call it untouched would be wrong."""
    made = with_files(tmp_path, playbook)
    made.end("files_rename", failed("library_root is gone", outcome))
    settled(made)
    assert (on_disk(made)["outcome"], on_disk(made)["failed_step"]) == ("failed", "files_rename")


@pytest.mark.parametrize("files_come_back", [True, False])
def test_after_an_automatic_rollback_the_files_have_to_come_back_too(
    tmp_path: Path, files_come_back: bool
) -> None:
    made = with_files(tmp_path)
    made.end("files_rename", failed("a.mid exists already"))
    made.end("emergency_backup", ok())
    made.end("emergency_rollback", result_of("emergency_rollback"))
    made.end("files_rename", followed() if files_come_back else failed("the disk is gone"))
    settled(made)
    content = on_disk(made)
    assert content["failed_step"] == "files_rename"
    if files_come_back:
        assert (content["outcome"], content["reason"]) == ("rolled_back", "a.mid exists already")
    else:
        assert content["outcome"] == "failed"
        assert "but the files have not followed: the disk is gone" in content["reason"]
