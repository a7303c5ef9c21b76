# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A COMMIT that would wait for a standby that is not there: seen before anything of ours is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.maintenance import (
    reopen_after_interrupted_swap,
    swap_mark,
)
from ansible_collections.pgops.runbook.plugins.module_utils.restore.swap import DatabaseSwap
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import WAITING_FOR_STANDBYS, Step

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target
from tests.own_server import own_server
from tests.streaming import changed_settings, execute, no_commit_waits


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server of these tests' own: nobody else's COMMIT waits."""
    with own_server(tmp_path_factory.mktemp("primary")) as server:
        yield server


def refused(runs: StepRuns, step: str = "preflight", **options: object) -> dict:
    with no_commit_waits(runs.server):
        answer = runs.step(step, **options)
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "synchronous_standby_missing"), answer
    return answer


@pytest.mark.parametrize("asked_for", ["nobody", "FIRST 1 (nobody)", "ANY 1 (nobody, none)"])
def test_a_deploy_is_refused_before_its_first_commit(runs: StepRuns, asked_for: str) -> None:
    with changed_settings(runs.server, synchronous_standby_names=asked_for):
        answer = refused(runs)
        assert f"synchronous_standby_names is '{asked_for}'" in answer["msg"]
        assert "ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()" in answer["msg"]
        assert answer["receipts"] == []
        assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    runs.must("preflight")


# What only notes something --------------------------------------------------------------------------------


@contextlib.contextmanager
def nobody_confirms(server: LocalServer) -> Iterator[None]:
    with changed_settings(server, synchronous_standby_names="nobody"), no_commit_waits(server):
        yield


@pytest.mark.parametrize(
    "options",
    [
        {"outcome": "", "maintenance_ended": True},
        {"outcome": "", "database_in_service": True},
        {"outcome": "refused", "maintenance_ended": True},
    ],
    ids=["the status takes the application back", "PostgreSQL lets it in", "a run ends"],
)
def test_an_end_is_noted_without_a_standby(runs: StepRuns, options: dict[str, Any]) -> None:
    runs.steps("preflight")
    runs.must("maintenance_window", takes_out_of_service=True, close_command=["x"])
    runs.must("maintenance_window", mode="block")
    with nobody_confirms(runs.server):
        runs.must("announce", **options)
    noted = "SELECT in_service_again IS NOT NULL, maintenance IS NULL, finished IS NOT NULL FROM runbook.run"
    assert runs.ask(noted) == [("maintenance_ended" in options, True, options["outcome"] != "")]


def test_a_receipt_waits_for_no_standby_that_went_while_its_step_worked(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    with contextlib.ExitStack() as stack:
        answer = runs.work("backup", lambda step: stack.enter_context(nobody_confirms(runs.server)) or {})
    assert [receipt["status"] for receipt in answer["receipts"]] == ["ok"], answer


def test_what_others_need_to_give_back_and_production_wait_as_the_role_has_it(runs: StepRuns) -> None:
    assert {"apply", "emergency_rollback", "swap", "maintenance_window"} <= set(WAITING_FOR_STANDBYS)
    runs.steps("preflight")
    seen: list[str] = []

    def look(step: Step) -> None:
        with transaction(step.connection) as cursor:
            cursor.execute("SHOW synchronous_commit")
            seen.append(cursor.fetchone()[0])

    runs.work("maintenance_window", look)
    runs.work("backup", look)
    assert seen == ["on", "local"]


def test_a_closed_database_is_opened_without_a_standby(runs: StepRuns) -> None:
    """By whoever comes after a restore that was killed, and by a restore that fails."""
    live, others = target(runs.server, runs.database), "SELECT datallowconn FROM pg_database WHERE datname = "
    other = f"{runs.database}_restored"
    mark = swap_mark(runs.database, "r1", "r0")
    shut = f"ALTER DATABASE {runs.database} ALLOW_CONNECTIONS false"
    execute(runs.server, f"CREATE DATABASE {other}", f"COMMENT ON DATABASE {other} IS '{mark}'", shut)
    try:
        with nobody_confirms(runs.server):
            assert reopen_after_interrupted_swap(live)
        assert runs.ask(f"{others} '{runs.database}'") == [(True,)]
        with contextlib.ExitStack() as stack, DatabaseSwap(live, "r1", "r0", other, 0) as swap:
            swap.hold_off([])
            # Gone before the swap lets the application in again, since nothing was renamed.
            stack.enter_context(nobody_confirms(runs.server))
        assert runs.ask(f"{others} '{runs.database}'") == [(True,)]
    finally:
        execute(runs.server, f"DROP DATABASE {other}")
