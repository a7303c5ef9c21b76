# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every step asks of its run before it works: an unbroken chain of receipts, and a lease that it extends."""

from __future__ import annotations

import json

from ansible_collections.pgops.runbook.plugins.module_utils.digests import canonical_json, digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import altered

from tests.integration.step_runs import StepRuns

BROKEN = "The receipts of this run are no longer the chain that was written"


def refused(runs: StepRuns, name: str, reason: str) -> None:
    answer = runs.step(name)
    assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
    assert reason in answer["msg"]


def forged(receipt: dict, **outputs: object) -> dict:
    """A receipt with other outputs and the digest that belongs to them: nothing is wrong with it by itself."""
    document = {key: value for key, value in receipt.items() if key != "digest"}
    document["outputs"] = {**document["outputs"], **outputs}
    return {**document, "digest": digest_of(document)}


# The chain -------------------------------------------------------------------------------------------------


def test_a_receipt_of_the_run_that_was_written_anew_is_found_by_the_one_after_it(runs: StepRuns) -> None:
    runs.up_to("verify_restore")
    ((text, digest),) = runs.ask("SELECT document, digest FROM runbook.receipt WHERE step = 'backup'")
    receipt = forged({**json.loads(text), "digest": digest}, manifest_sha256="0" * 64)
    assert altered([receipt]) is None, "the receipt alone does not tell"
    document = canonical_json({key: value for key, value in receipt.items() if key != "digest"})
    runs.execute(
        f"UPDATE runbook.receipt SET document = $x${document}$x$, digest = '{receipt['digest']}'"
        " WHERE step = 'backup'"
    )
    refused(runs, "rehearse", BROKEN)


def test_a_receipt_that_is_gone_from_before_the_run_is_found_by_its_first_one(runs: StepRuns) -> None:
    earlier = runs.another()
    earlier.steps("preflight", "maintenance_window")
    earlier.conclude("failed")
    runs.steps("preflight")
    runs.execute("DELETE FROM runbook.receipt WHERE step = 'maintenance_window'")
    refused(runs, "maintenance_window", BROKEN)


def test_the_receipts_of_a_rehearsal_are_a_chain_too(runs: StepRuns) -> None:
    """They lie in a file, since a rehearsal only reads production."""
    rehearsal = runs.another("rehearse")
    rehearsal.steps("preflight", "backup", "verify_restore")
    path = rehearsal.backups / rehearsal.run_id / "receipts.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["receipts"][1] = forged(content["receipts"][1], manifest_sha256="0" * 64)
    path.write_text(json.dumps(content), encoding="utf-8")
    refused(rehearsal, "rehearse", BROKEN)


# The lease -------------------------------------------------------------------------------------------------


def test_every_step_holds_the_database_for_its_run_anew(runs: StepRuns) -> None:
    runs.steps("preflight")
    # As long ago as the runbook gives a run that is not heard of.
    runs.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 second'")
    runs.steps("maintenance_window")
    refused(runs.another(), "preflight", f"Another run is in progress in this database: {runs.run_id}")
    runs.steps("backup")


def test_a_step_that_is_refused_holds_nothing(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 second'")
    refused(runs, "backup", "needs the receipt of step maintenance_window")
    assert runs.ask("SELECT lease_until < clock_timestamp() FROM runbook.run") == [(True,)]
