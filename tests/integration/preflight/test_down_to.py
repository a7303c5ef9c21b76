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
        run = runs.another("deploy", version)
        run.up_to("verify")
        run.steps("smoke_test")
        run.conclude()
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


def test_nothing_later_is_nothing_to_do(deployed: StepRuns) -> None:
    runs = deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1")
    answer = down_to(deployed, "004").must("preflight", emergency_backup="salvage")
    assert (answer["outputs"]["migrations"], answer["changed"]) == ([], False)
    assert deployed.ask("SELECT run_id FROM runbook.run ORDER BY 1") == runs


def test_what_stays_has_to_be_there(deployed: StepRuns) -> None:
    answer = down_to(deployed, "003").step("preflight", emergency_backup="salvage")
    assert (answer["failed"], answer["reason_code"]) == (True, "not_applied")
