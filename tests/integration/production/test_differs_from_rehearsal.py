# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that was rehearsed and acts differently in production changes nothing there, and the reason says why."""

from __future__ import annotations

import threading
import time

import pytest

from tests.integration.step_runs import StepRuns

ONLY_IN_PRODUCTION = "current_database() NOT LIKE 'runbook%'"

# What a migration makes of the rows of 001, and what it leaves.
UPDATE = "UPDATE notes SET body = upper(body);"
STATE = "SELECT (SELECT count(*) FROM notes), (SELECT string_agg(body, ',' ORDER BY id) FROM notes)"


def trigger(runs: StepRuns, body: str) -> None:
    """A trigger of the application, in place long before the deploy, that does ``body`` in production only."""
    runs.execute(
        "CREATE TABLE audit (at int)",
        "INSERT INTO audit VALUES (0)",
        "CREATE FUNCTION note_changed() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN"
        f" IF {ONLY_IN_PRODUCTION} THEN {body} END IF; RETURN new; END $body$",
        "CREATE TRIGGER note_changed BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION note_changed()",
    )


def check_unchanged(runs: StepRuns, before: list, answer: dict, *reasons: str) -> None:
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    for reason in reasons:
        assert reason in answer["msg"]
    assert runs.ask(STATE) == before
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]
    assert runs.ask("SELECT FROM runbook.receipt WHERE step = 'apply' AND status = 'ok'") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("RAISE EXCEPTION 'not in this database';", "migrations/002_author.sql line 1: not in this database"),
        ("DELETE FROM audit;", "public.audit: 1 rows deleted in production, 0 on the copy"),
        ("INSERT INTO audit VALUES (1);", "public.audit: 3 rows inserted in production, 0 on the copy"),
        ("RETURN NULL;", "public.notes: 0 rows updated in production, 3 on the copy"),
        (
            "IF old.body = 'one' THEN RETURN NULL; END IF;",
            "public.notes: 2 rows updated in production, 3 on the copy",
        ),
        ("TRUNCATE audit;", "public.audit: rewritten in production only"),
        (
            "LOCK TABLE audit;",
            "public.audit: AccessExclusiveLock in production, no lock on the copy (line 1)",
        ),
    ],
)
def test_a_trigger_that_acts_by_the_name_of_the_database(runs: StepRuns, body: str, reason: str) -> None:
    trigger(runs, body)
    runs.write(
        migrations__002_author=UPDATE,
        rollback__002_author_rollback="UPDATE notes SET body = lower(body);",
    )
    before = runs.ask(STATE)
    runs.up_to("rehearse")
    check_unchanged(runs, before, runs.step("apply"), reason)


def test_a_row_that_only_production_has_and_that_breaks_a_constraint(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD CONSTRAINT short CHECK (length(body) < 9);",
        rollback__002_author_rollback="ALTER TABLE notes DROP CONSTRAINT short;",
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('written since the backup')")
    before = runs.ask(STATE)
    check_unchanged(
        runs,
        before,
        runs.step("apply"),
        "Migration 002 was tried in production and rolled back: migrations/002_author.sql line 1:",
        'constraint "short" of relation "notes" is violated by some row',
    )


def test_a_row_that_only_production_has_and_that_would_be_deleted(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Data Loss: NONE\nDELETE FROM notes WHERE body LIKE 'draft%';\n"
        "ALTER TABLE notes ADD COLUMN author text;"
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('draft of a book')")
    before = runs.ask(STATE)
    check_unchanged(
        runs,
        before,
        runs.step("apply"),
        "public.notes: 1 rows deleted in production, 0 on the copy",
        "Deploy again: that makes a new backup and rehearses with them",
    )


def delete_drafts(runs: StepRuns, head: str = "") -> None:
    """A rehearsed migration that deletes one row of notes; its rollback brings that back."""
    runs.execute("INSERT INTO notes (body) VALUES ('draft')")
    runs.write(
        migrations__002_author=f"{head}CREATE TABLE draft AS SELECT * FROM notes WHERE body LIKE 'draft%';\n"
        "DELETE FROM notes WHERE body LIKE 'draft%' OR EXISTS (SELECT FROM notes WHERE body = 'all');",
        rollback__002_author_rollback="INSERT INTO notes SELECT * FROM draft; DROP TABLE draft;",
    )
    runs.up_to("rehearse")


def test_a_table_that_is_emptied_in_production_only(runs: StepRuns) -> None:
    delete_drafts(runs)
    # As many rows as it deletes were written since.
    runs.execute(
        "INSERT INTO notes (body) VALUES ('all')", "UPDATE notes SET body = body || '!' WHERE id < 4"
    )
    before = runs.ask(STATE)
    check_unchanged(runs, before, runs.step("apply"), "public.notes: emptied in production only")


def test_where_statements_commit_one_by_one_it_is_said_when_they_are_done(runs: StepRuns) -> None:
    delete_drafts(runs, "-- Transaction: none\n")
    runs.execute("INSERT INTO notes (body) VALUES ('all')")
    answer = runs.step("apply")
    assert (answer.get("failed"), answer.get("reason_code")) == (
        True,
        "production_acts_otherwise_than_rehearsal",
    )
    assert "public.notes: emptied in production only" in answer["msg"]


def test_more_rows_deleted_than_were_written_since(runs: StepRuns) -> None:
    """One row that somebody wrote makes the migration delete what the copy has not seen deleted."""
    runs.execute("INSERT INTO notes (body) SELECT 'kept' FROM generate_series(1, 50)")
    delete_drafts(runs)
    runs.execute("INSERT INTO notes (body) VALUES ('all')")
    before = runs.ask(STATE)
    check_unchanged(
        runs,
        before,
        runs.step("apply"),
        "public.notes: 55 rows deleted in production, 1 on the copy, and 1 rows were written since the backup",
    )


def test_as_many_as_were_written_since_may_go_too(runs: StepRuns) -> None:
    delete_drafts(runs)
    runs.execute("INSERT INTO notes (body) VALUES ('draft 2'), ('draft 3')")
    answer = runs.step("apply")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["impact"]["rows"]["public.notes"]["deleted"] == 3


def test_rows_written_since_the_backup_may_make_the_numbers_differ(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=UPDATE, rollback__002_author_rollback="UPDATE notes SET body = lower(body);"
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('four')")
    answer = runs.step("apply")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["impact"]["rows"]["public.notes"]["updated"] == 4


def test_ddl_of_another_session_in_the_middle_of_the_migration(runs: StepRuns) -> None:
    """The migration waits between its statements; another session makes an index meanwhile."""
    runs.write(
        migrations__002_author="CREATE TABLE shelf (id int);\nSELECT pg_advisory_xact_lock(1);",
        rollback__002_author_rollback="DROP TABLE shelf;",
    )
    runs.up_to("rehearse")
    before = runs.ask(STATE)
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1"
    seen = []

    with runs.server.connect(runs.database) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")

        def meanwhile() -> None:
            deadline = time.monotonic() + 30
            while not seen and time.monotonic() < deadline:
                cursor.execute(waiting)
                seen.extend(cursor.fetchall())
            cursor.execute("CREATE INDEX made_meanwhile ON notes (body)")
            holder.commit()
            cursor.execute("SELECT pg_advisory_unlock(1)")
            holder.commit()

        thread = threading.Thread(target=meanwhile)
        thread.start()
        answer = runs.step("apply", lock_timeout_seconds=30)
        thread.join()
    holder.close()
    assert seen, "the migration was under way"
    check_unchanged(
        runs,
        before,
        answer,
        "Migration 002 made another schema in production than on the copy, and was rolled back",
        "index public.made_meanwhile: was not there before",
    )
    assert runs.ask("SELECT to_regclass('shelf'), to_regclass('made_meanwhile') IS NOT NULL") == [
        (None, True)
    ]
