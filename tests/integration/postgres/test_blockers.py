# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A COMMIT that waits for a standby is let go after a while: that one, and nothing that its session does afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

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
