# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill plays the steps of production on a copy: production keeps a line of it, and nothing else is left."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import copy_name
from ansible_collections.pgops.runbook.plugins.module_utils.drill.remains import forget_dead_drills, run_of
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import replaced_name

from tests.integration.restore_runs import beside, wait_for
from tests.integration.step_runs import StepRuns, target

BEFORE = ("preflight", "backup", "verify_restore")

#: All that an application could see of production.
ALL_OF_IT = "SELECT array_agg(notes::text ORDER BY id) FROM notes"


def drill(runs: StepRuns, wanted: str = "002", **options: Any) -> tuple[StepRuns, dict[str, Any]]:
    made = runs.another("drill", wanted)
    # As its controller has it: of the drill, and not of the runs that are played on the copy.
    made.last_receipt = made.steps(*BEFORE)["receipts"][-1]["digest"]
    return made, made.step("drill", rows=4, **options)


def phases(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["phase"]: one for one in answer["outputs"]["phases"]}


def test_users_rows_are_kept_by_the_rollback_and_go_back(runs: StepRuns, admin: StepRuns) -> None:
    before = runs.ask(ALL_OF_IT)
    made, answer = drill(runs)
    assert not answer.get("failed"), answer.get("msg")
    of = phases(answer)
    assert list(of) == ["deploy", "writes", "rollback", "restore", "deploy_again"]
    assert list(of["deploy"]["steps"]) == [
        *("preflight", "maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify"),
        "smoke_test",
    ]
    # Three rows there were, and four are new.
    assert (of["writes"]["new"], of["writes"]["changed"], of["writes"]["tables"]) == (4, 3, 1)
    assert of["rollback"]["schema_restored"] is True
    assert of["rollback"]["kept_rows"] > 0
    assert (of["restore"]["schema_equal"], of["restore"]["data_equal"]) == (True, True)
    assert of["restore"]["rows_brought"] == 7
    again = of["deploy_again"]
    assert (again["put_back"], again["held_back"]) == (of["rollback"]["kept_rows"], 0)
    assert (again["schema_equal"], again["rows_differing"]) == (True, [])
    # Production has its rows, no column more, and no run: only the line.
    assert runs.ask(ALL_OF_IT) == before
    assert runs.ask("SELECT count(*) FROM runbook.run") == [(0,)]
    assert runs.ask(
        "SELECT run_id, migrations, outcome, reason, jsonb_array_length(phases) FROM runbook.drill"
    ) == [(made.run_id, ["002"], "drilled", None, 5)]
    assert beside(admin) == []
    assert sorted(path.name for path in runs.backups.iterdir()) == [made.run_id]
    (run,) = made.must("history")["outputs"]["runs"]
    assert (run["playbook"], run["outcome"], [one["step"] for one in run["steps"]]) == (
        "drill",
        "drilled",
        list(of),
    )
    assert made.must("status")["outputs"]["drill"]["run_id"] == made.run_id


def test_what_is_deployed_is_taken_back_on_the_copy_first(deployed: StepRuns, admin: StepRuns) -> None:
    deployed.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    before = deployed.ask(ALL_OF_IT)
    _, answer = drill(deployed, "002")
    assert not answer.get("failed"), answer.get("msg")
    of = phases(answer)
    assert list(of)[:2] == ["take_back", "deploy"]
    assert of["deploy_again"]["rows_differing"] == []
    assert deployed.ask(ALL_OF_IT) == before
    assert deployed.ask("SELECT count(*) FROM runbook_salvage.manifest") == [(0,)]
    assert beside(admin) == []


def test_a_rollback_that_fails_over_users_rows_fails_the_drill(runs: StepRuns, admin: StepRuns) -> None:
    runs.write(
        rollback__002_author_rollback="DO $$BEGIN IF EXISTS (SELECT FROM notes WHERE author IS NOT NULL) THEN"
        " RAISE 'authors are in use'; END IF; END$$; ALTER TABLE notes DROP COLUMN author;"
    )
    before = runs.ask(ALL_OF_IT)
    made, answer = drill(runs)
    assert (answer["failed"], answer["outcome"], answer["reason_code"]) == (
        True,
        "refused",
        "statement_failed",
    )
    assert answer["msg"].startswith(
        "The drill failed on its copy, in step emergency_rollback of its emergency_rollback:"
    )
    assert "authors are in use" in answer["msg"]
    assert answer["msg"].endswith("Production was not touched.")
    assert [(one["phase"], one["status"]) for one in answer["details"]["phases"]] == [
        *(("deploy", "ok"), ("writes", "ok"), ("rollback", "failed"))
    ]
    assert runs.ask("SELECT outcome, reason FROM runbook.drill") == [("failed", answer["msg"])]
    assert runs.ask(ALL_OF_IT) == before
    assert beside(admin) == []
    assert sorted(path.name for path in runs.backups.iterdir()) == [made.run_id]


def test_a_drill_that_is_killed_leaves_nothing_once_its_run_ends(runs: StepRuns, admin: StepRuns) -> None:
    made = runs.another("drill")
    made.steps(*BEFORE)
    process = made.start("drill", rows=4)
    try:
        # While the restore of the copy is at work: by now there are two backups of the copy, and two databases.
        wait_for(lambda: process.poll() is not None or any("restore" in name for name in beside(admin)))
    finally:
        process.kill()
        process.wait()
    assert len(beside(admin)) >= 2
    made.conclude("refused")
    assert beside(admin) == []
    assert sorted(path.name for path in runs.backups.iterdir()) == [made.run_id]
    assert runs.ask("SELECT to_regclass('runbook.drill') IS NULL") == [(True,)]


@pytest.fixture
def asking(runs: StepRuns) -> StepRuns:
    """A database whose ledger says of one drill."""
    runs.steps("preflight")
    runs.conclude("refused")
    runs.execute(
        "INSERT INTO runbook.drill (run_id, migrations, operator, started, outcome, phases)"
        " VALUES ('d1', '{002}', 'ada@desk', now(), 'failed', '[]')"
    )
    return runs


def test_a_deploy_may_ask_for_a_drill_that_is_young_enough(asking: StepRuns) -> None:
    def preflight(playbook: str = "deploy", days: float = 2.5) -> dict[str, Any]:
        made = asking.another(playbook)
        answer = made.step("preflight", drill_max_age_days=days)
        if not answer.get("failed"):
            made.conclude("refused")
        return answer

    refused = preflight()
    assert (refused["reason_code"], refused["outcome"]) == ("drill_too_old", "refused")
    assert "none went well yet" in refused["msg"]
    assert refused["msg"].endswith("ansible-playbook playbooks/drill.yml")
    assert not preflight(days=0).get("failed")
    assert not preflight("rehearse").get("failed")
    asking.execute("UPDATE runbook.drill SET outcome = 'drilled', finished = now() - interval '3 days'")
    assert "the last one that went well is 3.0 days old" in preflight()["msg"]
    asking.execute("UPDATE runbook.drill SET finished = now() - interval '2 days'")
    assert not preflight().get("failed")
    assert preflight(days=-1)["reason_code"] == "setting_invalid"


def test_what_killed_drills_have_left_goes_a_day_later(admin: StepRuns, runs: StepRuns) -> None:
    dead, alive = "20260101T000000Z-test-dead", "20260101T000000Z-test-alive"
    made = {
        copy_name(run_of(dead, "deploy")): f"copy of run {run_of(dead, 'deploy')}, made 2026-01-01T00:00:00Z",
        replaced_name(copy_name(dead), run_of(dead, "restore")): (
            f"copy of run {dead}, made 2026-01-01T00:00:00Z\nruns until restore x put the backup of run y in its place"
        ),
        copy_name(
            run_of(alive, "deploy")
        ): f"copy of run {run_of(alive, 'deploy')}, made 2999-01-01T00:00:00Z",
        # Somebody else's, by its comment or by its name.
        "runbook_copy_of_mine_before_2026": "the books of 2026",
        runs.database + "_before_2026": "copy of run r1, made 2026-01-01T00:00:00Z",
        # And what is no time at all.
        "runbook_copy_of_nobody": "copy of run x-drill-before-deploy, made 2026-99-99T00:00:00Z",
        "runbook_copy_of_no_one": "copy of run x-drill-before-deploy, made",
    }
    names = list(made)
    try:
        for name, comment in made.items():
            comment = comment if comment.startswith("the") else f"migration runbook: {comment}"
            admin.execute(f'CREATE DATABASE "{name}"', f"COMMENT ON DATABASE \"{name}\" IS '{comment}'")
        found = forget_dead_drills(target(runs.server, runs.database), str(runs.backups))
        assert found == sorted(names[:2])
        assert {name for (name,) in admin.ask("SELECT datname FROM pg_database")} >= set(names[2:])
    finally:
        for name in names:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}"')
