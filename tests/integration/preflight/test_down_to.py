# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback down to a migration takes back all that came later, and does nothing where nothing did."""

from __future__ import annotations

import pytest

from tests.integration.step_runs import StepRuns


@pytest.fixture
def deployed(runs: StepRuns) -> StepRuns:
    """002 and 004 are applied; 003 never was."""
    runs.write(
        migrations__003_never="-- Requires: 001\nCREATE TABLE never (id int);",
        rollback__003_never_rollback="DROP TABLE never;",
        migrations__004_tag="-- Requires: 001\nCREATE TABLE tag (name text PRIMARY KEY);",
        rollback__004_tag_rollback="DROP TABLE tag;",
    )
    for version in ("002", "004"):
        runs.another("deploy", version).deploy()
    return runs


def down_to(runs: StepRuns, version: str) -> StepRuns:
    run = runs.another("emergency_rollback", f"all after {version}")
    run.limits = {"down_to": version}
    return run


def versions(runs: StepRuns) -> list[str]:
    return [version for (version,) in runs.ask("SELECT version FROM schema_migrations ORDER BY 1")]


def test_all_that_came_later_goes_newest_first(deployed: StepRuns) -> None:
    run = down_to(deployed, "001")
    answer = run.must("preflight", emergency_backup="salvage")
    assert answer["outputs"]["migrations"] == ["004", "002"]
    assert answer["changed"]
    run.limits = {}
    run.migration = "002"
    run.conclude("refused")
    assert versions(deployed) == ["001", "002", "004"]

    # And so do several that one run has deployed; 003 is not applied any more, or never was.
    run = deployed.another("emergency_rollback", "002")
    run.limits = {"exactly": ["002", "003", "004"]}
    assert run.must("preflight", emergency_backup="salvage")["outputs"]["migrations"] == ["004", "002"]


def test_nothing_later_is_nothing_to_do(deployed: StepRuns) -> None:
    runs = deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1")
    answer = down_to(deployed, "004").must("preflight", emergency_backup="salvage")
    assert (answer["outputs"]["migrations"], answer["changed"]) == ([], False)
    assert deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1") == runs


def test_what_stays_has_to_be_there(deployed: StepRuns) -> None:
    answer = down_to(deployed, "003").step("preflight", emergency_backup="salvage")
    assert (answer["failed"], answer["reason_code"]) == (True, "not_applied")


def test_of_several_databases_one_that_is_as_it_was_asked_for_is_passed_over(deployed: StepRuns) -> None:
    before = deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1")
    for playbook, version, code in (
        ("deploy", "002", "already_applied"),
        ("emergency_rollback", "003", "not_applied"),
    ):
        run = deployed.another(playbook, version)
        assert run.step("preflight", emergency_backup="salvage")["reason_code"] == code
        answer = run.must("preflight", emergency_backup="salvage", skip_done=True)
        assert (answer["outputs"]["migrations"], answer["changed"]) == ([], False)
    assert deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1") == before

    # But not where the one that is to stay is missing, or what is applied is about to be taken back or was edited.
    answer = down_to(deployed, "003").step("preflight", emergency_backup="salvage", skip_done=True)
    assert answer["reason_code"] == "not_applied"
    other = deployed.another("emergency_rollback", "004")
    other.must("preflight", emergency_backup="salvage")
    answer = deployed.another("deploy", "004").step("preflight", skip_done=True)
    assert answer["reason_code"] == "another_run_in_progress"
    other.conclude("refused")
    (script,) = deployed.sql_dir.glob("migrations/004_*.sql")
    script.write_text("-- Requires: 001\nCREATE TABLE tag (name text, more text);", encoding="utf-8")
    answer = deployed.another("deploy", "004").step("preflight", skip_done=True)
    assert answer["reason_code"] == "deployed_script_edited"
