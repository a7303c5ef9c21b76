# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A chain of receipts that was cut off or changed: a deploy is refused, a rollback is not, and nothing hides it."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.chain import faults_of_chain
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.chain import refuse_broken_chain
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.production.there_and_back import back
from tests.integration.step_runs import StepRuns

LAST = "(SELECT max(position) FROM runbook.receipt)"
BREAKS = {
    "cut off": f"DELETE FROM runbook.receipt WHERE position = {LAST}",
    "all gone": "DELETE FROM runbook.receipt",
    "all gone, and where it ended": "DELETE FROM runbook.receipt; DELETE FROM runbook.chain_end",
    "not known where it ended": "DELETE FROM runbook.chain_end",
    "changed": "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE position = 3",
    "taken out": "DELETE FROM runbook.receipt WHERE position = 3",
}


def status(runs: StepRuns) -> dict:
    return runs.another("status").must("status")["outputs"]


def is_refused(runs: StepRuns) -> None:
    answer = runs.another(wanted="pending").step("preflight")
    assert (answer.get("reason_code"), answer.get("outcome")) == ("receipt_chain_broken", "refused"), answer
    assert "-e accept_broken_chain=true" in answer["msg"]


def test_a_whole_chain_has_no_fault(deployed: StepRuns) -> None:
    def look(step: Step) -> dict:
        with transaction(step.connection) as cursor:
            return {"faults": faults_of_chain(cursor, Ledger()), "said": refuse_broken_chain(step, cursor)}

    assert deployed.another("status").work("status", look)["outputs"] == {"faults": [], "said": []}


@pytest.mark.parametrize("how", list(BREAKS))
def test_a_deploy_is_refused_until_somebody_says_that_it_may_go_on(deployed: StepRuns, how: str) -> None:
    deployed.execute(BREAKS[how])
    is_refused(deployed)
    run = deployed.another(wanted="003")
    accepted = run.must("preflight", accept_broken_chain=True)
    (fault,) = accepted["outputs"]["accepted_chain"]
    run.conclude("failed")
    # The chain begins anew, and what it was is not forgotten.
    after = deployed.another(wanted="003")
    assert "accepted_chain" not in after.must("preflight")["outputs"]
    after.conclude("failed")
    found = status(deployed)
    assert (found["broken_receipt"], found["cut_off"]) == (None, None)
    assert found["accepted_chain"] == [{"run_id": run.run_id, "faults": [fault]}]


@pytest.mark.parametrize("how", ["cut off", "changed", "not known where it ended"])
def test_a_rollback_goes_on_and_hides_nothing(deployed: StepRuns, how: str) -> None:
    deployed.execute(BREAKS[how])
    warned = deployed.another("emergency_rollback").must("preflight")["warnings"]
    assert any("no longer the chain that was written" in str(one) for one in warned), warned
    deployed.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed' WHERE finished IS NULL")
    back(deployed)
    found = status(deployed)
    assert found["broken_receipt"] or found["cut_off"]
    is_refused(deployed)


def test_what_is_broken_after_it_was_accepted_is_refused_again(deployed: StepRuns) -> None:
    deployed.execute(BREAKS["changed"])
    run = deployed.another(wanted="003")
    run.must("preflight", accept_broken_chain=True)
    run.conclude("failed")
    deployed.execute(BREAKS["cut off"])
    is_refused(deployed)
    deployed.execute("DELETE FROM runbook.chain_end", "DELETE FROM runbook.receipt WHERE position > 3")
    is_refused(deployed)
