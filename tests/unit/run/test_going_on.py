# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of a run that stops until others have approved it, and is resumed by another command."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.junit import as_junit
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.page import facts_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.going_on import (
    refuse_to_go_on,
    resumed_migration,
    told_of_waiting,
    waits,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.skipping import reason_to_skip

from tests.record_schema import check_record
from tests.unit.record.records import ok, record, settled

NEEDED = {"required": 1, "why": ["approvals_required is 1"], "max_age_hours": 24}
FACTS = {**NEEDED, "receipt": "d1", "until": "2026-01-02T00:00:00Z", "given": [], "void": []}
STOPPED = {
    "failed": True,
    "outcome": "awaiting_approval",
    "reason_code": "approvals_missing",
    "msg": "Run run-1 needs 1 approval.",
    "details": {"approval": FACTS},
    "started": "2026-01-01T00:01:00.000000Z",
    "seconds": 0.5,
    "receipts": [],
}


def waiting(tmp_path: Any, *migrations: str) -> Any:
    made = record(tmp_path)
    made.end("preflight", ok(*(migrations or ("009",)), approvals=NEEDED))
    for step in ("maintenance_window", "backup", "verify_restore", "rehearse"):
        made.end(step, ok())
    made.end("approval", STOPPED)
    settled(made, "Run run-1 needs 1 approval.", "approvals_missing")
    return made


def test_it_waits(tmp_path: Any) -> None:
    content = waiting(tmp_path).content
    content["operator"] = "ann@laptop"
    check_record(content)
    assert waits(content)
    assert (content["outcome"], content["failed_step"]) == ("awaiting_approval", None)
    assert (content["reason_code"], content["reason"]) == ("approvals_missing", "Run run-1 needs 1 approval.")
    assert content["approval"] == FACTS
    assert content["steps"][-1]["status"] == "waiting"
    assert "<skipped message=" in as_junit(content)
    assert 'failures="0"' in as_junit(content)


def test_it_goes_on_and_ends_as_deployed(tmp_path: Any) -> None:
    made = waiting(tmp_path)
    made.go_on()
    assert not waits(made.content)
    made.end("approval", {**ok(approval=FACTS), "started": "2026-01-01T09:00:00.000000Z"})
    assert made.content["reason_code"] == "run_not_ended"
    for step in ("preflight", "backup", "verify_restore", "rehearse", "files_check", "approval"):
        assert reason_to_skip(step, made, automatic=False) == "it was done before the run was approved"
    assert reason_to_skip("maintenance_window", made, automatic=False) is None
    for step in ("maintenance_window", "apply", "verify", "smoke_test"):
        made.end(step, {**ok(), "started": "2026-01-01T09:00:01.000000Z"})
    settled(made)
    assert (made.content["outcome"], made.content["reason_code"]) == ("deployed", None)
    assert facts_of(made.content, "run.json")["total"] < 120, "the night in between is not on the time line"


@pytest.mark.parametrize(
    ("approvals", "skipped"), [(None, "no approval is needed"), (NEEDED, None)], ids=["none", "one"]
)
def test_the_stop_is_skipped_where_nothing_is_needed(tmp_path: Any, approvals: Any, skipped: Any) -> None:
    made = record(tmp_path)
    made.end("preflight", ok("009", **({"approvals": approvals} if approvals else {})))
    assert reason_to_skip("approval", made, automatic=False) == skipped


def test_what_may_be_resumed(tmp_path: Any) -> None:
    made = waiting(tmp_path)
    assert refuse_to_go_on(made, "") is None
    assert refuse_to_go_on(made, "009") is None
    another = refuse_to_go_on(made, "010")
    assert (another["failed"], another["reason_code"]) == (True, "run_not_waiting")
    assert "Run run-1 is about 009, and the command names 010." in another["msg"]
    new = record(tmp_path, run_id="run-2")
    assert refuse_to_go_on(new, "009") == {
        "changed": False,
        "skipped": True,
        "skip_reason": "it is a new run",
    }
    assert refuse_to_go_on(new, "")["reason_code"] == "record_unusable"
    other = record(tmp_path, run_id="run-3")
    other.end("preflight", ok("009"))
    assert refuse_to_go_on(other, "009")["skipped"]


def test_what_a_run_is_about_that_is_resumed(tmp_path: Any) -> None:
    assert resumed_migration(waiting(tmp_path).content) == "009"
    assert resumed_migration(waiting(tmp_path, "009", "010").content) == "pending"


def test_what_is_told_where_it_waits_on(tmp_path: Any) -> None:
    made = waiting(tmp_path)
    still = told_of_waiting("announce", made, {"reason": "still", "reason_code": "approvals_missing"}, False)
    assert (still["succeeded"], still["waits_on"], still["run"]["reason"]) == (False, True, "still")
    assert any("deploy.yml -e run_id=run-1" in line for line in still["report"])
    looked = told_of_waiting("announce", made, {}, True)
    assert looked["succeeded"]
    assert told_of_waiting("apply", made, {}, True)["skipped"]
    assert told_of_waiting("apply", made, {}, False) is None
    assert told_of_waiting("announce", made, {"reason": "x", "reason_code": "schema_drifted"}, False) is None
