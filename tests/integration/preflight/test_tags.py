# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy with a tag, and what a rollback to it selects."""

from __future__ import annotations

from tests.integration.step_runs import StepRuns

SCRIPTS = {
    "migrations__002_author": "CREATE TABLE author (name text);",
    "rollback__002_author_rollback": "DROP TABLE author;",
    "migrations__004_late": "-- Requires: 001\nCREATE TABLE late (name text);",
    "rollback__004_late_rollback": "DROP TABLE late;",
}


def deploy(runs: StepRuns, version: str, tag: str = "") -> StepRuns:
    run = runs.another(wanted=version)
    run.tag = tag
    return run.deploy()


def rollback(runs: StepRuns, tag: str) -> dict:
    run = runs.another("emergency_rollback", f"all after tag {tag}")
    run.limits = {"to_tag": tag}
    return run.step("preflight", _ansible_check_mode=True)


def test_what_was_in_place_then_and_is_no_more_is_named(runs: StepRuns) -> None:
    runs.write(**SCRIPTS)
    deploy(runs, "004", tag="release_7")
    back = runs.another("emergency_rollback", "004")
    back.roll_back()
    outputs = rollback(runs, "release_7")["outputs"]
    assert (outputs["migrations"], outputs["taken_back_since"]) == ([], ["004"])


def test_from_a_deploy_with_a_tag_back_to_it(runs: StepRuns) -> None:
    runs.write(**SCRIPTS)
    tagged = deploy(runs, "004", tag="release_7")
    deploy(runs, "002")
    assert rollback(runs, "release_7")["outputs"]["migrations"] == ["002"]
    answer = rollback(runs, "release_8")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "tag_unknown")
    assert "Its tags: release_7" in answer["msg"]

    status = runs.another("status").must("status")["outputs"]["tags"]
    assert [(one["tag"], one["run_id"], one["later"]) for one in status] == [
        ("release_7", tagged.run_id, ["002"])
    ]
    history = runs.another("history").must("history")["outputs"]["runs"]
    assert [run["tag"] for run in history] == [None, "release_7"]

    again = runs.another(wanted="pending")
    again.tag = "release_7"
    assert again.step("preflight")["reason_code"] == "tag_taken"
    again.tag = "release_8"
    answer = again.must("preflight")
    assert "Nothing is to be deployed, so that no run has tag release_8." in str(answer["warnings"])
