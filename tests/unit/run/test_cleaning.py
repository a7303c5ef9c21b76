# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""At the end of a run a cleanup changes nothing of how it ended: what goes wrong is a warning, here and in run.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.cleaning import (
    clean_after_run,
    with_artifacts,
)

from tests.record_schema import check_record
from tests.unit.record.records import on_disk, record, run_until, settled


def outputs(**found: Any) -> dict[str, Any]:
    return {
        "check_mode": False,
        "backup_keep": {"count": 1},
        "artifacts_keep": {"count": 1},
        "removed": [],
        "ended": [],
        "kept": [],
        "left_alone": [],
        "warnings": [],
        "backups": [],
        "needed": {},
        "waiting": [],
        **found,
    }


def ended(tmp_path: Path, run_id: str = "run-2") -> Any:
    made = run_until(record(tmp_path, run_id=run_id), "announce")
    settled(made)
    return made


def test_what_went_is_said_and_recorded_and_the_record_is_still_the_one_that_the_ledger_knows(
    tmp_path: Path,
) -> None:
    ended(tmp_path, "run-1")
    made = ended(tmp_path)
    digest = made.digest()
    gone = [{"run_id": "run-0", "bytes": 2048, "age_days": 3.0, "proven": True}]
    result = clean_after_run(made, lambda: {"changed": True, "outputs": outputs(removed=gone)})
    assert (result["changed"], result["warnings"], len(result["report"])) == (True, [], 2)
    cleanup = on_disk(made)["cleanup"]
    assert cleanup["backups"] == [{"run_id": "run-0", "bytes": 2048}]
    assert [one["run_id"] for one in cleanup["artifacts"]] == ["run-1"]
    check_record(on_disk(made))
    assert made.digest() == digest


def test_artifacts_go_although_no_backup_did(tmp_path: Path) -> None:
    ended(tmp_path, "run-1")
    result = {"changed": False, "outputs": outputs()}
    with_artifacts(result, ended(tmp_path))
    assert result["changed"] is True
    with_artifacts(result := {"changed": False, "outputs": outputs()}, ended(tmp_path))
    assert result["changed"] is False


def refuse() -> dict[str, Any]:
    return {"failed": True, "msg": "backup_dir cannot be looked into", "reason_code": "backup_dir_unusable"}


def crash() -> dict[str, Any]:
    raise ZeroDivisionError("of ours")


def warn() -> dict[str, Any]:
    return {"changed": False, "outputs": outputs(warnings=["/backups/x was not removed: Permission denied."])}


@pytest.mark.parametrize(
    ("execute", "said"),
    [
        (refuse, "backup_dir cannot be looked into"),
        (crash, "ZeroDivisionError"),
        (warn, "/backups/x was not removed"),
    ],
)
def test_what_goes_wrong_is_a_warning(tmp_path: Path, execute: Any, said: str) -> None:
    made = ended(tmp_path)
    result = clean_after_run(made, execute)
    assert not result.get("failed")
    (warning,) = result["warnings"]
    assert said in warning
    assert on_disk(made)["cleanup"]["warnings"] == [warning]
    assert on_disk(made)["outcome"] == "deployed"
    check_record(on_disk(made))


def test_artifacts_that_cannot_be_written_are_one_more_warning(tmp_path: Path) -> None:
    made = ended(tmp_path)
    made.path.unlink()
    made.path.mkdir()
    assert "could not be written" in clean_after_run(made, refuse)["warnings"][-1]


def test_nothing_is_asked_in_check_mode_nor_of_a_run_that_preflight_refused(tmp_path: Path) -> None:
    for made in (record(tmp_path, writes=False), record(tmp_path)):
        assert clean_after_run(made, crash) == {"changed": False, "report": []}
