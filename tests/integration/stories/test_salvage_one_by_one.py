# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Salvage of migrations and rollbacks whose statements commit one by one, through the steps of real runs."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from tests.integration.salvage.salvage_runs import PRIVILEGES, deploy, roll_back
from tests.integration.step_runs import StepRuns

ONE_BY_ONE = {
    "migrations__002_author": "CREATE TABLE star (id int PRIMARY KEY, mark text); ALTER TABLE notes ADD author text;"
    " CREATE INDEX notes_author ON notes (author); UPDATE notes SET body = upper(body);",
    "rollback__002_author_rollback": "DROP INDEX CONCURRENTLY notes_author;\nUPDATE star SET mark = 'gone';\n"
    "UPDATE notes SET body = lower(body);\nALTER TABLE notes DROP COLUMN author;\nDELETE FROM star WHERE id = 2;\n"
    "DROP TABLE star;\nVACUUM notes;",
    "verify__002_author": "SELECT count(*) = 0 FROM star;",
}


WRITES = (
    "INSERT INTO star VALUES (1, 'a'), (2, NULL)",
    "UPDATE notes SET author = 'ada', body = 'MiXed' WHERE id = 1",
    "INSERT INTO notes (body) VALUES ('New')",
    "GRANT SELECT ON star TO PUBLIC",
)


CONTENT = "SELECT id, body, author FROM notes ORDER BY id"


def test_a_rollback_whose_statements_commit_one_by_one_loses_nothing(runs: StepRuns) -> None:
    runs.write(**ONE_BY_ONE)
    deploy(runs)
    runs.execute(*WRITES)
    notes = runs.ask(CONTENT)
    kept = roll_back(runs)
    assert {item["kind"]: item["rows"] for item in kept} == {
        "dropped table": 2,
        "changed rows": 2,
        "privileges": 1,
    }
    (receipt,) = runs.ask(
        "SELECT document FROM runbook.receipt WHERE step = 'emergency_rollback' ORDER BY position DESC LIMIT 1"
    )
    assert json.loads(receipt[0])["outputs"]["salvage"] == kept, "the receipt has the digests"
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
    assert runs.ask(CONTENT) == notes
    assert any(privilege.startswith("=r/") for (privilege,) in runs.ask(PRIVILEGES))


@pytest.mark.parametrize("line", range(1, 8))
def test_a_rollback_killed_at_any_statement_is_finished_and_loses_nothing(runs: StepRuns, line: int) -> None:
    """With SIGKILL: between parts, and in the transaction of the one that changes rows."""
    runs.write(**ONE_BY_ONE)
    deploy(runs)
    runs.execute(*WRITES)
    notes = runs.ask(CONTENT)
    run = runs.another("emergency_rollback").up_to_rollback()
    kill_at_line(run, line)
    run.must("emergency_rollback")
    run.steps("smoke_test")
    run.conclude("rolled_back")
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
    assert runs.ask(CONTENT) == notes
    assert runs.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]


def kill_at_line(run: StepRuns, line: int) -> None:
    """Start the rollback and kill it with SIGKILL while it waits for its journal entry of this line.

    Another session holds the entry's number: it is written before the statement, in its transaction if it has one.
    """
    with contextlib.closing(run.server.connect(run.database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(journal_id), 0) + 1 FROM runbook.journal")
        (journal,) = cursor.fetchone()
        # An exclusion by the primary key: an insert of the same key waits for the end of this transaction.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO runbook.journal_statement (journal_id, ordinal, line, sha256) VALUES (%s, %s, %s, '')",
            (journal, line, line),
        )
        process = run.start("emergency_rollback")
        try:
            with contextlib.closing(run.server.connect(run.database)) as watcher:
                watcher.autocommit = True
                asking = watcher.cursor()
                waiting = False
                while not waiting and process.poll() is None:
                    asking.execute(
                        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)))",
                        (other.get_backend_pid(),),
                    )
                    (waiting,) = asking.fetchone()
                assert waiting, process.stdout.read()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        other.rollback()


def test_it_comes_back_to_a_migration_that_is_not_one_transaction(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (id int PRIMARY KEY, mark text);\n"
        "CREATE INDEX CONCURRENTLY star_mark ON star (mark);",
        rollback__002_author_rollback="DROP TABLE star;",
        verify__002_author="SELECT count(*) = 0 FROM star;",
    )
    deploy(runs)
    runs.execute("INSERT INTO star VALUES (1, 'a')")
    roll_back(runs)
    assert [item["returned"] for item in deploy(runs)["salvage_returned"]] == [1]
    assert runs.ask("SELECT * FROM star") == [(1, "a")]


APPLIED_ONE_BY_ONE = {
    "migrations__002_author": "UPDATE notes SET body = upper(body);\n"
    "CREATE INDEX CONCURRENTLY notes_body ON notes (body);",
    "rollback__002_author_rollback": "DROP INDEX notes_body;\nUPDATE notes SET body = lower(body);",
}


def test_a_migration_that_is_not_one_transaction_overwrites_nobodys_row(runs: StepRuns) -> None:
    runs.write(**APPLIED_ONE_BY_ONE)
    deploy(runs)
    runs.execute("UPDATE notes SET body = 'MiXed' WHERE id IN (1, 3)")
    roll_back(runs)
    runs.execute("UPDATE notes SET body = 'since' WHERE id = 1")
    (returned,) = deploy(runs)["salvage_returned"]
    assert (returned["returned"], returned["reasons"]) == (
        1,
        {"nothing in its row is as it was: another row may have its key by now": 1},
    )
    assert runs.ask("SELECT body FROM notes WHERE id <> 2 ORDER BY id") == [("SINCE",), ("MiXed",)]


def test_its_rehearsal_puts_it_back_too(runs: StepRuns) -> None:
    runs.write(**APPLIED_ONE_BY_ONE)
    deploy(runs)
    runs.execute("UPDATE notes SET body = 'MiXed' WHERE id = 1")
    roll_back(runs)
    runs.write(smoke__mixed="SELECT NOT EXISTS (SELECT FROM notes WHERE body = 'MiXed');")
    run = runs.another()
    run.up_to("verify_restore")
    answer = run.step("rehearse")
    assert (answer["failed"], answer["outcome"]) == (True, "refused"), (
        "found on the copy, and not in production"
    )
    assert "smoke/mixed.sql" in answer["msg"]


def test_untouched_rows_of_a_migration_that_is_no_longer_one_transaction(runs: StepRuns) -> None:
    """The first deploy was one, so that its rollback noted which rows it left alone."""
    apply = "ALTER TABLE notes ADD old text;\nUPDATE notes SET old = body, body = lower(body);\n"
    runs.write(
        migrations__002_author=apply,
        rollback__002_author_rollback="UPDATE notes SET body = old WHERE old IS NOT NULL;\n"
        "ALTER TABLE notes DROP COLUMN old;",
    )
    deploy(runs)
    runs.execute("INSERT INTO notes (body) VALUES ('MiXed')")
    roll_back(runs)
    runs.write(migrations__002_author="-- Transaction: none\n" + apply)
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT body FROM notes ORDER BY id DESC LIMIT 1") == [("MiXed",)]


CHANGING_ROWS = (
    "UPDATE star SET mark = 'gone';\nUPDATE notes SET body = lower(body);\nALTER TABLE notes DROP COLUMN author;\n"
    "DROP TABLE star;\n"
)


def roll_back_while_locked(
    runs: StepRuns, table: str, apply: str, rollback: str
) -> tuple[StepRuns, dict[str, Any]]:
    """The run and what its rollback answers while another session keeps a table to itself."""
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=rollback)
    deploy(runs)
    runs.execute(*WRITES)
    run = runs.another("emergency_rollback").up_to_rollback()
    with contextlib.closing(run.server.connect(run.database)) as other:
        other.cursor().execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        return run, run.step("emergency_rollback", lock_attempts=1, lock_timeout_seconds=0.2)


def test_a_rollback_whose_first_statement_fails_has_not_begun(runs: StepRuns) -> None:
    _, answer = roll_back_while_locked(
        runs, "star", ONE_BY_ONE["migrations__002_author"], CHANGING_ROWS + "VACUUM notes;"
    )
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert (
        "The rollback of 002 did not begin, so that it is still applied: No lock after 1 attempts"
        in answer["msg"]
    )
    assert runs.ask("SELECT count(*) FROM runbook.journal") == [(0,)]
    assert runs.ask("SELECT count(*) FROM runbook_salvage.manifest") == [(0,)]


def test_a_rollback_that_stops_half_way_says_what_to_type(runs: StepRuns) -> None:
    # Of a deploy that is not one transaction either it is not known which tables it wrote to.
    apply = "-- Transaction: none\n" + ONE_BY_ONE["migrations__002_author"]
    run, answer = roll_back_while_locked(runs, "notes", apply, "VACUUM star;\n" + CHANGING_ROWS)
    assert answer["failed"]
    assert "1 of 5 statements are committed and stay so" in answer["msg"]
    assert "run emergency_rollback.yml for the same migration again" in answer["msg"]
    (taken_back,) = run.must("emergency_rollback")["outputs"]["migrations"]
    assert {item["kind"]: item["rows"] for item in taken_back["salvage"]}["changed rows"] == 2
    run.steps("smoke_test")
    run.conclude("rolled_back")
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
