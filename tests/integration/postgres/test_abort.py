# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change that is in the way of others is cancelled while it can be undone, and no statement after it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import abort
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.abort import (
    ABORT_SPEC,
    AbortPolicy,
    AbortWatch,
    sessions_behind,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from psycopg2.extensions import connection as Connection

from demo.local_server import LocalServer
from tests.integration.step_runs import target
from tests.streaming import until

SOON = AbortPolicy(sessions=1, seconds=0)
# Those of one database: a session of another test's watch may end later than its test.
WATCHES = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = %s AND query LIKE '%%pg_blocking_pids(w.pid)%%' AND pid <> pg_backend_pid()
"""


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abort, "LOOK_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(abort, "CONNECT_AGAIN_SECONDS", 0.02)


@pytest.fixture
def ours(server: LocalServer, database: str) -> Iterator[Connection]:
    """The session that changes production: of the runbook, as the watch's own is."""
    with contextlib.closing(connect(target(server, database))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE public.notes (); CREATE TABLE public.others ()")
        connection.commit()
        yield connection


class Waiting:
    """A session of the application with a statement that waits."""

    def __init__(self, server: LocalServer, database: str, *statements: str, role: str = "midi") -> None:
        self.connection = psycopg2.connect(
            host=server.host, port=server.port, user=role, dbname=database, application_name="web"
        )
        self.pid = self.connection.info.backend_pid
        self.statements = statements
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with contextlib.closing(self.connection), self.connection.cursor() as cursor:
            for statement in self.statements:
                cursor.execute(statement)

    def __enter__(self) -> Waiting:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(60)


def run(connection: Connection, *statements: str) -> Any:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def waits(server: LocalServer, one: Waiting) -> None:
    with contextlib.closing(server.connect()) as connection:
        connection.autocommit = True
        until(
            lambda: run(connection, f"SELECT 1 FROM pg_locks WHERE NOT granted AND pid = {one.pid}"),
            "it waits for a lock",
        )


def test_who_waits_longer_than_a_moment_has_the_statement_cancelled(
    server: LocalServer, database: str, ours: Connection
) -> None:
    reads = Waiting(server, database, "SELECT 'personal' FROM notes")

    def change(watch: AbortWatch) -> None:
        with watch.armed(ours):
            run(ours, "LOCK TABLE public.notes")
            reads.thread.start()
            run(ours, "SELECT pg_sleep(600)")

    with AbortWatch(target(server, database), SOON) as watch:
        with pytest.raises(StepFailed) as ended:
            change(watch)
        ours.rollback()
        assert run(ours, "SELECT 1") == [(1,)], "what comes afterwards is not cancelled"
    reads.thread.join()
    assert ended.value.code == "aborted_for_blocked_sessions"
    assert ended.value.details["blocked"] == [
        f"pid {reads.pid} (user midi, application web) waited for public.notes: SELECT 'personal' FROM notes"
    ]
    assert "1 session waited behind this change for 0 s or longer" in ended.value.reason
    assert watch.said() == []


def test_one_that_is_between_two_statements_is_ended_before_its_commit(
    server: LocalServer, database: str, ours: Connection
) -> None:
    def change(watch: AbortWatch) -> None:
        with watch.armed(ours):
            run(ours, "LOCK TABLE public.notes")
            reads.thread.start()
            until(lambda: watch._why, "the watch sees it")

    reads = Waiting(server, database, "SELECT FROM notes")
    with AbortWatch(target(server, database), SOON) as watch:
        with pytest.raises(StepFailed):
            change(watch)
        ours.rollback()
    reads.thread.join()


def test_what_has_committed_by_itself_is_no_failure(
    server: LocalServer, database: str, ours: Connection
) -> None:
    reads = Waiting(server, database, "SELECT FROM notes")
    with AbortWatch(target(server, database), SOON) as watch, contextlib.ExitStack() as stack:
        with watch.armed(ours, undone=False):
            run(ours, "LOCK TABLE public.notes")
            stack.enter_context(reads)
            until(lambda: watch._why, "the watch sees it")
        ours.rollback()


def test_fewer_than_are_allowed_or_for_a_shorter_time_are_let_wait(
    server: LocalServer, database: str, ours: Connection
) -> None:
    for policy in (AbortPolicy(2, 0), AbortPolicy(1, 600)):
        reads = Waiting(server, database, "SELECT FROM notes")
        with AbortWatch(target(server, database), policy) as watch, contextlib.ExitStack() as stack:
            with watch.armed(ours):
                run(ours, "LOCK TABLE public.notes")
                stack.enter_context(reads)
                waits(server, reads)
                until(lambda watch=watch: watch._since, "the watch has seen it")
            ours.rollback()


def test_who_waits_for_one_that_waits_for_us_counts_and_who_waits_for_others_does_not(
    server: LocalServer, database: str, ours: Connection
) -> None:
    """Also for a role that is not shown the statements of others."""
    run(ours, "CREATE ROLE modest LOGIN")
    ours.commit()
    with contextlib.closing(server.connect(database)) as other, contextlib.ExitStack() as stack:
        run(other, "LOCK TABLE others")
        run(ours, "LOCK TABLE public.notes")
        first, second, elsewhere = (
            Waiting(server, database, *statements)
            for statements in (
                ("BEGIN; SELECT pg_advisory_xact_lock(7)", "SELECT FROM notes"),
                ("SELECT pg_advisory_xact_lock(7)",),
                ("SELECT FROM others",),
            )
        )
        for one in (first, second, elsewhere):
            stack.enter_context(one)
            waits(server, one)
        with (
            contextlib.closing(connect({**target(server, database), "login_user": "modest"})) as modest,
            modest.cursor() as cursor,
        ):
            assert sorted(sessions_behind(cursor, ours.info.backend_pid)) == sorted([first.pid, second.pid])
        ours.rollback()
        other.rollback()
    run(ours, "DROP ROLE modest")
    ours.commit()


def test_a_watch_that_has_trouble_looks_again_and_ends_nothing_by_that(
    server: LocalServer, database: str, ours: Connection
) -> None:
    def watches() -> list[tuple]:
        with contextlib.closing(server.connect()) as other, other.cursor() as cursor:
            cursor.execute(WATCHES, (database,))
            return cursor.fetchall()

    with AbortWatch(target(server, database), SOON) as watch, watch.armed(ours):
        until(watches, "it looks")
        (before,) = watches()
        run(ours, f"SELECT pg_terminate_backend({before[0]})")
        until(lambda: [one for one in watches() if one != before], "it looks again")
    (said,) = watch.said()
    assert "terminated abnormally" in said or "terminating connection" in said
    assert watch.said() == []
    until(lambda: not watches(), "the server has seen that no session is left")
    ours.rollback()

    nowhere = {**target(server, database), "login_port": 1}
    with AbortWatch(nowhere, SOON) as watch, watch.armed(ours):
        until(lambda: watch._trouble, "it does not reach the server")
        run(ours, "SELECT 1")
    assert watch.said() != []
    ours.rollback()


def test_where_it_is_off_there_is_neither_a_thread_nor_a_session(ours: Connection) -> None:
    before = threading.active_count()
    policy = AbortPolicy.from_params({name: option["default"] for name, option in ABORT_SPEC.items()})
    with AbortWatch({}, policy) as watch, watch.armed(ours):
        assert threading.active_count() == before


def test_values_below_nought_are_refused() -> None:
    values = {name: option["default"] for name, option in ABORT_SPEC.items()}
    for name in ABORT_SPEC:
        with pytest.raises(Refused, match=name):
            AbortPolicy.from_params({**values, name: -1})
