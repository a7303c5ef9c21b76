# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked for while another run is in progress: that is the reason, and not what the run has not done yet."""

from __future__ import annotations

import contextlib

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK

from tests.integration.step_runs import StepRuns


def in_progress(runs: StepRuns, other: StepRuns, **options: object) -> None:
    answer = other.step("preflight", **options)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "another_run_in_progress"), answer["msg"]
    assert answer["msg"].startswith(
        f"Another run is in progress in this database: {runs.run_id} (deploy of 002)"
    )
    assert answer["details"]["holder"]["run_id"] == runs.run_id


def test_the_rollback_of_what_is_just_being_deployed(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    in_progress(runs, runs.another("emergency_rollback"))


def test_the_deploy_of_what_needs_it(runs: StepRuns) -> None:
    runs.write(
        migrations__003_more="-- Requires: 002\nCREATE TABLE more (id int);",
        rollback__003_more_rollback="DROP TABLE more;",
    )
    runs.steps("preflight")
    in_progress(runs, runs.another(wanted="003"))
    answer = runs.another(wanted="003").step("preflight", take_over=runs.run_id)
    assert answer["reason_code"] == "requirement_not_applied", "who takes over is told the next reason"


def test_where_none_is_in_progress_the_reason_stays(runs: StepRuns) -> None:
    assert runs.another("emergency_rollback").step("preflight")["reason_code"] == "not_applied"


def test_a_migration_that_is_half_done_because_it_runs_was_not_stopped(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.execute(
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{runs.run_id}', '002', 'apply', '{'0' * 64}')"
    )
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
        in_progress(runs, runs.another("emergency_rollback", "001"))
        orphan = runs.another("emergency_rollback", "001").step("preflight", take_over=runs.run_id)
        assert orphan["reason_code"] == "another_run_in_progress", orphan
        assert f"A step of run {runs.run_id} is still at work" in orphan["msg"]
        assert "holder" not in orphan["details"], "nobody tries again to take its place"
    answer = runs.another("emergency_rollback", "001").step("preflight")
    assert answer["reason_code"] == "migration_half_done"
