# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A transaction that has touched the database's own row is in the way of maintenance_mode and of a swap.

It is mostly one of another database: nothing of the application's has to be locked.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import maintenance
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.lock_waits import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.restore import swap as swap_of_databases
from ansible_collections.pgops.runbook.plugins.module_utils.steps import announce
from psycopg2 import sql

from tests.integration.restore_runs import Restore, closed, drop_what_restores_left, replaced, wait_for
from tests.integration.step_runs import StepRuns

SHORT = {"lock_timeout_seconds": 0.5, "lock_attempts": 2, "lock_pause_seconds": 0.1}

TOUCHES = {
    "comment": "COMMENT ON DATABASE {} IS 'touched'",
    "grant": "GRANT TEMPORARY ON DATABASE {} TO PUBLIC",
    "lock": "LOCK TABLE pg_catalog.pg_database IN EXCLUSIVE MODE",
    "setting": "ALTER DATABASE {} SET work_mem = '5MB'",
}


class Onlooker:
    """A session of another database, whose transaction stays open."""

    def __init__(self, runs: StepRuns) -> None:
        self.database = runs.database
        server = runs.server
        self.session = psycopg2.connect(
            host=server.host,
            port=server.port,
            user=server.user,
            dbname="postgres",
            application_name="a person",
        )

    def touch(self, what: str) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(sql.SQL(TOUCHES[what]).format(sql.Identifier(self.database)))

    def lives(self) -> bool:
        with contextlib.suppress(psycopg2.Error), self.session.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
        return False

    def is_named_in(self, text: str) -> bool:
        return f"pid {self.session.info.backend_pid} (user " in text and "application a person" in text


@pytest.fixture
def onlooker(runs: StepRuns, admin: StepRuns) -> Iterator[Onlooker]:
    made = Onlooker(runs)
    yield made
    made.session.close()


@pytest.fixture
def begun(runs: StepRuns) -> StepRuns:
    """A run that has noted that it takes the application out of service."""
    runs.must("preflight")
    runs.must("maintenance_window", takes_out_of_service=True, by_command=False)
    return runs


def gets_in(runs: StepRuns) -> bool:
    with contextlib.suppress(psycopg2.OperationalError):
        runs.ask("SELECT 1")
        return True
    return False


# maintenance_mode ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "what"), [("block", "grant"), ("block", "lock"), ("read_only", "setting")])
def test_maintenance_mode_waits_for_no_other_transaction_without_an_end(
    begun: StepRuns, onlooker: Onlooker, tmp_path: Path, mode: str, what: str
) -> None:
    before = begun.ask("SELECT datacl::text FROM pg_database WHERE datname = current_database()")
    onlooker.touch(what)
    answer = begun.step("maintenance_window", mode=mode, grace_seconds=0.2, **SHORT)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "lock_not_available"), answer
    assert onlooker.is_named_in(answer["msg"]), answer["msg"]
    assert "The application was not taken out of service, and nothing was changed." in answer["msg"]
    assert onlooker.lives()
    onlooker.session.rollback()
    assert begun.ask("SELECT datacl::text FROM pg_database WHERE datname = current_database()") == before
    assert not begun.step("maintenance_window", mode=mode, grace_seconds=0.2, **SHORT).get("failed")
    begun.must("announce", outcome="", maintenance_ended=True)


def test_who_is_waited_for_is_told_meanwhile(begun: StepRuns, onlooker: Onlooker, tmp_path: Path) -> None:
    onlooker.touch("grant")
    path = tmp_path / "progress"
    process = begun.start(
        "maintenance_window",
        mode="block",
        grace_seconds=0.2,
        progress_file=str(path),
        lock_timeout_seconds=30,
    )

    def told() -> list[dict[str, Any]]:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    try:
        # Autovacuum may stand in the way first, and is named then.
        wait_for(
            lambda: (
                process.poll() is not None
                or any(onlooker.is_named_in(one.get("waits_for") or "") for one in told())
            )
        )
        assert process.poll() is None, told()
        onlooker.session.rollback()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.stdout.close()
    begun.must("announce", outcome="", maintenance_ended=True)


def test_a_session_of_another_database_is_not_taken_for_one_that_is_connecting(
    begun: StepRuns, onlooker: Onlooker
) -> None:
    onlooker.touch("comment")
    # Were it taken for one, it would be waited for as long as that.
    assert not begun.step("maintenance_window", mode="block", grace_seconds=3600, **SHORT).get("failed")
    begun.must("announce", outcome="", maintenance_ended=True)


def test_the_end_of_maintenance_mode_names_who_is_in_its_way(
    begun: StepRuns, onlooker: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announce, "LOCKS", LockPolicy(0.5, 2, 0.1))
    begun.must("maintenance_window", mode="block", grace_seconds=0.2)
    onlooker.touch("grant")
    answer = begun.step("announce", outcome="", maintenance_ended=True)
    assert answer["reason_code"] == "lock_not_available"
    assert onlooker.is_named_in(answer["msg"])
    assert "maintenance_mode still holds" in answer["msg"]
    assert "ansible-playbook playbooks/status.yml" in answer["msg"]
    onlooker.session.rollback()
    assert begun.must("announce", outcome="", maintenance_ended=True)["outputs"] == {"mode_ended": "block"}


# The swap --------------------------------------------------------------------------------------------------


@pytest.fixture
def restore(proven: StepRuns) -> Restore:
    """A restore that is about to swap."""
    made = Restore(proven)
    made.steps("preflight", "restore", "count_rows")
    return made


@pytest.mark.parametrize("what", ["comment", "grant", "lock"])
def test_a_swap_waits_for_no_other_transaction_without_an_end(
    restore: Restore, proven: StepRuns, admin: StepRuns, onlooker: Onlooker, what: str
) -> None:
    onlooker.touch(what)
    answer = restore.step("swap", **SHORT)
    assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "lock_not_available"), answer
    assert onlooker.is_named_in(answer["msg"]), answer["msg"]
    assert "nothing was swapped" in answer["msg"]
    assert onlooker.lives(), "it is a session of another database"
    assert not closed(admin, proven.database)
    assert gets_in(proven)
    onlooker.session.rollback()
    restore.run.conclude("unchanged")
    again = Restore(proven)
    again.steps("preflight", "restore", "count_rows", "swap", **SHORT)
    assert len(replaced(admin, proven.database)) == 1


def when_it_is_closed(
    admin: StepRuns, onlooker: Onlooker, what: str, seconds: float = 60, let_go: threading.Event | None = None
) -> threading.Thread:
    """Touch the database when the application is kept out, and let go after some time, or when told."""

    def work() -> None:
        wait_for(lambda: closed(admin, onlooker.database))
        onlooker.touch(what)
        (let_go or threading.Event()).wait(seconds)
        onlooker.session.rollback()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between holding the application off and the renaming there is time."""
    real = swap_of_databases.DatabaseSwap.hold_off

    def hold_off(*arguments: Any) -> None:
        real(*arguments)
        time.sleep(1.5)

    monkeypatch.setattr(swap_of_databases.DatabaseSwap, "hold_off", hold_off)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("what", ["comment", "grant"])
def test_the_application_is_let_in_where_the_names_cannot_be_had(
    restore: Restore, proven: StepRuns, admin: StepRuns, onlooker: Onlooker, what: str
) -> None:
    touching = when_it_is_closed(admin, onlooker, what, 5)
    answer = restore.step("swap", **SHORT)
    touching.join()
    assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "lock_not_available"), answer
    assert onlooker.is_named_in(answer["msg"])
    assert "nothing was swapped and the application was let in again" in answer["msg"]
    assert not closed(admin, proven.database)
    assert onlooker.lives()


@pytest.mark.usefixtures("slow")
def test_where_it_cannot_be_let_in_either_that_is_said(
    restore: Restore,
    proven: StepRuns,
    admin: StepRuns,
    onlooker: Onlooker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swap_of_databases, "LET_IN", LockPolicy(0.5, 3, 0.1))
    monkeypatch.setattr(maintenance, "LOCK_WAIT_SECONDS", 0.3)
    let_go = threading.Event()
    touching = when_it_is_closed(admin, onlooker, "grant", let_go=let_go)
    answer = restore.step("swap", **SHORT)
    assert (answer["outcome"], answer["reason_code"]) == ("failed", "application_not_let_in")
    assert f"Database {proven.database} lets nobody in" in answer["msg"], answer["msg"]
    assert onlooker.is_named_in(answer["msg"])
    assert "nothing was swapped" in answer["msg"]
    assert "ansible-playbook playbooks/status.yml" in answer["msg"]
    blocked = proven.another("status").step("status")
    assert blocked["reason_code"] == "lock_not_available", blocked
    assert onlooker.is_named_in(blocked["msg"])
    let_go.set()
    touching.join()
    assert closed(admin, proven.database)
    assert "It lets everybody in again" in str(proven.another("status").must("status")["warnings"])
    assert not closed(admin, proven.database)
    drop_what_restores_left(admin, proven.database)
