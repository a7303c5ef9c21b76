# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The work of count_rows and swap where something is in the way; how both do it is told by test_restore_steps.py."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import ServerUnreachable
from ansible_collections.pgops.runbook.plugins.module_utils.restore import steps
from ansible_collections.pgops.runbook.plugins.module_utils.restore.steps import (
    count_rows,
    record_earlier_swap,
    swap_databases,
    swapped_by,
)
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.restore_runs import Restore, closed, replaced
from tests.integration.step_runs import StepRuns

LOCKS = {"lock_timeout_seconds": 2, "lock_attempts": 2, "lock_pause_seconds": 0.1}


@pytest.fixture
def restored(proven: StepRuns) -> Restore:
    """A restore whose backup is restored beside the live database."""
    restore = Restore(proven)
    restore.steps("preflight", "restore")
    return restore


@pytest.fixture
def counted(restored: Restore) -> Restore:
    """A restore that only has to swap."""
    restored.steps("count_rows")
    return restored


# Counting ----------------------------------------------------------------------------------------------


def test_rows_are_counted_in_one_snapshot_and_the_session_writes_again_afterwards(
    proven: StepRuns, restored: Restore
) -> None:
    proven.execute("INSERT INTO notes (body) VALUES ('since')")
    seen = []

    def work(step: Step) -> dict:
        changes_since = steps.changes_since

        def beside_a_writer(*arguments: object) -> object:
            with step.connection.cursor() as cursor:
                proven.execute("INSERT INTO notes (body) VALUES ('while it counts')")
                cursor.execute("SELECT count(*), current_setting('transaction_read_only') FROM public.notes")
                seen.append(cursor.fetchone())
            return changes_since(*arguments)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(steps, "changes_since", beside_a_writer)
            return {"rows": count_rows(step)}

    answer = restored.run.work("count_rows", work)
    assert not answer.get("failed"), answer
    assert answer["outputs"]["rows"]["tables"] == {"public.notes": {"added": 1, "changed": 0, "deleted": 0}}
    assert seen == [(4, "on")]
    assert [one["status"] for one in answer["receipts"]] == ["ok"], "its receipt is written by that session"


# Swapping ----------------------------------------------------------------------------------------------


def test_what_fails_before_the_swap_is_said_to_have_swapped_nothing(
    proven: StepRuns, counted: Restore, admin: StepRuns
) -> None:
    ((name,),) = proven.ask(
        "SELECT document::json #>> '{outputs,restored}' FROM runbook.receipt WHERE step = 'restore'"
    )
    admin.execute(f"DROP DATABASE {name}")
    answer = counted.run.work("swap", swap_databases, carry_over=False, **LOCKS)
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged"), answer
    assert f'database "{name}" does not exist' in answer["msg"]
    assert answer["msg"].endswith("Nothing was swapped.")
    assert not closed(admin, proven.database)
    assert replaced(admin, proven.database) == []


def test_a_server_that_is_lost_after_the_swap_is_no_swap_that_failed(
    proven: StepRuns, counted: Restore, admin: StepRuns
) -> None:
    """The databases have their new names; only the receipt could not be written."""

    def work(step: Step) -> None:
        port = step.params["target"]["login_port"]
        ended = steps.DatabaseSwap.held_off_seconds

        def lost(swap: steps.DatabaseSwap) -> float:
            step.params["target"]["login_port"] = 1
            return ended(swap)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(steps.DatabaseSwap, "held_off_seconds", lost)
            patched.setattr(steps, "CONNECT_SECONDS", 0.5)
            try:
                swap_databases(step)
            finally:
                step.params["target"]["login_port"] = port

    answer = counted.run.work("swap", work, carry_over=False, **LOCKS)
    (name,) = replaced(admin, proven.database)
    assert (answer["outcome"], answer["reason_code"]) == ("failed", "receipt_not_written_after_swap")
    assert (
        f"The databases were swapped: production is the restored backup, and the replaced database is {name}."
        in (answer["msg"])
    )
    assert not closed(admin, proven.database)


@pytest.mark.parametrize("took_effect", [False, True])
def test_a_session_that_is_lost_in_commit_tells_by_the_databases_whether_they_were_swapped(
    proven: StepRuns, counted: Restore, admin: StepRuns, took_effect: bool
) -> None:
    """Both databases have their names in either case: which one it is that has it decides."""
    before = admin.ask(f"SELECT oid FROM pg_database WHERE datname = '{proven.database}'")

    def work(step: Step) -> dict:
        waiting = steps.DatabaseSwap._waiting

        def lost(swap: steps.DatabaseSwap, what: Any, *how: Any, **named: Any) -> Any:
            if what != swap._rename:
                return waiting(swap, what, *how, **named)
            if took_effect:
                waiting(swap, what)
            pid = swap._connection.info.backend_pid
            admin.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
            return waiting(swap, lambda cursor: cursor.execute("SELECT"))

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(steps.DatabaseSwap, "_waiting", lost)
            return swap_databases(step)

    answer = counted.run.work("swap", work, carry_over=False, **LOCKS)
    after = admin.ask(f"SELECT oid FROM pg_database WHERE datname = '{proven.database}'")
    assert (after != before) is took_effect
    if took_effect:
        assert not answer.get("failed"), answer
        assert len(replaced(admin, proven.database)) == 1
    else:
        assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "databases_not_renamed"), answer
        assert replaced(admin, proven.database) == []
    assert not closed(admin, proven.database)


def test_a_replaced_database_that_lets_nobody_in_is_a_warning(
    proven: StepRuns, counted: Restore, admin: StepRuns
) -> None:
    def work(step: Step) -> dict:
        close = steps._close_run_in_replaced

        def closed_to_all(step: Step, name: str) -> None:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            try:
                close(step, name)
            finally:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(steps, "_close_run_in_replaced", closed_to_all)
            return swap_databases(step)

    answer = counted.run.work("swap", work, carry_over=False, **LOCKS)
    assert not answer.get("failed"), answer
    (name,) = replaced(admin, proven.database)
    (warning,) = answer["warnings"]
    assert f"The run could not be closed in the replaced database {name}: " in str(warning)


# Swapped already ---------------------------------------------------------------------------------------


def test_the_swap_of_a_run_that_could_not_say_so_is_recorded_by_the_next(
    proven: StepRuns, counted: Restore, admin: StepRuns
) -> None:
    def lost(step: Step) -> None:
        swap_databases(step)
        raise ServerUnreachable("server_unreachable", "Lost.")

    assert counted.run.work("swap", lost, carry_over=False, **LOCKS)["failed"]
    again = Restore(proven)
    again.step("preflight", take_over=counted.run.run_id)
    found = again.run.work("restore", lambda step: {"swapped_by": swapped_by(step)})["outputs"]
    assert found == {"swapped_by": counted.run.run_id}
    again.steps("count_rows")
    outputs = again.run.work("swap", lambda step: record_earlier_swap(step, counted.run.run_id))["outputs"]
    ((in_backup, schema),) = proven.ask(
        "SELECT document::json #>> '{outputs,receipts_in_backup}', "
        " (SELECT string_agg(digest, ' ') FROM runbook.catalog)"
        f" FROM runbook.receipt WHERE step = 'restore' AND run_id = '{counted.run.run_id}'"
    )
    assert outputs.pop("catalog_after") in schema
    assert outputs == {
        "swapped_by": counted.run.run_id,
        "replaced": replaced(admin, proven.database)[0],
        "receipts_in_backup": int(in_backup),
        "applied": ["001"],
    }


def test_a_run_that_swapped_nothing_before_does_it_itself(restored: Restore) -> None:
    found = restored.run.work("count_rows", lambda step: {"swapped_by": swapped_by(step)})
    assert found["outputs"] == {"swapped_by": None}
