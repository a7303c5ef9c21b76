# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gates, on receipts that real steps have written."""

from __future__ import annotations

import time

from tests.integration.production.applied import AUTHOR
from tests.integration.step_runs import StepRuns


def test_a_step_without_a_run_is_refused(runs: StepRuns) -> None:
    answer = runs.step("apply")
    assert answer["outcome"] == "refused"
    assert "belongs to no run of this database" in answer["msg"]
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)], "a refusal leaves no ledger"


def test_apply_without_rehearsal_is_refused(runs: StepRuns) -> None:
    runs.up_to("verify_restore")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "needs the receipt of step rehearse" in answer["msg"]


def test_other_bytes_of_sql_are_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author text; -- edited")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "The apply script of migration 002 was edited after the preflight" in answer["msg"]


def test_an_old_backup_is_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    time.sleep(0.1)
    answer = runs.step("apply", backup_max_age_minutes=0)
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "backup_max_age_minutes allows 0" in answer["msg"]


def test_a_forged_receipt_is_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.execute(
        "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE step = 'backup'"
    )
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "receipt of step backup was changed after it was written" in answer["msg"]


def test_receipts_of_another_database_are_refused(runs: StepRuns) -> None:
    """The database is copied with its ledger in the middle of a run."""
    runs.up_to("rehearse")
    twin = f"{runs.database}_twin"
    admin = StepRuns(runs.server, "postgres", runs.folder)
    admin.execute(f"CREATE DATABASE {twin} TEMPLATE {runs.database}")
    try:
        other = StepRuns(runs.server, twin, runs.folder, run_id=runs.run_id)
        answer = other.step("apply")
        assert (answer["outcome"], other.ask(AUTHOR)) == ("refused", [])
        assert "belongs to another database" in answer["msg"]
    finally:
        admin.execute(f"DROP DATABASE {twin} WITH (FORCE)")


def test_a_finished_run_is_over(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.conclude("failed")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "has ended (failed). Start a new run" in answer["msg"]


def test_no_run_is_taken_over_by_the_clock_alone(runs: StepRuns) -> None:
    runs.up_to("backup")
    """Whether its controller lives is decided where that can be seen: the module is told."""
    later = runs.another()
    runs.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 second'")
    answer = later.step("preflight")
    assert "Another run is in progress" in answer["msg"]
    assert answer["details"]["holder"]["lease_expired"] is True
    answer = later.step("preflight", take_over=runs.run_id, taken_over_because="unseen")
    assert answer["outputs"]["interrupted_run"]["run_id"] == runs.run_id
    why = "its end was not recorded: its lease was over and nobody could see its controller"
    assert runs.ask("SELECT reason FROM runbook.run WHERE finished IS NOT NULL") == [(why,)]
    said = runs.step("verify_restore")["msg"]
    assert said == f"Run {runs.run_id} has ended (failed): {why}. Start a new run.", "it cannot go on"


def test_a_run_that_was_stopped_after_its_commit_is_named(runs: StepRuns) -> None:
    """The same command again must not only say that there is nothing to do."""
    runs.up_to("apply")
    runs.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed'")
    reason = runs.another().step("preflight")["msg"]
    assert reason.startswith("Migration 002 is already applied: schema_migrations records it.")
    assert f"Run {runs.run_id} applied it, but ended before the smoke tests" in reason
    assert "ansible-playbook emergency_rollback.yml -e migration=002" in reason


def test_a_migration_that_is_applied_and_tested_is_only_that(runs: StepRuns) -> None:
    runs.deploy()
    reason = runs.another().step("preflight")["msg"]
    assert reason == "Migration 002 is already applied: schema_migrations records it."


def test_a_rollback_that_was_edited_after_its_preflight_is_refused(runs: StepRuns) -> None:
    back = runs.deploy().another("emergency_rollback").up_to_rollback()
    back.write(rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author; DROP TABLE notes;")
    answer = back.step("emergency_rollback")
    assert (answer["outcome"], back.ask(AUTHOR)) == ("refused", [("author",)]), answer
    assert "The rollback script of migration 002 was edited after the preflight" in answer["msg"]


def test_a_rollback_on_an_old_backup_is_refused(runs: StepRuns) -> None:
    back = runs.deploy().another("emergency_rollback").up_to_rollback()
    time.sleep(0.1)
    answer = back.step("emergency_rollback", backup_max_age_minutes=0)
    assert (answer["outcome"], back.ask(AUTHOR)) == ("refused", [("author",)]), answer
    assert "backup_max_age_minutes allows 0" in answer["msg"]


def test_of_a_run_that_is_still_tested_it_is_not_said_that_it_ended(runs: StepRuns) -> None:
    runs.up_to("verify")
    answer = runs.another().step("preflight")
    assert answer["reason_code"] == "another_run_in_progress", answer
    dead = runs.another().step("preflight", take_over=runs.run_id, taken_over_because="gone")
    assert dead["reason_code"] == "applied_without_smoke_test", dead
