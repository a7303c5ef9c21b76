# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running scripts: errors name file and line, checks leave no trace, waiting for locks is bounded."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import (
    LOCK_SPEC,
    LockPolicy,
    ScriptFailed,
    apply_migration,
    check_script,
    run_script,
    undone_afterwards,
    with_lock_retries,
)
from ansible_collections.pgops.runbook.plugins.module_utils.impact.meter import ImpactMeter
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.blockers import BlockerWatch

from demo.local_server import LocalServer
from tests.integration.step_runs import migration, script, target

# What the parser calls them.
KINDS = {"INSERT": "InsertStmt", "ALTER": "AlterTableStmt", "UPDATE": "UpdateStmt"}


def as_parsed(*statements: str) -> dict[str, Any]:
    """A script whose statements have the kinds by which those are known that may be alike."""
    written = script(*statements)
    for statement in written["statements"]:
        statement["kind"] = KINDS[statement["kind"]]
    return written


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int CHECK (a < 10))")
        connection.commit()
        yield cursor


# Statements ----------------------------------------------------------------------------------------------


def test_an_error_names_file_line_statement_and_the_servers_words(cursor: Any) -> None:
    with pytest.raises(ScriptFailed) as failed:
        run_script(
            cursor, script("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (99)", name="migrations/9.sql")
        )
    assert failed.value.reason.startswith(
        'migrations/9.sql line 2: new row for relation "t" violates check constraint "t_a_check"'
        " Detail: Failing row contains (99)."
    )
    details = failed.value.details
    assert (details["script"], details["line"], details["sqlstate"]) == ("migrations/9.sql", 2, "23514")
    assert details["statement"] == "INSERT INTO t VALUES (99)"


def test_statements_that_differ_in_values_are_measured_as_one_and_others_alone(cursor: Any) -> None:
    looked = []

    class Meter(ImpactMeter):
        def statement_done(self, timing: Any) -> None:
            looked.append(timing["line"])
            super().statement_done(timing)

    inserts = [f"INSERT INTO t VALUES ({value})" for value in range(6)]
    written = as_parsed(*inserts, "ALTER TABLE t ADD b text", "UPDATE t SET b = 'x' WHERE a > 2")
    timings = run_script(cursor, written, Meter(cursor))
    assert looked == [1, 6, 7, 8]
    assert [(one["line"], one["kind"], one["rows"], one.get("alike")) for one in timings] == [
        (1, "InsertStmt", 6, 6),
        (7, "AlterTableStmt", None, None),
        (8, "UpdateStmt", 3, None),
    ]
    assert [lock["mode"] for lock in timings[0]["locks"]] == ["RowExclusiveLock"]
    assert timings[0]["wal_bytes"] > 0
    assert "AccessExclusiveLock" in {lock["mode"] for lock in timings[1]["locks"]}


def test_the_one_that_fails_of_many_that_are_alike_is_named(cursor: Any) -> None:
    with pytest.raises(ScriptFailed, match=r"line 3: .*violates check constraint"):
        run_script(cursor, as_parsed(*(f"INSERT INTO t VALUES ({value})" for value in (1, 2, 33, 4))))


def test_a_percent_sign_is_no_placeholder(cursor: Any) -> None:
    timings = run_script(cursor, script("INSERT INTO t SELECT 1 WHERE 'a%s' LIKE '%'", "SELECT '%(x)s'"))
    assert [(one["line"], one["kind"], one["rows"]) for one in timings] == [
        (1, "INSERT", 1),
        (2, "SELECT", 1),
    ]
    assert all(one["seconds"] >= 0 for one in timings)


def test_a_hint_of_the_author_reaches_the_person(cursor: Any) -> None:
    text = "DO $$ BEGIN RAISE EXCEPTION 'not now' USING HINT = 'roll 010 back first'; END $$"
    with pytest.raises(ScriptFailed, match=r"line 1: not now Hint: roll 010 back first"):
        run_script(cursor, script(text))


def test_what_is_deferred_counts_to_the_last_statement(cursor: Any) -> None:
    cursor.execute(
        """CREATE TABLE other (a int);
           INSERT INTO other VALUES (1);
           CREATE FUNCTION clear() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_sleep(0.2); TRUNCATE other; RETURN NULL; END';
           CREATE CONSTRAINT TRIGGER clear AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION clear()"""
    )
    cursor.connection.commit()
    meter = ImpactMeter(cursor)
    timings = apply_migration(
        cursor, migration("9", ["INSERT INTO t VALUES (1)", "CREATE TABLE third ()"], []), meter
    )
    first, last = timings
    assert first["rewritten"] == []
    assert last["rewritten"] == ["public.other"]
    assert {"table": "public.other", "mode": "AccessExclusiveLock"} in last["locks"]
    assert last["seconds"] >= 0.2 > first["seconds"]
    impact = meter.result()
    assert impact["rewritten"] == {"public.other": None}
    assert last["wal_bytes"] > 0
    # The record of versions, which is written afterwards, is not the migration's.
    assert {lock["table"]: lock["line"] for lock in impact["locks"]} == {"public.t": 1, "public.other": 2}


def test_an_error_in_the_middle_ends_the_script_where_psql_goes_on(
    server: LocalServer, database: str, cursor: Any, tmp_path: Path
) -> None:
    """psql reports success after an error unless it is told to stop (manual, "psql", exit status)."""
    statements = ("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (99)", "INSERT INTO t VALUES (3)")
    file = tmp_path / "x.sql"
    file.write_text(";\n".join(statements), encoding="utf-8")
    where = [f"--host={server.host}", f"--port={server.port}", f"--username={server.user}", database]
    psql = [str(Path(server.bindir, "psql")), "--no-psqlrc", "--quiet", f"--file={file}", *where]
    assert subprocess.run(psql, capture_output=True, check=False).returncode == 0
    cursor.execute("SELECT array_agg(a) FROM t")
    assert cursor.fetchone() == ([1, 3],)
    cursor.execute("TRUNCATE t")
    cursor.connection.commit()
    with pytest.raises(ScriptFailed, match="line 2"):
        run_script(cursor, script(*statements))
    cursor.connection.rollback()
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (0,)


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["SELECT true", "SELECT false"], "line 2: the check returned false"),
        (["SELECT x FROM (VALUES (true), (false)) AS v(x)"], "line 1: the check returned false"),
        (["SELECT false, 'two tags', 7"], r"line 1: the check returned false: \('two tags', 7\)"),
        (["SELECT 1/0"], "line 1: division by zero"),
    ],
)
def test_a_check_fails_by_a_false_row_or_an_error(cursor: Any, statements: list[Any], expected: str) -> None:
    with pytest.raises(ScriptFailed, match=expected):
        check_script(cursor, script(*statements))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT true, false",
        "SELECT NULL::boolean",
        "SELECT 0",
        "SELECT 'false'",
        "SELECT false WHERE false",
        "CREATE TABLE x ()",
        "SELECT",
    ],
)
def test_anything_else_holds(cursor: Any, statement: str) -> None:
    check_script(cursor, script(statement))


def test_a_check_leaves_no_trace_whether_it_holds_or_not(cursor: Any) -> None:
    cursor.execute("INSERT INTO t VALUES (1)")
    with undone_afterwards(cursor):
        check_script(cursor, script("INSERT INTO t VALUES (2)", "SET LOCAL lock_timeout = '7s'"))
    with pytest.raises(ScriptFailed), undone_afterwards(cursor):
        check_script(cursor, script("INSERT INTO t VALUES (3)", "SELECT 1/0"))
    cursor.execute("SELECT array_agg(a), current_setting('lock_timeout') FROM t")
    assert cursor.fetchone() == ([1], "0"), "and the transaction goes on"


# Locks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def blocker(server: LocalServer, database: str, cursor: Any) -> Iterator[Any]:
    """A session that holds the table."""
    with contextlib.closing(server.connect(database)) as connection:
        with connection.cursor() as blocking:
            blocking.execute("SET application_name = 'nightly report'")
            connection.commit()
            blocking.execute("SELECT sum(a) FROM t")
        yield connection


def alter(connection: Any, policy: Any, attempts: Any) -> Any:
    def attempt() -> None:
        attempts.append(time.monotonic())
        try:
            with connection.cursor() as cursor:
                policy.set_in(cursor)
                run_script(cursor, script("ALTER TABLE t ADD b int"))
            connection.commit()
        except psycopg2.Error:
            connection.rollback()
            raise

    return attempt


def test_attempts_are_bounded_and_the_blocking_session_is_named(
    server: LocalServer, database: str, connection: Any, blocker: Any
) -> None:
    policy, attempts = LockPolicy(timeout_seconds=0.5, attempts=3, pause_seconds=0.05), []
    with (
        BlockerWatch(target(server, database), connection.info.backend_pid) as watch,
        pytest.raises(StepFailed) as failed,
    ):
        with_lock_retries(alter(connection, policy, attempts), policy, watch.sentences)
    assert len(attempts) == 3
    assert 1.5 <= time.monotonic() - attempts[0] < 15
    reason = failed.value.reason
    assert "No lock after 3 attempts of 0.5 s each (canceling statement due to lock timeout)" in reason
    who = (
        f"pid {blocker.info.backend_pid} (user {server.user}, application nightly report, idle in transaction"
    )
    assert who in reason
    assert "SELECT sum(a) FROM t" in reason


def test_a_lock_that_is_given_up_meanwhile_is_got(
    server: LocalServer, database: str, connection: Any, blocker: Any
) -> None:
    policy, attempts = LockPolicy(timeout_seconds=0.3, attempts=20, pause_seconds=0.05), []
    timer = threading.Timer(1.0, blocker.rollback)
    timer.start()
    with_lock_retries(alter(connection, policy, attempts), policy)
    timer.join()
    assert 1 < len(attempts) < 20
    with connection.cursor() as cursor:
        cursor.execute("SELECT b FROM t")


def test_nobody_queues_behind_the_migration_for_longer_than_one_attempt(
    server: LocalServer, database: str, connection: Any, blocker: Any
) -> None:
    """The reason for a short lock_timeout: a waiting ALTER TABLE makes every reader wait."""
    policy = LockPolicy(timeout_seconds=0.4, attempts=3, pause_seconds=0.2)
    waits = []

    def read() -> None:
        with contextlib.closing(server.connect(database)) as reader:
            reader.autocommit = True
            with reader.cursor() as cursor:
                for _ in range(10):
                    began = time.monotonic()
                    cursor.execute("SELECT count(*) FROM t")
                    waits.append(time.monotonic() - began)
                    time.sleep(0.05)

    thread = threading.Thread(target=read)
    thread.start()
    with pytest.raises(StepFailed):
        with_lock_retries(alter(connection, policy, []), policy)
    thread.join()
    assert max(waits) < 0.4 + 1.5, "one attempt, and what a busy machine adds"


def test_other_errors_are_not_tried_again(connection: Any, cursor: Any) -> None:
    attempts = []

    def attempt() -> None:
        attempts.append(1)
        cursor.execute("SELECT 1/0")

    with pytest.raises(psycopg2.errors.DivisionByZero):
        with_lock_retries(attempt, LockPolicy(0.1, 5, 0.01))
    assert len(attempts) == 1


def test_the_limits_end_with_the_transaction(connection: Any, cursor: Any) -> None:
    limits = (
        "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')"
    )
    LockPolicy(timeout_seconds=1.5, statement_timeout_seconds=900).set_in(cursor)
    cursor.execute(limits)
    assert cursor.fetchone() == ("1500ms", "15min", "1min")
    connection.commit()
    cursor.execute(limits)
    assert cursor.fetchone() == ("0", "0", "0")


def test_a_statement_that_takes_too_long_is_ended_and_the_variable_is_named(cursor: Any) -> None:
    LockPolicy(statement_timeout_seconds=0.2).set_in(cursor)
    with pytest.raises(ScriptFailed, match=r"line 1: canceling statement .*\(statement_timeout_seconds is"):
        run_script(cursor, script("SELECT pg_sleep(60)"))


def test_a_watch_without_a_server_does_no_harm() -> None:
    nowhere = {"login_host": "/nowhere", "login_port": 1, "login_db": "x"}
    with BlockerWatch(nowhere, 1) as watch:
        assert watch.sentences() == []


@pytest.mark.parametrize(("timeout", "attempts"), [(0, 3), (0.0001, 3), (2, 0)])
def test_no_policy_waits_for_ever_or_never_tries(timeout: float | int, attempts: int) -> None:
    given = {name: option["default"] for name, option in LOCK_SPEC.items()}
    LockPolicy.from_params(given)
    with pytest.raises(Refused, match="lock_timeout_seconds must be at least"):
        LockPolicy.from_params({**given, "lock_timeout_seconds": timeout, "lock_attempts": attempts})


# Settings that a script leaves ---------------------------------------------------------------------------

READ = "current_setting('app.tenant', true)"
IS_THERE = f"DO $$ BEGIN IF {READ} IS NOT NULL THEN RAISE 'there'; END IF; END $$"


def applied(cursor: Any, *statements: Any) -> None:
    apply_migration(cursor, migration(f"m{time.monotonic_ns()}", list(statements), []))


@pytest.mark.parametrize(
    "leaves", ["SET LOCAL app.tenant = '7'", "SELECT set_config('app.tenant', '7', false)"]
)
def test_what_a_script_has_left_decides_nothing_in_the_next(cursor: Any, leaves: str) -> None:
    applied(cursor, leaves)
    with pytest.raises(ScriptFailed, match=r"reads app\.tenant, which an earlier script") as failed:
        applied(cursor, IS_THERE)
    assert failed.value.code == "setting_of_another_script"
    cursor.connection.rollback()
    # Not even the end of the transaction takes it away.
    with pytest.raises(ScriptFailed, match=r"reads app\.tenant"):
        applied(cursor, IS_THERE)
    applied(cursor, IS_THERE.replace(READ, f"nullif({READ}, '')"))
    applied(cursor, "SET LOCAL app.tenant = '8'", "SELECT current_setting('app.tenant')")


def test_what_the_database_sets_is_nobodys_left_over(
    server: LocalServer, database: str, connection: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{database}" SET app.tenant = 7')
    connection.commit()
    with contextlib.closing(server.connect(database)) as another, another.cursor() as cursor:
        applied(cursor, "SET LOCAL app.tenant = '8'")
        applied(cursor, "CREATE TABLE t AS SELECT current_setting('app.tenant') AS tenant")
        cursor.execute("SELECT tenant FROM t")
        assert cursor.fetchall() == [("7",)]
