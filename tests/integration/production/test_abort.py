# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy or a rollback behind which sessions wait is ended, and says who waited; production is as it was."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import abort

from tests.integration.production.applied import applied
from tests.integration.step_runs import StepRuns
from tests.streaming import until

HELD = (
    "SELECT 1 FROM pg_locks WHERE relation = 'notes'::regclass AND mode = 'AccessExclusiveLock' AND granted"
)
#: In production only, where it holds its locks until somebody ends it.
NEVER_ENDS = (
    "DO $$ BEGIN IF current_database() NOT LIKE 'runbook%' THEN PERFORM pg_sleep(90); END IF; END $$;"
)
IN_ONE_STATEMENT = NEVER_ENDS.replace("BEGIN", "BEGIN ALTER TABLE notes ADD COLUMN author text;", 1)
ONE_BY_ONE = "-- Transaction: none\nCREATE INDEX CONCURRENTLY by_body ON notes (body);\n"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abort, "LOOK_EVERY_SECONDS", 0.05)


@contextlib.contextmanager
def somebody_reads(runs: StepRuns) -> Iterator[None]:
    """A session of the application that comes when the table is locked, and gets its rows in the end."""
    rows: list[tuple] = []

    def read() -> None:
        until(lambda: runs.ask(HELD), "the change has its lock")
        rows.extend(runs.ask("SELECT count(*) FROM notes"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield
    thread.join(30)
    assert rows == [(3,)]


def ended(runs: StepRuns, name: str) -> dict:
    with somebody_reads(runs):
        answer = runs.step(name, abort_blocked_sessions=1, abort_blocked_seconds=0)
    assert (answer["reason_code"], len(answer["details"]["blocked"])) == (
        "aborted_for_blocked_sessions",
        1,
    ), answer
    assert "waited for notes: SELECT count(*) FROM notes" in answer["msg"].replace("public.", "")
    return answer


def test_a_migration_is_undone_and_the_same_deploy_can_be_made_again(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=f"ALTER TABLE notes ADD COLUMN author text; {NEVER_ENDS}",
    )
    runs.up_to("rehearse")
    answer = ended(runs, "apply")
    assert answer["outcome"] == "unchanged"
    assert answer["msg"].startswith("Migration 002 was tried in production and rolled back: 1 session waited")
    assert not applied(runs)


def test_a_rollback_is_undone_too(runs: StepRuns) -> None:
    runs.write(rollback__002_author_rollback=f"ALTER TABLE notes DROP COLUMN author; {NEVER_ENDS}")
    runs.up_to("apply")
    runs.conclude()
    back = runs.another("emergency_rollback").up_to_rollback()
    answer = ended(back, "emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "so that it is still applied: 1 session waited behind this change" in answer["msg"]
    assert applied(runs)


def test_of_statements_that_commit_one_by_one_the_one_at_work_is_ended(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=f"{ONE_BY_ONE}{IN_ONE_STATEMENT}",
        rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author; DROP INDEX by_body;",
    )
    runs.up_to("rehearse")
    with somebody_reads(runs):
        answer = runs.step("apply", abort_blocked_sessions=1, abort_blocked_seconds=0)
    assert (answer["outcome"], answer["reason_code"]) == ("failed", "aborted_for_blocked_sessions"), answer
    assert "committed and stay so" in answer["msg"]
    assert not applied(runs)
