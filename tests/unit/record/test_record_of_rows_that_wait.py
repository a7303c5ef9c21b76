# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that were held back, in run.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.record.outcome import (
    succeeded,
)

from tests.unit.record.records import ALL_STEPS, failed, ok, record, settled


def returned(version: Any, held_back: Any) -> dict[Any, Any]:
    item = {"item": 1, "table": "public.tag", "kind": "dropped table", "returned": 7, "held_back": held_back}
    return {
        "version": version,
        "statements": [],
        "salvage_returned": [{**item, "reasons": {"its row is gone": held_back}}] if held_back else [],
    }


def deployed(tmp_path: Path, *held_back: Any, fail: bool = False) -> Any:
    """A deploy of 001 ... of each of which so many rows were held back."""
    versions = [f"{number:03d}" for number in range(1, len(held_back) + 1)]
    made = record(tmp_path)
    for step in ALL_STEPS["deploy"]:
        found = list(map(returned, versions, held_back)) if step == "apply" else []
        made.end(step, ok(*found) if found else ok(*(versions if step == "preflight" else [])))
    settled(made, fail_on_held_back=fail)
    return made.content


@pytest.mark.parametrize(("held_back", "waiting"), [([0], 0), ([3], 3), ([3000, 0, 15], 3015)])
def test_rows_that_were_held_back_are_counted(tmp_path: Path, held_back: list[Any], waiting: int) -> None:
    run = deployed(tmp_path, *held_back)
    assert run["rows_waiting"] == waiting
    assert (run["outcome"], run["reason"], run["reason_code"]) == ("deployed", None, None)
    assert succeeded(run)


def test_a_deploy_may_be_asked_to_fail_where_rows_wait(tmp_path: Path) -> None:
    run = deployed(tmp_path, 3015, fail=True)
    assert (run["outcome"], run["failed_step"], run["reason_code"]) == ("deployed", None, "rows_held_back")
    assert run["reason"].startswith("The migration is deployed, and 3,015 rows wait that a rollback had kept")
    assert not succeeded(run)
    assert succeeded(deployed(tmp_path / "other", 0, fail=True))


@pytest.mark.parametrize(("taken_back", "waiting"), [(["001"], 2), (["002", "001"], 0)])
def test_what_was_taken_back_waits_for_the_next_deploy(
    tmp_path: Path, taken_back: list[Any], waiting: int
) -> None:
    made = record(tmp_path)
    made.end("preflight", ok("001", "002"))
    made.end("apply", ok(returned("001", 1), returned("002", 2)))
    assert made.content["rows_waiting"] == 3
    made.end("verify", failed("wrong"))
    kept = [{"version": version, "schema_restored": True, "statements": []} for version in taken_back]
    made.end("emergency_rollback", ok(*kept))
    assert made.content["rows_waiting"] == waiting


def test_a_failure_is_not_hidden_by_rows_that_wait(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.end("preflight", ok("001"))
    made.end("apply", ok(returned("001", 1)))
    made.end("verify", failed("wrong"))
    settled(made, fail_on_held_back=True)
    assert (made.content["reason"], made.content["reason_code"]) == ("wrong", "statement_failed")
