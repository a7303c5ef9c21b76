# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements that cannot be in a transaction: gone on with where they stopped, as the catalog has it."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.outside_transaction import took_effect
from ansible_collections.pgops.runbook.plugins.module_utils.execution.parts import commits_one_by_one
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import Journal, open_journal
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    transaction,
)

from demo.local_server import LocalServer
from tests.integration.execution.one_by_one_runs import BUILD, VALIDITY, begin, query, run, script_of
from tests.integration.step_runs import StepRuns


def test_statements_run_one_by_one_and_the_journal_has_them(table: Any, tmp_path: Path) -> None:
    migration = script_of(tmp_path, f"ALTER TABLE item ADD note text; {BUILD}; VACUUM item;")
    assert commits_one_by_one(migration["apply"])
    timings = run(table, migration)
    assert [timing["kind"] for timing in timings] == ["AlterTableStmt", "IndexStmt", "VacuumStmt"]
    assert query(table, VALIDITY) == [(True,)]
    assert query(table, "SELECT ordinal, done IS NOT NULL FROM runbook.journal_statement ORDER BY 1") == [
        (1, True),
        (2, True),
        (3, True),
    ]


def test_after_a_failure_the_next_run_goes_on_behind_what_is_done(table: Any, tmp_path: Path) -> None:
    migration = script_of(
        tmp_path, f"UPDATE item SET name = 'changed'; SELECT 1 / count(*) FROM bar; {BUILD};"
    )
    journal = begin(table, migration)
    with pytest.raises(
        StepFailed, match=r"line 1: relation .bar. does not exist.*1 of 3 statements are committed"
    ):
        run(table, migration, journal)
    with transaction(table) as cursor:
        cursor.execute("UPDATE item SET name = 'by a user'")
        cursor.execute("CREATE TABLE bar AS SELECT 1")
    timings = run(table, migration)
    assert [timing["kind"] for timing in timings] == ["SelectStmt", "IndexStmt"]
    assert query(table, "SELECT DISTINCT name FROM item") == [("by a user",)]


def test_an_invalid_index_of_a_failed_build_is_dropped_and_built_again(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute("INSERT INTO item VALUES (0, 'name 1')")
    migration = script_of(tmp_path, "CREATE UNIQUE INDEX CONCURRENTLY item_name ON item (name);")
    journal = begin(table, migration)
    with pytest.raises(StepFailed, match="could not create unique index"):
        run(table, migration, journal)
    assert query(table, VALIDITY) == []
    with transaction(table) as cursor:
        cursor.execute("DELETE FROM item WHERE id = 0")
    run(table, migration)
    assert query(table, VALIDITY) == [(True,)]


def test_a_build_killed_in_the_middle_is_found_and_built_again(
    server: LocalServer, database: str, table: Any, tmp_path: Path
) -> None:
    """The server process is killed while it waits for an older transaction: the index is there and invalid."""
    migration = script_of(tmp_path, f"{BUILD};")
    journal = begin(table, migration)
    pid = table.get_backend_pid()
    with (
        contextlib.closing(server.connect(database)) as older,
        contextlib.closing(server.connect(database)) as watcher,
    ):
        older.cursor().execute("BEGIN; UPDATE item SET name = name WHERE id = 1")
        watcher.autocommit = True
        failure = []

        def build() -> None:
            try:
                run(table, migration, journal)
            except (StepFailed, psycopg2.Error) as error:
                failure.append(error)

        thread = threading.Thread(target=build)
        thread.start()
        with watcher.cursor() as cursor:
            deadline = time.monotonic() + 30
            waiting = False
            while not waiting and time.monotonic() < deadline:
                cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,))
                waiting = cursor.fetchone()[0]
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        thread.join()
        older.rollback()
    assert waiting
    assert len(failure) == 1
    with contextlib.closing(server.connect(database)) as again:
        assert query(again, VALIDITY) == [(False,)]
        with transaction(again) as cursor:
            assert open_journal(cursor)["done"] == 0
        run(again, migration)
        assert query(again, VALIDITY) == [(True,)]


def test_a_build_that_was_finished_but_not_noted_is_not_repeated(table: Any, tmp_path: Path) -> None:
    migration = script_of(tmp_path, f"{BUILD};")
    journal = begin(table, migration)
    with transaction(table) as cursor:
        journal.note_begin(cursor, 1, migration["apply"]["statements"][0])
        cursor.execute("CREATE INDEX item_name ON item (name)")
    before = query(table, "SELECT 'item_name'::regclass::oid")
    assert run(table, migration) == []
    assert query(table, "SELECT 'item_name'::regclass::oid") == before


def test_if_not_exists_does_not_pass_over_an_invalid_index(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE INDEX item_name ON item (name)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'item_name'::regclass")
    migration = script_of(tmp_path, "CREATE INDEX CONCURRENTLY IF NOT EXISTS item_name ON item (name);")
    with pytest.raises(StepFailed, match="Index item_name exists and is invalid"):
        run(table, migration)


@pytest.mark.parametrize(
    ("text", "make_it_so"),
    [
        ("DROP INDEX CONCURRENTLY other", "DROP INDEX other"),
        (
            "ALTER TABLE part DETACH PARTITION part_1 CONCURRENTLY",
            "ALTER TABLE part DETACH PARTITION part_1",
        ),
        (
            "ALTER TYPE mood ADD VALUE 'calm'; INSERT INTO feeling VALUES ('calm')",
            "ALTER TYPE mood ADD VALUE 'calm'",
        ),
    ],
)
def test_the_catalog_tells_whether_a_statement_took_effect(
    table: Any, tmp_path: Path, text: str, make_it_so: str
) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE INDEX other ON item (id)")
        cursor.execute("CREATE TABLE part (id int) PARTITION BY LIST (id)")
        cursor.execute("CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)")
        cursor.execute("CREATE TYPE mood AS ENUM ('sad')")
        cursor.execute("CREATE TABLE feeling (mood mood)")
    statement = script_of(tmp_path, f"{text};")["apply"]["statements"][0]
    table.autocommit = True
    with table.cursor() as cursor:
        assert not took_effect(cursor, statement)
        cursor.execute(make_it_so)
        assert took_effect(cursor, statement)


def test_an_enum_value_can_be_used_by_the_next_statement(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE feeling (mood mood)")
    migration = script_of(tmp_path, "ALTER TYPE mood ADD VALUE 'calm'; INSERT INTO feeling VALUES ('calm');")
    run(table, migration)
    assert query(table, "SELECT mood::text FROM feeling") == [("calm",)]


def test_in_one_transaction_a_new_enum_value_could_not_be_used(table: Any) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE feeling (mood mood)")
    with table.cursor() as cursor:
        cursor.execute("ALTER TYPE mood ADD VALUE 'calm'")
        with pytest.raises(psycopg2.errors.UnsafeNewEnumValueUsage):
            cursor.execute("INSERT INTO feeling VALUES ('calm')")
    table.rollback()


def test_the_runbooks_own_lock_does_not_hold_up_a_concurrent_build(runs: StepRuns) -> None:
    """CONCURRENTLY waits for every older snapshot of the database; the run's lock is held without one."""
    runs.write(
        migrations__002_author="CREATE INDEX CONCURRENTLY notes_body ON notes (body);",
        rollback__002_author_rollback="DROP INDEX CONCURRENTLY notes_body;",
    )
    runs.up_to("verify")
    assert runs.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'notes_body'::regclass") == [(True,)]


def test_a_statement_edited_after_it_was_carried_out_is_refused(table: Any, tmp_path: Path) -> None:
    migration = script_of(tmp_path, f"UPDATE item SET name = 'a'; {BUILD};")
    journal = begin(table, migration)
    with transaction(table) as cursor:
        journal.note_begin(cursor, 1, migration["apply"]["statements"][0])
        journal.note_done(cursor, 1)
    edited = script_of(tmp_path, f"UPDATE item SET name = 'b'; {BUILD};")
    with pytest.raises(Refused, match="line 1 was edited"):
        run(table, edited)


def test_nothing_else_begins_while_a_migration_is_half_done(table: Any, tmp_path: Path) -> None:
    begin(table, {"version": "001"})
    with pytest.raises(StepFailed, match="Migration 001 is half done"):
        begin(table, {"version": "002"})


def test_a_journal_without_a_statement_can_be_forgotten(table: Any) -> None:
    with transaction(table) as cursor:
        journal = Journal.begin(cursor, "run", "001", "apply", "digest")
        journal.note_begin(cursor, 1, {"sql": "SELECT 1", "line": 1})
        assert not journal.drop_if_nothing_is_done(cursor)
        journal.forget(cursor, 1)
        assert journal.drop_if_nothing_is_done(cursor)
        assert open_journal(cursor) is None


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN UPDATE item SET name = 'x'; COMMIT; UPDATE item SET name = 'y'; END $$",
        "CALL in_two_transactions()",
    ],
)
def test_code_that_commits_by_itself_is_no_way_around_the_journal(
    table: Any, tmp_path: Path, statement: str
) -> None:
    """Killed after its COMMIT, half of it would be done and nothing would know."""
    with transaction(table) as cursor:
        cursor.execute(
            "CREATE PROCEDURE in_two_transactions() LANGUAGE plpgsql AS"
            " $$ BEGIN UPDATE item SET name = 'x'; COMMIT; UPDATE item SET name = 'y'; END $$"
        )
    migration = script_of(tmp_path, f"-- Transaction: none\n{statement};")
    with pytest.raises(
        StepFailed, match=r"invalid transaction termination.*None of the 1 statements was committed"
    ):
        run(table, migration)
    assert query(table, "SELECT count(*) FROM item WHERE name IN ('x', 'y')") == [(0,)]


# The script's session -----------------------------------------------------------------------------------------


OTHER_SCHEMA = """SET search_path = other;
    SELECT set_config('own.note', 'kept', false);
    CREATE TEMPORARY TABLE work AS SELECT 1 AS one;
    CREATE INDEX CONCURRENTLY there ON item (name);
    INSERT INTO item SELECT one, current_setting('own.note') FROM work;
    SELECT 1 / count(*) FROM public.bar;"""


def test_what_a_script_sets_holds_to_its_end_and_not_for_the_journal(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute("CREATE SCHEMA other; CREATE TABLE other.item (id int, name text)")
        cursor.execute("CREATE TABLE bar AS SELECT 1; CREATE TEMPORARY TABLE ours AS SELECT 1")
        cursor.execute("SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY 1")
        before = cursor.fetchall()
    migration = script_of(tmp_path, OTHER_SCHEMA)
    run(table, migration)
    assert query(
        table, "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'other.item'::regclass"
    ) == [("other.there",)]
    assert query(table, "SELECT name FROM other.item") == [("kept",)]
    assert query(table, "SELECT to_regclass('work'), current_setting('own.note')") == [(None, "")]
    with transaction(table) as cursor:
        cursor.execute(
            "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT LIKE '%timeout'"
            " AND name <> 'temp_buffers' ORDER BY 1"
        )
        assert set(cursor.fetchall()) >= {one for one in before if "timeout" not in one[0]}


def test_a_run_that_goes_on_has_what_the_script_had_set(
    server: LocalServer, database: str, table: Any, tmp_path: Path
) -> None:
    """It has another session than the run that stopped."""
    with transaction(table) as cursor:
        cursor.execute("CREATE SCHEMA other; CREATE TABLE other.item (id int, name text)")
    text = OTHER_SCHEMA.replace("CREATE TEMPORARY TABLE", "CREATE TABLE")
    migration = script_of(tmp_path, text)
    with pytest.raises(StepFailed, match="5 of 6 statements are committed"):
        run(table, migration)
    text = text.replace(
        "SELECT 1 / count(*) FROM public.bar", "CREATE INDEX CONCURRENTLY second ON item (id)"
    )
    migration = script_of(tmp_path, text)
    with contextlib.closing(server.connect(database)) as another:
        run(another, migration)
    assert query(table, "SELECT count(*) FROM pg_index WHERE indrelid = 'other.item'::regclass") == [(2,)]


def test_a_script_cannot_make_the_journal_unwritable(table: Any, tmp_path: Path) -> None:
    with transaction(table) as cursor:
        cursor.execute("DROP ROLE IF EXISTS one_by_one_guest; CREATE ROLE one_by_one_guest")
        cursor.execute(
            "GRANT CREATE ON SCHEMA public TO one_by_one_guest; ALTER TABLE item OWNER TO one_by_one_guest"
        )
    migration = script_of(tmp_path, f"SET ROLE one_by_one_guest; {BUILD}; UPDATE item SET name = 'x';")
    run(table, migration)
    assert query(table, "SELECT count(*) FROM runbook.journal_statement WHERE done IS NOT NULL") == [(3,)]
    with transaction(table) as cursor:
        cursor.execute("REASSIGN OWNED BY one_by_one_guest TO CURRENT_USER; DROP OWNED BY one_by_one_guest")
        cursor.execute("DROP ROLE one_by_one_guest")
