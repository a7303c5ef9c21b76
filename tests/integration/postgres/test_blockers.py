# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is in the way is named, down to the one whom all wait for.

A COMMIT that waits for a standby is let go after a while: that one, and nothing that its session does afterwards.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import blockers
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.blockers import BlockerWatch
from psycopg2.extensions import connection as Connection

from demo.local_server import LocalServer
from tests.integration.step_runs import target
from tests.streaming import changed_settings, execute, until

WAITS = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
SLEEPS = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def seen(server: LocalServer, query: str) -> bool:
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchall())


@pytest.fixture
def session(server: LocalServer, database: str) -> Iterator[Connection]:
    """In autocommit mode, where each statement that writes waits for a standby."""
    with contextlib.closing(server.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SET synchronous_commit = local; CREATE TABLE written (); SET synchronous_commit = on"
            )
        yield connection


def write(session: Connection) -> None:
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO written DEFAULT VALUES")


def let_go(server: LocalServer) -> None:
    execute(server, "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")


def test_a_commit_that_waits_too_long_is_let_go(
    server: LocalServer, database: str, session: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blockers, "STANDBY_SECONDS", 0.1)
    with (
        changed_settings(server, synchronous_standby_names="nobody"),
        BlockerWatch(target(server, database), session.info.backend_pid) as watch,
    ):
        write(session)
    assert watch.said_of_standbys() == [blockers.UNCONFIRMED.format(seconds=0.1)]


def test_the_statement_after_a_commit_that_went_by_itself_is_not_cancelled(
    server: LocalServer, database: str, session: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standby comes when the watch has just seen the wait, and is about to end it."""

    class Clock:
        """Of the watch, which reads it between its look and what it does."""

        gone = False

        def monotonic(self) -> float:
            if self.gone:
                return time.monotonic() + 3600
            if seen(server, WAITS):
                let_go(server)
                until(lambda: seen(server, SLEEPS), "the next statement is at work")
                self.gone = True
            return time.monotonic() - 3600

    monkeypatch.setattr(blockers, "time", Clock())
    with (
        changed_settings(server, synchronous_standby_names="nobody"),
        BlockerWatch(target(server, database), session.info.backend_pid) as watch,
        session.cursor() as cursor,
    ):
        write(session)
        cursor.execute("SELECT pg_sleep(1)")
    assert watch.said_of_standbys() == []


# Who is in the way -----------------------------------------------------------------------------------------


@pytest.fixture
def waiting(server: LocalServer, database: str) -> Iterator[tuple[Connection, Connection, Connection]]:
    """Three sessions with a table."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(contextlib.closing(server.connect(database))) for _ in range(3)]
        with made[0], made[0].cursor() as cursor:
            cursor.execute("CREATE TABLE notes ()")
        yield made[0], made[1], made[2]


def lock(session: Connection, mode: str) -> None:
    with contextlib.suppress(psycopg2.Error), session.cursor() as cursor:
        cursor.execute(f"LOCK TABLE notes IN {mode} MODE")


@contextlib.contextmanager
def waits_for_lock(server: LocalServer, session: Connection, mode: str) -> Iterator[None]:
    """Inside, the session waits for a lock; afterwards it has ended."""
    pid = session.info.backend_pid
    thread = threading.Thread(target=lock, args=(session, mode))
    thread.start()
    try:
        until(
            lambda: seen(
                server, f"SELECT FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'"
            ),
            "it waits",
        )
        yield
    finally:
        execute(server, f"SELECT pg_terminate_backend({pid})")
        thread.join()


def test_who_is_waited_for_by_those_in_the_way_comes_first(
    server: LocalServer, database: str, waiting: tuple[Connection, Connection, Connection]
) -> None:
    first, second, third = waiting
    pids = [session.info.backend_pid for session in (first, second)]
    lock(first, "ACCESS SHARE")
    with (
        waits_for_lock(server, second, "ACCESS EXCLUSIVE"),
        # It would have its lock but for the second, which would have its own but for the first.
        waits_for_lock(server, third, "ROW SHARE"),
        BlockerWatch(target(server, database), third.info.backend_pid) as watch,
    ):
        until(lambda: bool(watch.sentences()), "somebody was seen")
        sentences = watch.sentences()
    assert [sentence.split()[1] for sentence in sentences] == list(map(str, pids))
    assert ", idle in transaction, " in sentences[0]
    assert ", waits itself, " in sentences[1]


@pytest.mark.parametrize("behind_another", [False, True])
def test_a_prepared_transaction_is_named(
    server: LocalServer,
    database: str,
    waiting: tuple[Connection, Connection, Connection],
    behind_another: bool,
) -> None:
    first, second, third = waiting
    lock(first, "ACCESS SHARE")
    with first.cursor() as cursor:
        # The name of another one, which is in nobody's way, is not told.
        cursor.execute(f"PREPARE TRANSACTION 'it''s of {database}'; BEGIN; CREATE TABLE others ()")
        cursor.execute(f"PREPARE TRANSACTION 'another of {database}'")
    try:
        with contextlib.ExitStack() as stack:
            if behind_another:
                stack.enter_context(waits_for_lock(server, second, "ACCESS EXCLUSIVE"))
            stack.enter_context(waits_for_lock(server, third, "ACCESS EXCLUSIVE"))
            watch = stack.enter_context(BlockerWatch(target(server, database), third.info.backend_pid))
            until(lambda: bool(watch.sentences()), "somebody was seen")
            told = watch.sentences()
    finally:
        first.rollback()
        first.autocommit = True
        with first.cursor() as cursor:
            cursor.execute(f"ROLLBACK PREPARED 'it''s of {database}'")
            cursor.execute(f"ROLLBACK PREPARED 'another of {database}'")
    prepared, *others = told
    assert f"name it's of {database}, user {server.user}, database {database}" in prepared
    assert "COMMIT PREPARED or ROLLBACK PREPARED" in prepared
    assert len(others) == behind_another


def test_what_holds_a_lock_is_told_also_where_it_is_prepared(
    server: LocalServer, database: str, waiting: tuple[Connection, Connection, Connection]
) -> None:
    first, second, third = waiting
    lock(first, "SHARE")
    lock(second, "SHARE")
    with first.cursor() as cursor:
        cursor.execute(f"PREPARE TRANSACTION 'of {database}'")
    try:
        with third.cursor() as cursor:
            told = blockers.sessions_that_hold(cursor)
    finally:
        first.rollback()
        first.autocommit = True
        with first.cursor() as cursor:
            cursor.execute(f"ROLLBACK PREPARED 'of {database}'")
    assert len(told) == 2
    assert told[0].startswith(f"pid {second.info.backend_pid} ")
    assert told[0].endswith(" holds notes")
    assert f"(name of {database}, " in told[1]


def test_what_is_over_at_once_needs_no_second_connection(
    server: LocalServer, database: str, session: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    real = blockers.connect

    def connect(*arguments: Any, **named: Any) -> Connection:
        opened.append(arguments)
        return real(*arguments, **named)

    monkeypatch.setattr(blockers, "connect", connect)
    with BlockerWatch(target(server, database), session.info.backend_pid):
        pass
    assert opened == []
    with BlockerWatch(target(server, database), session.info.backend_pid):
        until(lambda: bool(opened), "it looks")
