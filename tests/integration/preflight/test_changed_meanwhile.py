# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another operator does between preflight's look at the database and its lock on it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.step_runs import StepRuns


def preflight_while(runs: StepRuns, *statements: str) -> dict[str, Any]:
    """What preflight answers where a session holds the lock, does this after preflight has looked, and lets go."""
    take_run_lock = Step.take_run_lock
    asked = []

    with contextlib.closing(runs.server.connect(runs.database)) as operator, operator.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
        operator.commit()

        def works_meanwhile(step: Step) -> None:
            if not asked:
                for statement in statements:
                    cursor.execute(statement)
                operator.commit()
                cursor.execute("SELECT pg_advisory_unlock(%s)", (RUN_LOCK,))
                operator.commit()
            asked.append(step.name)
            take_run_lock(step)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Step, "take_run_lock", works_meanwhile)
            answer = runs.step("preflight")
    assert asked, "preflight asked for the lock"
    return answer


DEPLOYED = (
    "ALTER TABLE notes ADD COLUMN author text",
    "INSERT INTO schema_migrations VALUES ('002')",
)


def test_what_was_deployed_meanwhile_is_not_deployed_again(runs: StepRuns) -> None:
    answer = preflight_while(runs, *DEPLOYED)
    assert (answer.get("outcome"), answer.get("reason_code")) == ("refused", "already_applied"), answer
    assert runs.ask("SELECT to_regclass('runbook.run')") == [(None,)]


def test_of_all_that_is_pending_only_what_still_is(runs: StepRuns) -> None:
    runs.write(
        migrations__003_tag="-- Requires: 001\nALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
    )
    runs.migration = "pending"
    answer = preflight_while(runs, *DEPLOYED)
    assert answer["outputs"]["migrations"] == ["003"], answer
    assert answer["outputs"]["applied_before"] == ["001", "002"]
    assert runs.ask("SELECT migrations FROM runbook.run") == [(["003"],)]


def test_nothing_is_left_to_do(runs: StepRuns) -> None:
    runs.migration = "pending"
    answer = preflight_while(runs, *DEPLOYED)
    assert (answer["changed"], answer["outputs"]["migrations"]) == (False, [])
    assert runs.ask("SELECT to_regclass('runbook.run')") == [(None,)]


def test_what_was_rolled_back_meanwhile_is_not_rolled_back_again(runs: StepRuns) -> None:
    runs.execute(*DEPLOYED)
    rollback = runs.another("emergency_rollback")
    answer = preflight_while(
        rollback,
        "ALTER TABLE notes DROP COLUMN author",
        "DELETE FROM schema_migrations WHERE version = '002'",
    )
    assert (answer.get("outcome"), answer.get("reason_code")) == ("refused", "not_applied"), answer
