# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connections and controllers that are lost around COMMIT."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import blockers
from ansible_collections.pgops.runbook.plugins.module_utils.production import hooks
from ansible_collections.pgops.runbook.plugins.module_utils.production.attempt import commit_or_find_out
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Receipt
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.production.applied import applied
from tests.integration.step_runs import StepRuns
from tests.streaming import changed_settings


def test_connection_lost_before_commit_took_effect(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    # A deferred trigger runs when COMMIT has begun and has not taken effect. The runbook has set all of them immediate
    # by then, so that this one has to be deferred again.
    runs.execute(
        "CREATE FUNCTION runbook.wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN SET CONSTRAINTS runbook.die DEFERRED; RETURN new; END'",
        "CREATE TRIGGER wait BEFORE INSERT ON runbook.receipt FOR EACH ROW EXECUTE FUNCTION runbook.wait()",
        "CREATE FUNCTION runbook.die() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON runbook.receipt DEFERRABLE INITIALLY DEFERRED"
        ' FOR EACH ROW WHEN (new.document LIKE \'%"status":"ok","step":"apply"%\')'
        " EXECUTE FUNCTION runbook.die()",
    )
    answer = runs.step("apply")
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert "connection was lost at COMMIT and the transaction was rolled back" in answer["msg"]
    assert not applied(runs)
    assert [one["status"] for one in answer["receipts"]] == ["failed"], "the lost receipt is not reported"


def test_a_commit_that_no_standby_confirms_lets_its_locks_go(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its wait is for a standby that went in the last moment; nothing else ends it."""
    runs.execute(f"ALTER DATABASE {runs.database} SET synchronous_commit = local")
    runs.up_to("rehearse")
    wait_in_commit(monkeypatch)
    monkeypatch.setattr(blockers, "STANDBY_SECONDS", 1)
    with changed_settings(runs.server, synchronous_standby_names="nobody"):
        answer = runs.step("apply")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["replication"] == [blockers.UNCONFIRMED.format(seconds=1)]
    assert applied(runs)
    runs.steps("verify", "smoke_test")


def wait_in_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """COMMIT waits for standbys, behind the look for missing ones, which is the last thing before it."""

    def commit_waits(step: Step, receipt: Receipt) -> None:
        step.connection.cursor().execute("SET LOCAL synchronous_commit = 'on'")
        commit_or_find_out(step, receipt)

    monkeypatch.setattr(hooks, "commit_or_find_out", commit_waits)


def test_connection_lost_after_commit_took_effect(runs: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """COMMIT is durable here and waits for a standby that does not exist; then its session is ended."""
    runs.execute(f"ALTER DATABASE {runs.database} SET synchronous_commit = local")
    runs.up_to("rehearse")
    wait_in_commit(monkeypatch)
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    ended = []

    def end_the_waiting_session() -> None:
        deadline = time.monotonic() + 30
        while not ended and time.monotonic() < deadline:
            ended.extend(runs.ask(f"SELECT pid, pg_terminate_backend(pid) FROM ({waiting}) AS w"))
            time.sleep(0.05)

    runs.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    thread = threading.Thread(target=end_the_waiting_session)
    try:
        thread.start()
        answer = runs.step("apply")
    finally:
        runs.execute(
            "SET synchronous_commit = local",
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
        )
        thread.join()
    assert ended, "the session was ended while it waited in COMMIT"
    assert not answer.get("failed"), answer
    assert applied(runs)
    assert [one["status"] for one in answer["receipts"]] == ["ok"]
    runs.steps("verify", "smoke_test")


def test_a_controller_killed_after_apply_can_go_on(runs: StepRuns) -> None:
    """Applied twice in one run: the second time the ledger says that it is done."""
    first = runs.up_to("apply")
    again = runs.step("apply")
    assert not again.get("failed"), again
    assert (
        again["outputs"]["migrations"][0]["catalog_after"]
        == first["outputs"]["migrations"][0]["catalog_after"]
    )
    assert applied(runs)
