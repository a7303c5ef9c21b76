# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Adopting a database: what is in place and was never recorded is recorded, beside no run."""

from __future__ import annotations

from tests.integration.step_runs import StepRuns

VERSIONS = "SELECT version FROM schema_migrations ORDER BY 1"


def test_what_is_in_place_is_recorded_and_can_be_deployed_upon(runs: StepRuns) -> None:
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    status = runs.another("status", "pending")
    assert not status.must("status")["changed"]
    assert runs.ask(VERSIONS) == [("001",)]
    status.must("status", adopt=True)
    assert runs.ask(VERSIONS) == [("001",), ("002",)]
    assert runs.ask("SELECT migration, status FROM runbook.receipt WHERE step = 'adopt'") == [("002", "ok")]
    assert "already applied" in runs.another().step("preflight")["msg"]


def test_nothing_is_adopted_beside_a_run(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    answer = runs.another("status", "pending").step("status", adopt=True)
    assert answer.get("failed"), answer
    assert (
        f"Run {runs.run_id} is in progress in this database. Nothing was recorded. Adopt when it has ended."
        in answer["msg"]
    )
    assert runs.ask(VERSIONS) == [("001",)]
