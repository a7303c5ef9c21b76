# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One attempt to change production: what fails leaves nothing behind, and a lost answer to COMMIT is looked for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, Unchanged
from ansible_collections.pgops.runbook.plugins.module_utils.execution.script import LockPolicy
from ansible_collections.pgops.runbook.plugins.module_utils.production import attempt
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.step_runs import StepRuns

ROWS = "SELECT count(*) FROM public.notes"
POLICY = LockPolicy(attempts=2, pause_seconds=0.05)


@pytest.fixture
def opened(runs: StepRuns) -> StepRuns:
    """A run that has begun, so that a step of it may work and write its receipt."""
    runs.must("preflight")
    return runs


def try_in_production(runs: StepRuns, work: Any) -> dict:
    """A step that tries ``work(step)`` in production; what it had tried is a row and a sequence."""

    def tried(step: Step) -> None:
        def one() -> None:
            with step.connection.cursor() as cursor:
                cursor.execute("INSERT INTO public.notes (body) VALUES ('tried')")
                cursor.execute("SELECT setval('public.notes_id_seq', 1)")
                step.record(cursor, "ok")
            work(step)

        attempt.in_production(step, one, POLICY, "It was not tried")

    return runs.work("maintenance_window", tried)


def nothing_is_left(runs: StepRuns, answer: dict) -> None:
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert runs.ask(ROWS) == [(3,)]
    assert runs.ask("SELECT nextval('notes_id_seq')") == [(4,)], "no ROLLBACK puts a setval() back"
    assert [one["status"] for one in answer["receipts"]] == ["failed"], "the one of the attempt is forgotten"


# In production -----------------------------------------------------------------------------------------


def test_an_error_of_the_server_is_said_in_one_line_and_undone(opened: StepRuns) -> None:
    def work(step: Step) -> None:
        with step.connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    answer = try_in_production(opened, work)
    assert (answer["reason_code"], answer["details"]["sqlstate"]) == ("postgresql_error", "22012")
    assert answer["msg"] == "It was not tried: division by zero."
    nothing_is_left(opened, answer)


def test_a_refusal_keeps_its_code_and_details(opened: StepRuns) -> None:
    def work(step: Step) -> None:
        raise Refused("script_checks_failed", "It does not hold.", line=3)

    answer = try_in_production(opened, work)
    assert (answer["reason_code"], answer["details"]) == ("script_checks_failed", {"line": 3})
    assert answer["msg"] == "It was not tried: It does not hold."
    nothing_is_left(opened, answer)


def test_a_lock_that_is_held_is_tried_again_from_the_start(opened: StepRuns) -> None:
    tries: list[int] = []

    def work(step: Step) -> None:
        with step.connection.cursor() as cursor:
            cursor.execute(ROWS)
            tries.append(cursor.fetchone()[0])
            cursor.execute("SELECT last_value FROM public.notes_id_seq")
            assert cursor.fetchone() == (1,)
            if len(tries) == 1:
                cursor.execute("DO $$ BEGIN RAISE lock_not_available; END $$")
        step.connection.commit()

    answer = try_in_production(opened, work)
    assert not answer.get("failed"), answer
    assert tries == [4, 4], "the second does not build on the first"
    assert [one["status"] for one in answer["receipts"]] == ["ok"], "only the one that was written"
    assert opened.ask(ROWS) == [(4,)]


def test_a_connection_that_is_lost_in_the_attempt_is_made_again_to_undo_it(opened: StepRuns) -> None:
    def work(step: Step) -> None:
        with step.connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    answer = try_in_production(opened, work)
    assert "It was not tried: " in answer["msg"]
    assert "connection" in answer["msg"]
    nothing_is_left(opened, answer)


# COMMIT ------------------------------------------------------------------------------------------------


def commit_after_the_connection_is_lost(runs: StepRuns, *, committed: bool, server_is_gone: int = 0) -> dict:
    """A step whose session is ended before COMMIT is sent, its receipt being in the ledger or not.

    Args:
        server_is_gone: how many times nobody is found under the server's address.
    """

    def commit(step: Step) -> None:
        with step.connection.cursor() as cursor:
            receipt = step.record(cursor, "ok")
        if committed:
            step.connection.commit()
        with step.connection.cursor() as cursor:
            cursor.execute("SELECT 1")  # a transaction is open, for which COMMIT has to be sent
        pid = step.connection.info.backend_pid
        assert runs.ask(f"SELECT pg_terminate_backend({pid}, 10000)") == [(True,)]
        attempt.commit_or_find_out(step, receipt)

    def work(step: Step) -> None:
        port, left = step.params["target"]["login_port"], server_is_gone

        def pause(seconds: float) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                step.params["target"]["login_port"] = port

        def one() -> None:
            # From here on: the address is looked up for each connection.
            step.params["target"]["login_port"] = 1 if server_is_gone else port
            commit(step)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(attempt.time, "sleep", pause)
            try:
                attempt.in_production(step, one, POLICY, "It was not tried")
            finally:
                step.params["target"]["login_port"] = port
        with step.connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            )
            assert cursor.fetchone() == (1,), "the run's lock is taken again"

    return runs.work("maintenance_window", work)


@pytest.mark.parametrize("server_is_gone", [0, 3])
def test_a_receipt_that_is_there_says_that_it_was_committed(opened: StepRuns, server_is_gone: int) -> None:
    answer = commit_after_the_connection_is_lost(opened, committed=True, server_is_gone=server_is_gone)
    assert not answer.get("failed"), answer
    assert [one["status"] for one in answer["receipts"]] == ["ok"]


def test_a_receipt_that_is_not_there_says_that_nothing_was(opened: StepRuns) -> None:
    answer = commit_after_the_connection_is_lost(opened, committed=False)
    assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "connection_lost_at_commit")
    assert "The connection was lost at COMMIT and the transaction was rolled back" in answer["msg"]


def test_a_server_that_does_not_come_back_leaves_it_unknown(opened: StepRuns) -> None:
    answer = commit_after_the_connection_is_lost(opened, committed=True, server_is_gone=11)
    assert (answer["outcome"], answer["reason_code"]) == ("failed", "commit_unknown")
    assert "it is not known whether the transaction was committed" in answer["msg"]
    assert "ansible-playbook playbooks/status.yml" in answer["msg"]
    assert [one["status"] for one in answer["receipts"]] == ["failed"], "what is not known is not reported"


def test_it_is_not_said_to_be_unchanged_where_that_is_not_known() -> None:
    assert not issubclass(attempt.CommitUnknown, Unchanged)
