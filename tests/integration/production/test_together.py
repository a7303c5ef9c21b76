# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All pending migrations in one transaction: applied, refused and taken back together, each with its own receipt."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.together import rehearse_together

from tests.integration.step_runs import StepRuns

BEFORE_APPLY = ("maintenance_window", "backup", "verify_restore", "rehearse")

assert rehearse_together


@pytest.fixture
def three(runs: StepRuns) -> StepRuns:
    """002 adds a column, 003 a table with rows, 004 a condition that all of them meet; 003 makes what 004 drops."""
    runs.write(
        migrations__003_tags="CREATE TABLE tags (note int NOT NULL REFERENCES notes DEFERRABLE INITIALLY DEFERRED,"
        " tag text); INSERT INTO tags SELECT id, body FROM notes; CREATE TABLE passing (a int);",
        rollback__003_tags_rollback="DROP TABLE tags; DROP TABLE passing;",
        migrations__004_long="ALTER TABLE tags ADD CHECK (length(tag) < 9); UPDATE notes SET author = 'ada';"
        " DROP TABLE passing;",
        rollback__004_long_rollback="ALTER TABLE tags DROP CONSTRAINT tags_tag_check; UPDATE notes SET author = NULL;"
        " CREATE TABLE passing (a int);",
    )
    return pending(runs)


def pending(runs: StepRuns) -> StepRuns:
    made = runs.another("deploy", "pending")
    assert made.must("preflight", together=True)["outputs"]["together"] is True
    return made


def receipts(runs: StepRuns, step: str = "apply") -> list[tuple[str, str]]:
    return runs.ask(f"SELECT migration, status FROM runbook.receipt WHERE step = '{step}' ORDER BY position")


def test_each_has_its_receipt_and_all_are_one_transaction(three: StepRuns) -> None:
    three.steps(*BEFORE_APPLY)
    applied = three.must("apply")["outputs"]["migrations"]
    assert [one["version"] for one in applied] == ["002", "003", "004"]
    # What one makes is what the next one finds.
    assert applied[0]["catalog_after"] == applied[1]["catalog_before"]
    assert applied[1]["impact"]["rows"]["public.tags"] == {"inserted": 3, "updated": 0, "deleted": 0}
    assert "public.notes" not in applied[1]["impact"]["rows"]
    (lock,) = applied[0]["impact"]["locks"]
    assert (lock["table"], lock["mode"]) == ("public.notes", "AccessExclusiveLock")
    assert receipts(three) == [("002", "ok"), ("003", "ok"), ("004", "ok")]
    assert three.ask("SELECT count(DISTINCT xmin::text) FROM schema_migrations WHERE version > '001'") == [
        (1,)
    ]
    three.steps("verify", "smoke_test")
    three.conclude()
    three.execute("UPDATE tags SET tag = 'mine' WHERE note = 1")
    back = three.another("emergency_rollback", "pending")
    back.limits = {"exactly": ["002", "003", "004"]}
    back.up_to_rollback()
    back.must("emergency_rollback")
    assert [version for version, _ in receipts(back, "emergency_rollback")] == ["004", "003", "002"]
    assert back.ask("SELECT version FROM schema_migrations") == [("001",)]
    assert back.ask("SELECT kind, table_name FROM runbook_salvage.manifest") == [("dropped table", "tags")]


def test_a_failure_in_the_third_leaves_none_applied(three: StepRuns) -> None:
    three.steps(*BEFORE_APPLY)
    before = three.ask("SELECT last_value, is_called FROM notes_id_seq")
    three.execute("UPDATE notes SET body = 'as long as can be' WHERE id = 1")
    answer = three.step("apply")
    assert (answer["failed"], answer["outcome"], answer["reason_code"]) == (
        True,
        "unchanged",
        "statement_failed",
    )
    assert answer["msg"].startswith(
        "Migrations 002, 003, 004 were tried together in production and rolled back, so that none of them is applied:"
        " migrations/004_long.sql line 1"
    )
    assert answer["committed"] == []
    assert receipts(three) == [(None, "failed")]
    assert three.ask("SELECT version FROM schema_migrations") == [("001",)]
    assert three.ask("SELECT to_regclass('tags') IS NULL") == [(True,)]
    assert three.ask("SELECT last_value, is_called FROM notes_id_seq") == before


def test_what_one_rollback_makes_the_next_one_may_drop(runs: StepRuns) -> None:
    runs.write(
        migrations__003_passing="CREATE TABLE passing (a int);",
        rollback__003_passing_rollback="DROP TABLE passing;",
        migrations__004_gone="DROP TABLE passing;",
        rollback__004_gone_rollback="CREATE TABLE passing (a int);",
    )
    made = runs.another("deploy", "pending").deploy()
    back = made.another("emergency_rollback", "pending")
    back.limits = {"exactly": ["003", "004"]}
    back.up_to_rollback()
    back.must("emergency_rollback")
    assert back.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


def test_what_does_not_go_together_is_found_on_the_copy(runs: StepRuns) -> None:
    runs.write(
        migrations__003_alone="DO $$BEGIN IF (SELECT xmin::text FROM pg_attribute WHERE attname = 'author'"
        " AND attrelid = 'notes'::regclass) = pg_current_xact_id()::text THEN RAISE 'not in one transaction'; END IF;"
        " END$$; CREATE TABLE alone (a int);",
        rollback__003_alone_rollback="DROP TABLE alone;",
    )
    made = pending(runs)
    made.steps(*BEFORE_APPLY[:-1])
    answer = made.step("rehearse")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "statement_failed")
    assert answer["msg"].startswith(
        "Migrations 002, 003, in one transaction, fail on the copy: migrations/003_alone"
    )
    assert "not in one transaction" in answer["msg"]


def test_rollbacks_that_give_nothing_back_together_are_refused(runs: StepRuns) -> None:
    runs.write(
        migrations__003_alone="CREATE TABLE alone (a int);",
        # In the transaction in which 004 was taken back it leaves the table where it is.
        rollback__003_alone_rollback="DO $$BEGIN IF (SELECT xmin::text FROM pg_attribute WHERE attname = 'body'"
        " AND attrelid = 'notes'::regclass) <> pg_current_xact_id()::text THEN DROP TABLE alone; END IF; END$$;",
        migrations__004_more="CREATE TABLE more (a int);",
        rollback__004_more_rollback="DROP TABLE more; ALTER TABLE notes ALTER body SET DEFAULT 'x';"
        " ALTER TABLE notes ALTER body DROP DEFAULT;",
    )
    made = pending(runs)
    made.steps(*BEFORE_APPLY[:-1])
    answer = made.step("rehearse")
    assert (answer.get("outcome"), answer.get("reason_code")) == ("refused", "rehearsal_together_differs")
    assert "The rollbacks of 002, 003, 004, all in one transaction" in answer["msg"]


def test_a_script_that_cannot_is_refused_before_there_is_a_run(runs: StepRuns) -> None:
    runs.write(
        migrations__003_index="\n\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);",
        rollback__003_index_rollback="DROP INDEX notes_body;",
    )
    made = runs.another("deploy", "pending")
    answer: dict[str, Any] = made.step("preflight", together=True)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "together_not_possible")
    assert "Migration 003" in answer["msg"]
    assert runs.ask("SELECT to_regclass('runbook.run') IS NULL") == [(True,)]
    assert not made.step("preflight").get("failed")
