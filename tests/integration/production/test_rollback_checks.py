# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback after which the application's own checks fail is undone before COMMIT."""

from __future__ import annotations

from tests.integration.step_runs import StepRuns


def test_a_smoke_test_that_fails_without_the_migration_keeps_it(runs: StepRuns) -> None:
    runs.deploy()
    runs.write(
        smoke__author="SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author';"
    )
    rollback = runs.another("emergency_rollback").up_to_rollback()
    answer = rollback.step("emergency_rollback")
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert (
        "The rollback of 002 was tried and undone, so that it is still applied: smoke/author.sql line 1"
        in answer["msg"]
    )
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]
