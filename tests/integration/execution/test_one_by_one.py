# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements that cannot be in a transaction: gone on with where they stopped, as the catalog has it."""

from __future__ import annotations

import contextlib
import threading
import time

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Hooks, Work
from ansible_collections.pgops.runbook.plugins.module_utils.execution.one_by_one import (
    begin_or_resume,
    run_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.outside_transaction import took_effect
from ansible_collections.pgops.runbook.plugins.module_utils.execution.parts import commits_one_by_one
from ansible_collections.pgops.runbook.plugins.module_utils.execution.recipe_one_by_one import (
    roll_back_one_by_one,
)
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.impact import locks as lock_sampling
from ansible_collections.pgops.runbook.plugins.module_utils.impact.locks import LOOK_EVERY_SECONDS
from ansible_collections.pgops.runbook.plugins.module_utils.impact.one_by_one import ImpactOneByOne
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.journal import Journal, open_journal
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    ServerUnreachable,
    transaction,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import Learnt, NotForeseen
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

ONCE = LockPolicy(timeout_seconds=1, attempts=1, pause_seconds=0)
BUILD = "CREATE INDEX CONCURRENTLY item_name ON item (name)"


def script_of(tmp_path, text, rollback="DROP INDEX item_name;"):
    """The payload of a script, parsed as the controller does it."""
    for name in ("migrations", "rollback"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "migrations" / "001_x.sql").write_text(text)
    (tmp_path / "rollback" / "001_x_rollback.sql").write_text(rollback)
    return read_sql_library(tmp_path).payload(["001"])[0]


@pytest.fixture
def table(connection):
    with transaction(connection) as cursor:
        cursor.execute("CREATE TABLE item (id int PRIMARY KEY, name text)")
        cursor.execute("INSERT INTO item SELECT i, 'name ' || i FROM generate_series(1, 1000) i")
        Ledger().create(cursor)
    return connection


def begin(connection, migration, direction="apply"):
    with transaction(connection) as cursor:
        return begin_or_resume(cursor, Ledger(), "run", migration, direction, read_schema(cursor))[0]


class Here(Hooks):
    """Nothing is added, and no lock is waited for."""

    policy = ONCE

    def __init__(self, connection):
        self._connection = connection

    @property
    def connection(self):
        return self._connection


def run(connection, migration, journal=None, direction="apply", hooks=None, impact=None):
    """Run what the journal does not have as done; a journal is begun or gone on with where none is given."""
    journal = journal or begin(connection, migration, direction)
    work = Work(migration, direction, one_by_one=True)
    return run_one_by_one(journal, work, hooks or Here(connection), impact)


def query(connection, text):
    with transaction(connection) as cursor:
        cursor.execute(text)
        return cursor.fetchall()


VALIDITY = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('item_name')"


def test_statements_run_one_by_one_and_the_journal_has_them(table, tmp_path):
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


def test_after_a_failure_the_next_run_goes_on_behind_what_is_done(table, tmp_path):
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


def test_an_invalid_index_of_a_failed_build_is_dropped_and_built_again(table, tmp_path):
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


def test_a_build_killed_in_the_middle_is_found_and_built_again(server, database, table, tmp_path):
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

        def build():
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


def test_a_build_that_was_finished_but_not_noted_is_not_repeated(table, tmp_path):
    migration = script_of(tmp_path, f"{BUILD};")
    journal = begin(table, migration)
    with transaction(table) as cursor:
        journal.note_begin(cursor, 1, migration["apply"]["statements"][0])
        cursor.execute("CREATE INDEX item_name ON item (name)")
    before = query(table, "SELECT 'item_name'::regclass::oid")
    assert run(table, migration) == []
    assert query(table, "SELECT 'item_name'::regclass::oid") == before


def test_if_not_exists_does_not_pass_over_an_invalid_index(table, tmp_path):
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
def test_the_catalog_tells_whether_a_statement_took_effect(table, tmp_path, text, make_it_so):
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


def test_an_enum_value_can_be_used_by_the_next_statement(table, tmp_path):
    with transaction(table) as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE feeling (mood mood)")
    migration = script_of(tmp_path, "ALTER TYPE mood ADD VALUE 'calm'; INSERT INTO feeling VALUES ('calm');")
    run(table, migration)
    assert query(table, "SELECT mood::text FROM feeling") == [("calm",)]


def test_in_one_transaction_a_new_enum_value_could_not_be_used(table):
    with transaction(table) as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE feeling (mood mood)")
    with table.cursor() as cursor:
        cursor.execute("ALTER TYPE mood ADD VALUE 'calm'")
        with pytest.raises(psycopg2.errors.UnsafeNewEnumValueUsage):
            cursor.execute("INSERT INTO feeling VALUES ('calm')")
    table.rollback()


def test_the_runbooks_own_lock_does_not_hold_up_a_concurrent_build(runs):
    """CONCURRENTLY waits for every older snapshot of the database; the run's lock is held without one."""
    runs.write(
        migrations__002_author="CREATE INDEX CONCURRENTLY notes_body ON notes (body);",
        rollback__002_author_rollback="DROP INDEX CONCURRENTLY notes_body;",
    )
    runs.up_to("verify")
    assert runs.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'notes_body'::regclass") == [(True,)]


def test_a_statement_edited_after_it_was_carried_out_is_refused(table, tmp_path):
    migration = script_of(tmp_path, f"UPDATE item SET name = 'a'; {BUILD};")
    journal = begin(table, migration)
    with transaction(table) as cursor:
        journal.note_begin(cursor, 1, migration["apply"]["statements"][0])
        journal.note_done(cursor, 1)
    edited = script_of(tmp_path, f"UPDATE item SET name = 'b'; {BUILD};")
    with pytest.raises(Refused, match="line 1 was edited"):
        run(table, edited)


def test_nothing_else_begins_while_a_migration_is_half_done(table, tmp_path):
    begin(table, {"version": "001"})
    with pytest.raises(StepFailed, match="Migration 001 is half done"):
        begin(table, {"version": "002"})


def test_a_journal_without_a_statement_can_be_forgotten(table):
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
def test_code_that_commits_by_itself_is_no_way_around_the_journal(table, tmp_path, statement):
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


# Rollbacks: what may be in a transaction and stands together is in one --------------------------------------------

GROUPED = (
    "DROP INDEX CONCURRENTLY IF EXISTS item_name;\nUPDATE item SET name = 'a' WHERE id = 1;\n"
    "DELETE FROM item WHERE id = 2;\nVACUUM item;\nCREATE INDEX item_again ON item (name);"
)


def grouped(tmp_path, rollback=GROUPED):
    return script_of(tmp_path, "SELECT 1;", "-- Transaction: none\n" + rollback)


class Noting(Here):
    """Notes between which statements rows are said to change, in which transaction."""

    def __init__(self, connection):
        super().__init__(connection)
        self.changes = []

    def before_rows_change(self, cursor, work):
        cursor.execute("SELECT txid_current()")
        self.changes.append(cursor.fetchone()[0])

    def after_rows_changed(self, cursor, work):
        self.before_rows_change(cursor, work)
        cursor.execute("SELECT count(*), max(name) FILTER (WHERE id = 1) FROM item")
        self.changes.append(cursor.fetchone())


def test_statements_of_a_rollback_that_stand_together_are_one_transaction(table, tmp_path):
    hooks = Noting(table)
    timings = run(table, grouped(tmp_path), direction="rollback", hooks=hooks)
    assert [timing["line"] for timing in timings] == [2, 3, 4, 5, 6]
    before, after, seen = hooks.changes
    assert before == after, "one transaction, and one keeping of rows"
    assert seen == (999, "a")
    written = query(table, "SELECT ordinal, xmin::text FROM runbook.journal_statement ORDER BY 1")
    assert len({xmin for ordinal, xmin in written if ordinal in (2, 3)}) == 1
    assert len({xmin for _, xmin in written}) == 4
    assert query(table, "SELECT count(*) FROM runbook.journal_statement WHERE done IS NULL") == [(0,)]


def test_an_apply_script_commits_statement_by_statement(table, tmp_path):
    hooks = Noting(table)
    migration = script_of(
        tmp_path, "-- Transaction: none\nUPDATE item SET name = 'a';\nUPDATE item SET name = 'b';"
    )
    run(table, migration, hooks=hooks)
    assert len(set(query(table, "SELECT xmin::text FROM runbook.journal_statement"))) == 2
    assert hooks.changes == []


def test_a_part_that_fails_is_undone_and_gone_on_with(table, tmp_path):
    migration = grouped(
        tmp_path,
        "DROP INDEX CONCURRENTLY IF EXISTS item_name;\nUPDATE item SET name = 'a' WHERE id = 1;\n"
        "SELECT setval('number', 7);\nSELECT 1 / count(*) FROM missing;",
    )
    query(table, "CREATE SEQUENCE number; SELECT setval('number', 50)")
    with pytest.raises(StepFailed, match=r"line 5: relation .missing. .*1 of 4 statements are committed"):
        run(table, migration, direction="rollback")
    assert query(table, "SELECT name FROM item WHERE id = 1") == [("name 1",)]
    assert query(table, "SELECT nextval('number')") == [(51,)]
    assert query(table, "SELECT ordinal FROM runbook.journal_statement") == [(1,)]
    query(table, "CREATE TABLE missing AS SELECT 1; SELECT 1")
    assert [one["line"] for one in run(table, migration, direction="rollback")] == [3, 4, 5]


def test_what_was_not_foreseen_is_undone_and_tried_again(table, tmp_path):
    class Learning(Noting):
        learnt = None

        def after_rows_changed(self, cursor, work):
            if self.learnt is None:
                raise NotForeseen("001", Learnt({7: "losses"}))

        def not_foreseen(self, found):
            self.learnt = found.learnt.losses

    hooks = Learning(table)
    run(table, grouped(tmp_path), direction="rollback", hooks=hooks)
    assert hooks.learnt == {7: "losses"}
    assert len(set(hooks.changes)) == 2, "two attempts"
    assert query(table, "SELECT count(*) FROM item") == [(999,)]


def test_a_part_that_seemed_to_change_no_rows_and_does_is_undone(table, tmp_path):
    """What rows are kept by is one part; whatever else destroys something is not let through."""
    query(
        table,
        "CREATE FUNCTION drop_rows() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN DELETE FROM item WHERE id < 11; END $$;"
        "CREATE EVENT TRIGGER drops ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION drop_rows();"
        "SELECT 1",
    )
    with pytest.raises(
        StepFailed,
        match=r"line 6: .* destroyed rows or columns of public\.item.*4 of 5 statements are committed",
    ):
        run(table, grouped(tmp_path), direction="rollback", hooks=Noting(table))
    assert query(table, "SELECT count(*) FROM item") == [(999,)]


def test_a_rollback_that_changes_rows_in_two_places_is_refused_by_preflight_and_by_the_rehearsal(runs):
    runs.write(
        rollback__002_author_rollback="-- Transaction: none\nUPDATE notes SET body = NULL;\nVACUUM notes;\n"
        "ALTER TABLE notes DROP COLUMN author;"
    )
    answer = runs.step("preflight")
    assert answer["outcome"] == "refused"
    for text in (
        "rollback/002_author_rollback.sql",
        "2 places (lines 2, 4)",
        "put the statements",
        "together",
    ):
        assert text in answer["msg"]
    work = Work(
        script_of(runs.folder, "SELECT 1;", "UPDATE notes SET body = NULL; VACUUM; DELETE FROM notes;"), ""
    )
    with pytest.raises(Refused, match=r"2 places \(lines 1, 1\)"):
        roll_back_one_by_one(work.migration, Here(None))


def test_indexes_settings_and_statistics_may_stand_anywhere(runs):
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text; CREATE INDEX notes_author ON notes (author);"
        " CREATE INDEX notes_body ON notes (body);",
        rollback__002_author_rollback="SET work_mem = '8MB';\nDROP INDEX CONCURRENTLY notes_author;\n"
        "DROP INDEX notes_body;\nANALYZE notes;\nVACUUM notes;\nALTER TABLE notes DROP COLUMN author;\nVACUUM notes;",
    )
    runs.up_to("verify")
    run_back = runs.another("emergency_rollback")
    runs.steps("smoke_test")
    runs.conclude("deployed")
    runs.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    run_back.steps("preflight")
    run_back.must("backup", purpose="emergency", pg_bindir=runs.server.bindir)
    (taken_back,) = run_back.must("emergency_rollback")["outputs"]["migrations"]
    assert taken_back["schema_restored"] is True
    assert [(one["kind"], one["rows"]) for one in taken_back["salvage"]] == [("dropped columns", 1)]


# Impact --------------------------------------------------------------------------------------------------


def measured(connection, tmp_path, text):
    impact = ImpactOneByOne(with_sizes=True)
    migration = script_of(tmp_path, text)
    timings = run(connection, migration, impact=impact)
    return timings, impact.result()


def test_statements_in_transactions_of_their_own_are_measured_and_added_up(table, tmp_path):
    timings, impact = measured(
        table,
        tmp_path,
        "UPDATE item SET name = 'x' WHERE id < 8;\nUPDATE item SET name = 'y' WHERE id < 4;\n"
        "ALTER TABLE item ALTER id TYPE bigint;\nVACUUM item;",
    )
    assert impact["rows"] == {"public.item": {"inserted": 0, "updated": 10, "deleted": 0}}
    assert list(impact["rewritten"]) == ["public.item"]
    assert impact["rewritten"]["public.item"] > 0
    assert [timing["rewritten"] for timing in timings] == [[], [], ["public.item"], []]
    assert impact["wal_bytes"] == sum(timing["wal_bytes"] for timing in timings) > 0
    locks = {lock["mode"]: lock for lock in impact["locks"] if not lock.get("sampled")}
    assert locks["AccessExclusiveLock"]["line"] == 3
    assert locks["AccessExclusiveLock"]["table_bytes"] > 0


def test_the_lock_of_a_lone_statement_is_sampled_for_as_long_as_it_is_held(server, database, table, tmp_path):
    """CONCURRENTLY holds its lock while it waits for an older transaction."""
    with contextlib.closing(server.connect(database)) as older:
        older.cursor().execute("BEGIN; UPDATE item SET name = name WHERE id = 1")
        timer = threading.Timer(0.8, older.rollback)
        timer.start()
        timings, impact = measured(table, tmp_path, f"{BUILD};")
        timer.join()
    (lock,) = impact["locks"]
    assert (lock["table"], lock["mode"], lock["line"]) == ("public.item", "ShareUpdateExclusiveLock", 1)
    assert 0 < lock["held_seconds"] <= timings[0]["seconds"] + LOOK_EVERY_SECONDS
    assert lock["table_bytes"] > 0
    assert timings[0]["locks"] == [{"table": "public.item", "mode": "ShareUpdateExclusiveLock"}]


def test_a_lone_statement_that_rewrites_a_table_is_seen_to(table, tmp_path):
    timings, impact = measured(table, tmp_path, "VACUUM FULL item;")
    assert timings[0]["rewritten"] == list(impact["rewritten"]) == ["public.item"]
    assert impact["wal_bytes"] > 0


def test_where_locks_cannot_be_looked_at_the_result_says_so(table, tmp_path, monkeypatch):
    def refuse(connection):
        raise ServerUnreachable("server_unreachable", "too many connections")

    monkeypatch.setattr(lock_sampling, "connect_again", refuse)
    _, impact = measured(table, tmp_path, f"{BUILD};")
    assert impact["locks_observed"] is False
    assert query(table, VALIDITY) == [(True,)], "the statement runs all the same"


def test_the_policy_looks_at_statements_that_commit_one_by_one(runs):
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\nVACUUM FULL notes;"
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse", large_table_mb=0)
    assert answer["outcome"] == "refused"
    assert "it rewrites public.notes" in answer["msg"]


def test_production_is_measured_beside_the_copy(runs):
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\n"
        "UPDATE notes SET author = 'ada';"
    )
    runs.up_to("apply")
    (production,) = runs.ask(
        "SELECT document::jsonb #> '{outputs,impact}' FROM runbook.receipt WHERE step = 'apply' AND status = 'ok'"
    )[0]
    (copy,) = runs.ask(
        "SELECT document::jsonb #> '{outputs,migrations,0,impact}' FROM runbook.receipt WHERE step = 'rehearse'"
    )[0]
    assert production["rows"] == copy["rows"]
    assert production["rows"]["public.notes"]["updated"] == 3
    assert [lock["mode"] for lock in production["locks"]] == [lock["mode"] for lock in copy["locks"]]


def test_a_migration_whose_first_statement_fails_has_not_begun(runs):
    runs.write(migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;")
    runs.up_to("rehearse")
    with contextlib.closing(runs.server.connect(runs.database)) as other:
        other.cursor().execute("LOCK TABLE notes IN ACCESS SHARE MODE")
        answer = runs.step("apply", lock_attempts=1, lock_timeout_seconds=0.2)
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert runs.ask("SELECT count(*) FROM runbook.journal") == [(0,)], "and holds nobody up"


def test_a_statement_that_acts_otherwise_in_production_makes_the_deploy_fail(runs):
    """It is committed by then: the rollback of the failed deploy takes it back."""
    runs.write(
        migrations__002_author="-- Transaction: none\nALTER TABLE notes ADD COLUMN author text;\n"
        "DELETE FROM notes WHERE body = 'late';"
    )
    runs.up_to("rehearse")
    runs.execute("INSERT INTO notes (body) VALUES ('late')")
    answer = runs.step("apply")
    assert (answer["failed"], answer["outcome"]) == (True, "failed")
    assert "public.notes: 1 rows deleted in production, 0 on the copy" in answer["msg"]
    assert answer["committed"] == ["002"]
