# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The history has all runs of the ledger, the newest first, each with its steps."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.history import read_history
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection

from tests.integration.step_runs import StepRuns


def history(runs: StepRuns, **options: Any) -> list[dict[str, Any]]:
    answer = runs.another("history").must("history", **options)
    assert not answer["changed"]
    return answer["outputs"]["runs"]


def test_a_database_without_a_ledger_has_none(connection: Connection) -> None:
    with connection.cursor() as cursor:
        assert read_history(cursor, 10) == []


def test_a_run_that_has_ended(deployed: StepRuns) -> None:
    (run,) = history(deployed)
    assert (run["run_id"], run["playbook"], run["migrations"]) == (deployed.run_id, "deploy", ["002"])
    assert (run["outcome"], bool(run["finished"])) == ("deployed", True)
    names = [step["step"] for step in run["steps"]]
    assert (names[0], names[-1]) == ("preflight", "smoke_test")
    assert {"backup", "verify_restore", "rehearse", "apply", "verify"} < set(names)
    assert {step["status"] for step in run["steps"]} == {"ok"}
    assert sum(step["seconds"] for step in run["steps"]) > 0


def test_the_newest_comes_first_and_one_may_not_have_ended(deployed: StepRuns) -> None:
    open_run = deployed.another("deploy", "003")
    open_run.must("preflight")
    newest, before = history(deployed)
    assert (newest["run_id"], newest["outcome"], newest["seconds"]) == (open_run.run_id, None, None)
    assert [run["run_id"] for run in history(deployed, limit=1)] == [open_run.run_id]
    assert [run["run_id"] for run in history(deployed, migration="002")] == [before["run_id"]]
    assert [run["run_id"] for run in history(deployed, outcome="deployed")] == [before["run_id"]]
    assert [run["run_id"] for run in history(deployed, outcome="not ended")] == [open_run.run_id]
    assert history(deployed, migration="009") == []


def test_a_step_that_failed_is_there(deployed: StepRuns) -> None:
    run = deployed.another("deploy", "003")
    run.must("preflight")
    run.must("maintenance_window")
    assert run.step("rehearse")["failed"]
    run.conclude("refused")
    (found,) = history(deployed, outcome="refused")
    assert [(step["step"], step["status"]) for step in found["steps"]][-1] == ("rehearse", "failed")


def test_a_limit_that_is_none_is_refused(deployed: StepRuns) -> None:
    answer = deployed.another("history").step("history", limit=-1)
    assert (answer["failed"], answer["reason_code"]) == (True, "setting_invalid")
