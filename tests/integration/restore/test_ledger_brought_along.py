# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restored database takes the place of the live one with the whole ledger, or not at all."""

from __future__ import annotations

import json

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.digests import canonical_json, digest_of

from tests.integration.restore_runs import Restore, closed, replaced
from tests.integration.step_runs import StepRuns

NOT_WHOLE = "The ledger could not be carried over into the restored database"


@pytest.fixture
def prepared(proven: StepRuns) -> Restore:
    """A restore that only has to swap."""
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows")
    return restore


def restored(restore: Restore, proven: StepRuns) -> StepRuns:
    """Statements in the restored database."""
    ((name,),) = proven.ask(
        "SELECT document::json #>> '{outputs,restored}' FROM runbook.receipt WHERE step = 'restore'"
    )
    return StepRuns(proven.server, name, proven.folder)


def nothing_was_swapped(restore: Restore, proven: StepRuns, admin: StepRuns, reason: str) -> None:
    chain = proven.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")
    answer = restore.step("swap")
    assert (answer.get("failed"), answer.get("outcome")) == (True, "unchanged"), answer
    assert reason in answer["msg"]
    assert "Nothing was swapped." in answer["msg"]
    assert replaced(admin, proven.database) == []
    assert not closed(admin, proven.database), "the application is let in again"
    assert proven.ask("SELECT position, digest FROM runbook.receipt ORDER BY 1")[: len(chain)] == chain


def test_a_receipt_that_does_not_come_along_ends_the_swap(
    proven: StepRuns, prepared: Restore, admin: StepRuns
) -> None:
    restored(prepared, proven).execute(
        "ALTER TABLE runbook.receipt ADD CONSTRAINT too_late CHECK (step <> 'count_rows')"
    )
    nothing_was_swapped(
        prepared, proven, admin, f'{NOT_WHOLE} (runbook.receipt: new row for relation "receipt" violates'
    )


def test_a_run_that_does_not_come_along_ends_the_swap(
    proven: StepRuns, prepared: Restore, admin: StepRuns
) -> None:
    """It is there since the restore, and each step since has extended its lease."""
    restored(prepared, proven).execute(
        f"ALTER TABLE runbook.run ADD CONSTRAINT unknown CHECK (run_id <> '{prepared.run.run_id}') NOT VALID"
    )
    nothing_was_swapped(prepared, proven, admin, f"{NOT_WHOLE} (runbook.run:")


def test_a_chain_that_was_broken_before_the_restore_began_is_brought_along(
    proven: StepRuns, admin: StepRuns
) -> None:
    other = proven.another()
    other.must("preflight")
    other.conclude("failed")
    edit = "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE run_id = '{}'"
    proven.execute(edit.format(other.run_id))
    restore = Restore(proven)
    restore.steps("preflight", "restore", "count_rows", "swap")
    assert len(replaced(admin, proven.database)) == 1


def test_a_chain_that_somebody_rewrote_is_not_gone_on_with(
    proven: StepRuns, prepared: Restore, admin: StepRuns
) -> None:
    """The receipt has a digest that is right, and the one after it names another."""
    ((text,),) = proven.ask(
        f"SELECT document FROM runbook.receipt WHERE step = 'preflight' AND run_id = '{proven.run_id}'"
    )
    document = {**json.loads(text), "inputs": {}}
    proven.execute(
        f"UPDATE runbook.receipt SET document = $x${canonical_json(document)}$x$, digest = '{digest_of(document)}'"
        f" WHERE step = 'preflight' AND run_id = '{proven.run_id}'"
    )
    nothing_was_swapped(prepared, proven, admin, NOT_WHOLE)
