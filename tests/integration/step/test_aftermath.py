# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that changes production dies or loses its server: the ledger says what became of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK
from ansible_collections.pgops.runbook.plugins.module_utils.step import inquiry
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.restore_runs import Restore
from tests.integration.step_runs import StepRuns


def died(runs: StepRuns, name: str) -> dict[str, Any]:
    """What the frame answers when it is asked for a process of the step that did not report."""
    run = {**runs.arguments(name)["run"], "died": {"code": "step_killed", "reason": "It was killed."}}
    return runs.step(name, run=run)


def test_nothing_was_committed(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    answer = died(runs, "apply")
    assert (answer["outcome"], answer["reason_code"], answer["committed"]) == ("unchanged", "step_killed", [])
    assert answer["msg"].startswith("It was killed. It had committed nothing.")
    assert [receipt["status"] for receipt in answer["receipts"]] == ["failed"], (
        "the dead one could write none"
    )


def test_it_was_committed(runs: StepRuns) -> None:
    runs.up_to("apply")
    answer = died(runs, "apply")
    assert (answer["outcome"], answer["committed"]) == ("failed", ["002"])
    assert answer["msg"] == "It was killed. It had committed 002."
    assert answer["details"] == {"done": True}
    assert [receipt["status"] for receipt in answer["receipts"]] == ["ok", "failed"], (
        "what it could not hand over"
    )


def test_it_was_taken_back(runs: StepRuns) -> None:
    runs.deploy()
    rollback = runs.another("emergency_rollback").up_to_rollback()
    answer = died(rollback, "emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "It had taken back nothing." in answer["msg"]
    rollback.must("emergency_rollback")
    answer = died(rollback, "emergency_rollback")
    assert (answer["outcome"], answer["details"]) == ("failed", {"done": True})
    assert answer["msg"] == "It was killed. It had taken back 002."


def test_statements_that_commit_one_by_one_are_half_done(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.execute(
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{runs.run_id}', '002', 'apply', 'x')",
        "INSERT INTO runbook.journal_statement SELECT journal_id, 1, 2, 'x', clock_timestamp(), clock_timestamp()"
        " FROM runbook.journal",
    )
    answer = died(runs, "apply")
    assert answer["outcome"] == "failed"
    assert "Migration 002 is half done: 1 statement of its apply script is committed." in answer["msg"]


def test_a_session_of_it_is_still_at_work(runs: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.up_to("rehearse")
    monkeypatch.setattr(inquiry, "AFTERMATH_SECONDS", 0.3)
    with contextlib.closing(runs.server.connect(runs.database)) as outlives, outlives.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s), pg_backend_pid()", (RUN_LOCK,))
        (_, pid) = cursor.fetchone()
        answer = died(runs, "apply")
    assert answer["outcome"] == "failed"
    assert "What became of it is not known, because a session of it is still at work." in answer["msg"]
    assert f"server session pid {pid}" in answer["msg"]
    assert died(runs, "apply")["outcome"] == "unchanged", "and when it has ended it is"


def test_the_server_ends_the_session_before_anything_is_changed(runs: StepRuns) -> None:
    runs.up_to("rehearse")

    def work(step: Step) -> None:
        with step.connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    answer = runs.work("apply", work)
    assert (answer["outcome"], answer["reason_code"]) == ("unchanged", "postgresql_error")
    assert answer["msg"].startswith("PostgreSQL ended step apply: ")
    assert ".." not in answer["msg"]
    assert "It had committed nothing." in answer["msg"]


def test_a_server_that_stays_away_leaves_it_unknown(runs: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.up_to("rehearse")
    monkeypatch.setattr(inquiry, "AFTERMATH_SECONDS", 0.1)

    def work(step: Step) -> None:
        step.params["target"]["login_port"] = 1
        with step.connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    answer = runs.work("apply", work)
    assert answer["outcome"] == "failed"
    assert "What became of it is not known, because the server does not answer" in answer["msg"]
    assert "ansible-playbook playbooks/status.yml" in answer["msg"]


def test_a_step_that_could_not_connect_has_changed_nothing(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    answer = runs.step("apply", target={**runs.arguments("apply")["target"], "login_port": 1})
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "server_unreachable")
    assert answer["msg"].endswith("Step apply did not begin.")


@pytest.mark.parametrize("swapped", [False, True])
def test_the_databases_were_swapped_or_not(proven: StepRuns, swapped: bool) -> None:
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows", *(["swap"] if swapped else []))
    answer = died(restore.run, "swap")
    assert answer["outcome"] == ("failed" if swapped else "unchanged")
    said = "It had swapped the databases" if swapped else "The databases were not swapped"
    assert said in answer["msg"]


def test_a_run_that_was_done_and_not_closed_is_closed_as_what_it_did(runs: StepRuns) -> None:
    runs.up_to("verify")
    runs.must("smoke_test")
    back = runs.another("emergency_rollback")
    answer = back.must("preflight", take_over=runs.run_id)
    assert answer["outputs"]["interrupted_run"]["run_id"] == runs.run_id
    closed = f"SELECT outcome, reason FROM runbook.run WHERE run_id = '{runs.run_id}'"
    assert runs.ask(closed) == [
        (
            "deployed",
            "all of it was done, and its end was not recorded:"
            f" run {back.run_id} was told by take_over to take its place",
        )
    ]


NOT_BORNE_OUT = "its end was not recorded: its run.json says {}, which its receipts do not bear out"


@pytest.mark.parametrize(
    ("last", "outcome", "expected"),
    [
        ("preflight", "refused", ("refused", "its disk was full", "ab")),
        ("preflight", "deployed", ("failed", NOT_BORNE_OUT.format("deployed"), None)),
        ("apply", "refused", ("failed", f"it had applied 002; {NOT_BORNE_OUT.format('refused')}", None)),
        ("rehearse", "unchanged", ("unchanged", "its disk was full", "ab")),
    ],
)
def test_a_run_that_could_not_write_that_it_was_refused(
    runs: StepRuns, last: str, outcome: str, expected: tuple
) -> None:
    """Its controller knows; where production was changed, or may have been, the ledger decides."""
    runs.up_to(last)
    ended = {
        "run_id": runs.run_id,
        "outcome": outcome,
        "reason": "its disk was full",
        "record_sha256": "ab",
    }
    back = runs.another("emergency_rollback" if last == "apply" else "deploy")
    back.must("preflight", take_over=runs.run_id, taken_over_because="gone", ended_elsewhere=ended)
    query = f"SELECT outcome, reason, record_sha256 FROM runbook.run WHERE run_id = '{runs.run_id}'"
    assert runs.ask(query) == [expected]


def test_a_preflight_that_died_is_closed_where_it_had_opened_the_run_and_nowhere_else(runs: StepRuns) -> None:
    died_at_its_begin = runs.step("announce", outcome="refused", reason="It was killed.")
    assert not died_at_its_begin.get("failed"), died_at_its_begin
    assert died_at_its_begin["changed"] is False
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('runbook.run')")
        assert cursor.fetchone() == (None,)
    runs.must("preflight")
    died_at_its_end = runs.must("announce", outcome="refused", reason="It was killed.")
    assert died_at_its_end["outputs"]["run_closed"] is True
