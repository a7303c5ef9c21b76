# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A second file of a number that is applied: nothing is applied again, and the one that was is named."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns

SECOND = {
    "migrations__002_colour": "ALTER TABLE notes ADD COLUMN colour text;",
    "rollback__002_colour_rollback": "ALTER TABLE notes DROP COLUMN colour;",
}


@pytest.fixture
def deployed(runs: StepRuns) -> StepRuns:
    """002 is applied, and then somebody adds another 002."""
    runs.deploy()
    runs.write(**SECOND)
    return runs


@pytest.mark.parametrize(
    ("playbook", "migration"),
    [
        ("deploy", "pending"),
        ("deploy", "002_colour"),
        ("deploy", "002_author"),
        ("rehearse", "pending"),
    ],
)
def test_it_is_refused_and_the_file_that_was_applied_is_named(
    deployed: StepRuns, playbook: str, migration: str
) -> None:
    answer = deployed.another(playbook, migration).step("preflight")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "version_means_several_files"), answer
    assert "By its digest migrations/002_author.sql is the one that was applied." in answer["msg"]
    assert answer["details"]["files"] == ["migrations/002_author.sql", "migrations/002_colour.sql"]


def test_with_a_number_of_its_own_it_goes_on(deployed: StepRuns) -> None:
    for folder in ("migrations", "rollback"):
        for path in (deployed.sql_dir / folder).glob("002_colour*"):
            path.rename(path.with_name(path.name.replace("002_", "003_")))
    assert deployed.another("deploy", "pending").must("preflight")["outputs"]["migrations"] == ["003"]


def test_what_nobody_has_deployed_is_said_so(runs: StepRuns) -> None:
    runs.write(migrations__001_other="SELECT 1;", rollback__001_other_rollback="SELECT 1;")
    answer = runs.step("preflight")
    assert answer["reason_code"] == "version_means_several_files"
    assert "The ledger does not know which of them was applied." in answer["msg"]


@pytest.mark.parametrize("wanted", ["002", "002_author"])
def test_a_rollback_takes_back_the_file_that_was_deployed(deployed: StepRuns, wanted: str) -> None:
    run = deployed.another("emergency_rollback", wanted)
    outputs = run.must("preflight")["outputs"]
    assert outputs["migrations"] == ["002"]
    assert outputs["deployed_files"] == {"002": "002_author"}
    assert outputs["restorable_run"] == deployed.run_id


def test_a_rollback_of_all_that_came_later_takes_it_back_too(deployed: StepRuns) -> None:
    run = deployed.another("emergency_rollback", "all after 001")
    run.limits = {"down_to": "001"}
    assert run.must("preflight")["outputs"]["migrations"] == ["002"]


def test_a_rollback_of_the_file_that_was_not_deployed_has_nothing_to_do(deployed: StepRuns) -> None:
    answer = deployed.another("emergency_rollback", "002_colour").step("preflight")
    assert answer["reason_code"] == "not_applied", answer


def test_a_number_of_two_files_that_neither_was_recorded_by_names_no_one(runs: StepRuns) -> None:
    runs.write(**SECOND)
    answer = runs.another("emergency_rollback", "002").step("preflight")
    assert answer["reason_code"] == "migration_ambiguous", answer
    assert "002_author and 002_colour" in answer["msg"]


def test_a_rollback_of_what_the_ledger_does_not_know_waits_for_a_person(deployed: StepRuns) -> None:
    path = deployed.sql_dir / "migrations" / "002_author.sql"
    path.write_text(f"{path.read_text()}-- edited\n")
    answer = deployed.another("emergency_rollback", "002").step("preflight")
    assert answer["reason_code"] == "version_means_several_files", answer
    assert "By its digest none of them" in answer["msg"]
