# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Behind a pooler: one session for each transaction is refused before anything is set, one for the connection works."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.pooler import (
    backend_pid,
    shares_sessions,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target
from tests.pooler import PROGRAM, Pooler, pooler, truthful

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer (apt-get install pgbouncer)")

TRANSACTION = {"pool_mode": "transaction"}


def behind(pool: Pooler, runs: StepRuns) -> StepRuns:
    """The same database, through the pool."""
    return StepRuns(pool, runs.database, runs.folder)


@pytest.fixture
def transactions(server: LocalServer) -> Iterator[Pooler]:
    with pooler(server, **TRANSACTION) as pool:
        yield pool


@needs_pgbouncer
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"server_round_robin": "1", "min_pool_size": "5"},
        {"server_round_robin": "1", "default_pool_size": "2"},
        {"default_pool_size": "1"},
    ],
    ids=["the last one back first", "in a circle", "in a circle of two", "one session"],
)
def test_a_session_for_each_transaction_is_refused(runs: StepRuns, settings: dict[str, str]) -> None:
    with pooler(runs.server, **TRANSACTION, **settings) as pool:
        with _busy(pool, runs.database, 0 if "default_pool_size" in settings else 3):
            _open_all(pool, runs.database, int(settings.get("default_pool_size", 1)))
            answer = behind(pool, runs).step("preflight")
        assert (answer["outcome"], answer["reason_code"]) == ("refused", "connection_pooled"), answer
        assert "Set db_host and db_port to the server itself" in answer["msg"]
        assert _settings_left_behind(pool, runs.database) == set()
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]


@needs_pgbouncer
def test_so_is_the_server_of_the_copy(runs: StepRuns, transactions: Pooler) -> None:
    answer = runs.step("preflight", copy_target=target(transactions, "postgres"))
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "connection_pooled"), answer


@needs_pgbouncer
def test_a_session_for_each_statement_is_not_connected_to(runs: StepRuns) -> None:
    with pooler(runs.server, pool_mode="statement") as pool:
        answer = behind(pool, runs).step("preflight")
    assert answer["reason_code"] == "connection_pooled", answer


@needs_pgbouncer
def test_a_pooler_that_tells_the_process_id_of_the_server_is_found_by_what_it_does(runs: StepRuns) -> None:
    """Where libpq is told the truth, only what changes from one transaction to the next tells."""
    with pooler(runs.server, **TRANSACTION, default_pool_size="1") as pool:
        with contextlib.closing(pool.connect_pooled(runs.database)) as connection:
            pid = backend_pid(connection)
        with truthful(pool, pid) as proxy:
            with contextlib.closing(proxy.connect_pooled(runs.database)) as connection:
                assert connection.info.backend_pid == backend_pid(connection) == pid
            answer = behind(proxy, runs).step("preflight")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "connection_pooled"), answer


@needs_pgbouncer
def test_a_session_for_the_connection_works_from_preflight_to_the_end(runs: StepRuns) -> None:
    with pooler(runs.server, pool_mode="session", default_pool_size="50") as pool:
        pooled = behind(pool, runs)
        pooled.deploy()
        assert runs.ask("SELECT version FROM schema_migrations ORDER BY 1") == [("001",), ("002",)]


@needs_pgbouncer
def test_who_blocks_a_migration_is_named_behind_a_pooler_too(runs: StepRuns) -> None:
    """libpq has a process id of the pooler's own there."""
    with pooler(runs.server, pool_mode="session", default_pool_size="50") as pool:
        pooled = behind(pool, runs)
        pooled.up_to("rehearse")
        with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
            cursor.execute("LOCK TABLE notes IN ACCESS SHARE MODE")
            answer = pooled.step("apply", lock_attempts=1, lock_timeout_seconds=1)
            assert answer["reason_code"] == "lock_not_available", answer
            assert f"pid {other.info.backend_pid} (user midi" in answer["msg"]


def test_the_server_itself_gives_each_connection_its_own(server: LocalServer) -> None:
    with (
        contextlib.closing(server.connect()) as first,
        contextlib.closing(server.connect()) as second,
    ):
        assert not shares_sessions(first, second)
        assert backend_pid(first) == first.info.backend_pid


@contextlib.contextmanager
def _busy(pool: Pooler, database: str, clients: int) -> Iterator[None]:
    """Inside, the application has sessions of the pool in transactions that are open."""
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            connection = stack.enter_context(contextlib.closing(pool.connect_pooled(database)))
            connection.cursor().execute("SELECT")
        yield


def _open_all(pool: Pooler, database: str, sessions: int) -> None:
    """The pool has as many sessions, all free; one whose transaction were left open would be closed."""
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(contextlib.closing(pool.connect_pooled(database))) for _ in range(sessions)
        ]
        for connection in opened:
            connection.cursor().execute("SELECT")
        for connection in opened:
            connection.rollback()


def _settings_left_behind(pool: Pooler, database: str) -> set[str]:
    """The search_path of sessions in the pool, where it is not what the application finds there."""
    paths = set()
    for _ in range(20):
        with contextlib.closing(pool.connect_pooled(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW search_path")
            paths.add(cursor.fetchone()[0])
    return paths - {'"$user", public'}
