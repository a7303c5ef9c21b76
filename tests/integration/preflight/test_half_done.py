# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is half done is finished as it was begun: no edit slips in between, and its backup is of neither state."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import open_journal
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.half_done import edited_since_begun
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.opening import verified_backup_before
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns

ADDED = "-- Transaction: none\nALTER TABLE notes ADD COLUMN size int;\n"
APPLY = f"{ADDED}UPDATE notes SET size = 1 / id WHERE size IS NULL;\n"
ROLLBACK = "ALTER TABLE notes DROP COLUMN size;"
MORE = "DELETE FROM notes WHERE id > 1;\n"
IN_THE_WAY = "INSERT INTO notes (id, body) VALUES (0, 'of a user')"


@pytest.fixture
def half_done(runs: StepRuns) -> StepRuns:
    """A run whose first statement is committed, and whose second has failed; what was in its way is gone."""
    runs.write(migrations__002_author=APPLY, rollback__002_author_rollback=ROLLBACK)
    runs.up_to("rehearse")
    runs.execute(IN_THE_WAY)
    assert runs.step("apply")["reason_code"] == "statement_failed"
    runs.conclude("failed")
    runs.execute("DELETE FROM notes WHERE id = 0")
    return runs


@pytest.mark.parametrize(
    ("edited", "script"),
    [
        ({"migrations__002_author": APPLY + MORE}, "apply"),
        ({"rollback__002_author_rollback": f"{MORE}{ROLLBACK}"}, "rollback"),
    ],
)
def test_an_edit_is_refused_unless_somebody_accepts_it(
    half_done: StepRuns, edited: dict[str, str], script: str
) -> None:
    half_done.write(**edited)
    refused = half_done.another().step("preflight")
    assert refused["reason_code"] == "script_edited_when_half_done", refused
    assert f"The {script} script of migration 002 was edited" in refused["msg"]
    half_done.another().must("preflight", accept_edited_scripts=True)


def test_what_was_accepted_is_from_then_on_as_it_was_begun(half_done: StepRuns) -> None:
    half_done.write(migrations__002_author=APPLY + "COMMENT ON COLUMN notes.size IS 'more';\n")
    second = half_done.another()
    second.must("preflight", accept_edited_scripts=True)
    second.steps("maintenance_window", "backup", "verify_restore", "rehearse")
    half_done.execute(IN_THE_WAY)
    assert second.step("apply")["reason_code"] == "statement_failed"
    second.conclude("failed")
    half_done.execute("DELETE FROM notes WHERE id = 0")
    third = half_done.another()

    def look(step: Step) -> dict[str, Any]:
        with transaction(step.connection) as cursor:
            journal = open_journal(cursor)
            return {"resumed_by": journal["resumed_by"], "edited": edited_since_begun(step, cursor, journal)}

    assert third.work("preflight", look)["outputs"] == {"resumed_by": second.run_id, "edited": []}
    half_done.write(migrations__002_author=APPLY)
    assert third.work("preflight", look)["outputs"]["edited"] == ["apply"]


def test_who_approved_it_has_not_approved_an_edit(half_done: StepRuns) -> None:
    half_done.another().must("preflight", approvals_required=1)
    half_done.write(migrations__002_author=APPLY + MORE)
    refused = half_done.another().step(
        "preflight", approvals_required=1, accept_edited_scripts=True, take_over="named"
    )
    assert refused["reason_code"] == "script_edited_when_half_done", refused
    assert "has not approved this" in refused["msg"]


def test_its_backup_is_of_neither_state_and_is_not_put_back(half_done: StepRuns) -> None:
    second = half_done.another().deploy()
    assert second.ask("SELECT count(*) FROM notes WHERE size IS NULL") == [(0,)]
    refused = Restore(second).step("preflight")
    assert refused["reason_code"] == "backup_half_done", refused
    assert "002: 1 statement of its apply script is committed" in refused["msg"]
    assert refused["msg"].endswith(f"-e run_id={half_done.run_id}")
    unnamed = Restore(second).step("preflight", source_run_id="")
    assert half_done.run_id in unnamed["msg"]
    assert second.run_id not in unnamed["msg"], "nobody is told to put it back"

    def look(step: Step) -> dict[str, Any]:
        with transaction(step.connection) as cursor:
            return {"found": verified_backup_before(Ledger(), cursor, "002")}

    found = second.another("status", "").work("status", look)["outputs"]["found"]
    assert found["run_id"] == half_done.run_id, "that is the one from before"


def test_what_it_rests_on_is_not_taken_back_from_under_it(runs: StepRuns) -> None:
    """Deployed together with the one that it requires, of which a failed deploy would take back what is whole."""
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author int;",
        migrations__003_filled="-- Requires: 002\n-- Transaction: none\nUPDATE notes SET author = 1 WHERE id > 0;\n"
        "CREATE UNIQUE INDEX CONCURRENTLY by_body ON notes (body);",
        rollback__003_filled_rollback="DROP INDEX by_body; UPDATE notes SET author = NULL WHERE author = 1;",
    )
    both = runs.another("deploy", "pending")
    both.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('twice'), ('twice')")
    failed = both.step("apply")
    assert failed["half_done"]["migration"] == "003", failed
    backup = both.must("backup", purpose="emergency", automatic=True)["outputs"]
    assert (backup["folder"], backup["reason"]) == (
        None,
        "there is nothing of this run that could be rolled back now",
    )
    assert both.must("emergency_rollback", automatic=True)["outputs"]["migrations"] == []
    both.conclude("failed")
    assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]
    runs.execute("DELETE FROM notes WHERE body = 'twice'")
    runs.another("deploy", "003").deploy()
    assert runs.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_body'::regclass") == [(True,)]


def test_of_a_copy_nothing_is_said_to_stay(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=APPLY.replace("1 / id", "1 / (id - id)"),
        rollback__002_author_rollback=ROLLBACK,
    )
    runs.up_to("verify_restore")
    refused = runs.step("rehearse")
    assert refused["reason_code"] == "statement_failed"
    assert "stay so" not in refused["msg"]
