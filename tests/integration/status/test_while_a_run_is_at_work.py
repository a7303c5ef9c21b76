# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The status beside a run: it says what is true before the run's change or after it, and never half of each."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK, Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.status import reading
from ansible_collections.pgops.runbook.plugins.module_utils.status.reading import read_status

from tests.integration.restore_runs import wait_for
from tests.integration.step_runs import StepRuns, target

# The script of a migration stops here in production, as long as the test wants it to; not by waiting for a lock, which
# it would do for two seconds at most.
STOP = (
    "DO $$ BEGIN WHILE current_database() NOT LIKE 'runbook%' AND NOT pg_try_advisory_xact_lock(4711) LOOP"
    " PERFORM pg_sleep(0.02); END LOOP; END $$;"
)
STOPPED = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
READER_WAITS = "SELECT FROM pg_locks WHERE relation = 'notes'::regclass AND NOT granted"


def status(runs: StepRuns) -> dict[str, Any]:
    return runs.another("status").must("status")["outputs"]


def states(found: dict[str, Any]) -> dict[str, str]:
    return {one["version"]: one["state"] for one in found["migrations"]}


@contextlib.contextmanager
def at_work(runs: StepRuns, step: str) -> Iterator[Callable[[], None]]:
    """A step in a process of its own that has come to STOP in its script; what is yielded lets it go on."""
    with contextlib.closing(runs.server.connect(runs.database)) as holder:
        with holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(4711)")
        process = runs.start(step)
        try:
            wait_for(lambda: runs.ask(STOPPED))
            yield holder.rollback
        finally:
            holder.rollback()
            assert process.wait(60) == 0


@pytest.fixture
def deployed_once(runs: StepRuns) -> StepRuns:
    """A record to compare the schema with."""
    runs.another(wanted="002").deploy()
    return runs


def stopping(runs: StepRuns) -> StepRuns:
    runs.write(
        migrations__003_mark=f"ALTER TABLE notes ADD COLUMN mark text; {STOP}",
        rollback__003_mark_rollback="ALTER TABLE notes DROP COLUMN mark;",
    )
    return runs.another(wanted="003")


def test_a_change_that_is_committed_while_the_status_reads_is_no_drift(deployed_once: StepRuns) -> None:
    run = stopping(deployed_once)
    run.up_to("rehearse")

    def go_on() -> None:
        wait_for(lambda: run.ask(READER_WAITS))
        let_go()

    with at_work(run, "apply") as let_go, ThreadPoolExecutor(1) as pool:
        gone = pool.submit(go_on)
        found = status(run)
        gone.result()
    assert found["drift"] == []
    assert states(found)["003"] == "applied", "it waited for the commit, and then read all of it anew"
    assert found["not_read"] == []


def test_a_lock_is_not_waited_for_long_and_who_holds_it_is_said(deployed_once: StepRuns) -> None:
    run = stopping(deployed_once)
    run.up_to("rehearse")
    with at_work(run, "apply"):
        found = status(run)
    assert found["drift"] == []
    assert states(found) == {"001": "applied", "002": "applied", "003": "pending"}
    (sentence,) = found["not_read"]
    assert sentence.startswith(
        "the schema was not compared: a lock was not granted within 2 s. It is held by pid "
    )
    assert found["unfinished_run"]["run_id"] == run.run_id
    assert found["at_work"]["user"] == run.server.user
    assert states(status(run))["003"] == "applied"


def test_between_two_steps_nobody_is_at_work(runs: StepRuns) -> None:
    runs.steps("preflight")
    found = status(runs)
    assert (found["at_work"], found["unfinished_run"]["run_id"]) == (None, runs.run_id)
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s), pg_backend_pid()", (RUN_LOCK,))
        pid = cursor.fetchone()[1]
        assert status(runs)["at_work"]["pid"] == pid


def read(runs: StepRuns) -> dict[str, Any]:
    index = runs.arguments("status")["plan"]["index"]
    with contextlib.closing(runs.server.connect(runs.database)) as connection:
        return read_status(connection, target(runs.server, runs.database), Ledger(), index)


@contextlib.contextmanager
def committed_soon(runs: StepRuns, *statements: str) -> Iterator[None]:
    """A transaction that holds its locks for half a second more, and commits."""
    with contextlib.closing(runs.server.connect(runs.database)) as connection:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        timer = threading.Timer(0.5, connection.commit)
        timer.start()
        yield
        timer.join()


def test_the_table_of_versions_may_go_while_it_is_read(runs: StepRuns) -> None:
    """As when the first migration is rolled back."""
    with committed_soon(runs, "DROP TABLE schema_migrations", "DROP TABLE notes"):
        found = read(runs)
    assert states(found) == {"001": "pending", "002": "pending"}
    assert found["not_read"] == []


def test_what_is_applied_is_not_guessed_where_it_cannot_be_read(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOCK_TIMEOUT_SECONDS", 0.3)
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE schema_migrations IN ACCESS EXCLUSIVE MODE")
        found = read(runs)
    assert states(found) == {"001": "unknown", "002": "unknown"}
    assert (found["in_place_but_unrecorded"], found["unknown_versions"]) == ([], [])
    assert found["not_read"][0].startswith(
        "which migrations are applied was not read: a lock was not granted"
    )


def test_statements_that_commit_one_by_one_are_no_drift_either(deployed_once: StepRuns) -> None:
    runs = deployed_once
    runs.write(
        migrations__003_mark="-- Transaction: none\nALTER TABLE notes ADD COLUMN mark text;"
        f" {STOP} CREATE INDEX CONCURRENTLY marks ON notes (mark);",
        rollback__003_mark_rollback="-- Transaction: none\nDROP INDEX CONCURRENTLY marks;"
        " ALTER TABLE notes DROP COLUMN mark;",
    )
    run = runs.another(wanted="003")
    run.up_to("rehearse")
    with at_work(run, "apply"):
        found = status(run)
    assert found["drift"] == []
    half = found["half_done"]
    assert (half["migration"], half["direction"], half["run_id"]) == ("003", "apply", run.run_id)
    after = status(run)
    assert (after["half_done"], after["drift"], states(after)["003"]) == (None, [], "applied")
