# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every step asks of its run before it works, and what it leaves: the frame around all of them."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.digests import canonical_json, digest_of
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import RUN_LOCK
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import altered
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.step import waiting
from ansible_collections.pgops.runbook.plugins.module_utils.step.gate import pass_gate
from ansible_collections.pgops.runbook.plugins.module_utils.step.step import Step

from tests.integration.restore_runs import wait_for
from tests.integration.step_runs import StepRuns

# Sessions that hold the run lock.
HOLDERS = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND (classid::bigint << 32) + objid::bigint = {RUN_LOCK}"
)

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


# The run and its gate --------------------------------------------------------------------------------------


def test_steps_cannot_be_skipped(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    refused(runs, "verify_restore", "Step verify_restore needs the receipt of step backup")


def test_a_finished_run_and_one_of_another_playbook_are_not_gone_on_with(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    restore = runs.another("restore")
    restore.run_id = runs.run_id
    refused(restore, "restore", f"Run {runs.run_id} is one of deploy, not of restore.")
    runs.conclude("failed")
    refused(runs, "backup", f"Run {runs.run_id} has ended (failed). Start a new run.")


def test_a_backup_that_is_too_old_and_scripts_that_were_edited_are_asked_for(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window", "backup")
    answer = runs.step("verify_restore", backup_max_age_minutes=-1)
    assert "minutes old, and backup_max_age_minutes allows -1" in answer["msg"]
    runs.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author text; -- edited")
    refused(
        runs, "verify_restore", "The apply script of migration 002 was edited after the preflight of this run"
    )


def test_every_step_leaves_a_receipt_however_it_ends(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    runs.step("verify_restore")
    assert runs.ask("SELECT step, status FROM runbook.receipt ORDER BY position") == [
        ("preflight", "ok"),
        ("maintenance_window", "ok"),
        ("verify_restore", "failed"),
    ]


def test_one_step_works_in_a_database_at_a_time(runs: StepRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOCK_WAIT_SECONDS", 0.5)
    runs.steps("preflight")
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
        other.commit()
        refused(runs, "maintenance_window", "Another run is in progress in this database")
    runs.steps("maintenance_window")


def test_it_holds_it_in_another_session_too(runs: StepRuns) -> None:
    runs.steps("preflight")
    holders = []

    def goes_on(step: Step) -> None:
        step.take_new_session()
        holders.append((step.connection.info.backend_pid, runs.ask(HOLDERS)))

    assert not runs.work("maintenance_window", goes_on).get("failed")
    ((pid, held),) = holders
    assert held == [(pid,)]


def test_a_step_holds_the_database_as_long_as_it_works(runs: StepRuns) -> None:
    """Its own transactions end on the way; the lock is the session's."""
    runs.steps("preflight", "maintenance_window")
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
        process = runs.start("backup")
        wait_for(lambda: runs.ask("SELECT FROM pg_locks WHERE NOT granted AND relation = 'notes'::regclass"))
        held = runs.ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND"
            f" (classid::bigint << 32) + objid::bigint = {RUN_LOCK}"
        )
    assert process.wait() == 0
    assert held == [(1,)]


def test_a_step_holds_the_database_from_when_it_begins(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    runs.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 s'")
    holds = "SELECT lease_until > clock_timestamp() FROM runbook.run"
    seen: list[list[tuple[bool]]] = []
    runs.work("backup", lambda step: seen.append(runs.ask(holds)))
    assert seen == [[(True,)]]


def test_the_gate_says_the_same_however_often_it_is_asked(runs: StepRuns) -> None:
    """It reads, and extends the lease; what another session has changed meanwhile it sees."""
    runs.steps("preflight", "maintenance_window")

    def ask_twice(step: Step) -> None:
        with transaction(step.connection) as cursor:
            pass_gate(step, cursor)
        assert [receipt["step"] for receipt in step.receipts] == ["preflight", "maintenance_window"]
        runs.execute("UPDATE runbook.run SET outcome = 'failed', finished = clock_timestamp()")
        with pytest.raises(Refused, match="has ended"), transaction(step.connection) as cursor:
            pass_gate(step, cursor)

    runs.work("backup", ask_twice)


def test_a_step_that_worked_for_longer_than_the_lease_still_holds_the_database(runs: StepRuns) -> None:
    runs.steps("preflight", "maintenance_window")
    # As if the lease had ended while the step was at work.
    runs.execute(
        "CREATE FUNCTION runbook.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 s'; RETURN NEW; END $$;"
        "CREATE TRIGGER later BEFORE INSERT ON runbook.receipt FOR EACH ROW EXECUTE FUNCTION runbook.later()"
    )
    runs.steps("backup")
    assert runs.ask("SELECT lease_until > clock_timestamp() FROM runbook.run") == [(True,)]

    def fail(step: Step) -> None:
        raise StepFailed("step_crashed", "It was tried.")

    assert runs.work("verify_restore", fail)["outcome"] == "failed", "what comes then takes its time too"
    assert runs.ask("SELECT lease_until > clock_timestamp() FROM runbook.run") == [(True,)]


@pytest.mark.parametrize("table", ["runbook.run", "runbook.receipt", "schema_migrations"])
def test_no_step_waits_without_an_end_to_read(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    runs.steps("preflight")
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.2)
    with contextlib.closing(runs.server.connect(runs.database)) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        for name, one in (("preflight", runs.another()), ("maintenance_window", runs)):
            if (name, table) == ("maintenance_window", "schema_migrations"):
                continue  # does not read it
            answer = one.step(name)
            assert (answer["failed"], answer["reason_code"]) == (True, "lock_not_available"), answer
            assert f"Step {name} waited 0.2 s for a lock. pid {other.get_backend_pid()} " in answer["msg"]
            assert f"{table}. Type the same command again" in answer["msg"]
        other.rollback()
    runs.steps("maintenance_window")


# Smoke scripts and signatures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_smoke_script_that_is_not_the_one_of_preflight_does_not_run(runs: StepRuns, change: str) -> None:
    runs.write(smoke__notes="SELECT count(*) > 0 FROM notes;")
    runs.up_to("rehearse")
    if change == "removed":
        (runs.sql_dir / "smoke/notes.sql").unlink()
    else:
        runs.write(**{f"smoke__{'notes' if change == 'edited' else 'more'}": "DROP TABLE notes;"})
    answer = runs.step("apply")
    assert (answer["reason_code"], answer["outcome"]) == ("sql_dir_changed", "refused")
    assert "Smoke script smoke/" in answer["msg"]


def test_only_what_the_controller_has_signed_counts(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    receipts = dict(runs.ask("SELECT digest, 'signed ' || position FROM runbook.receipt"))
    arguments = runs.arguments("apply")
    run = {**arguments["run"], "signed": dict(list(receipts.items())[:-1])}
    assert runs.step("apply", run=run)["reason_code"] == "receipt_unsigned"
    failed = runs.ask("SELECT digest FROM runbook.receipt ORDER BY position DESC LIMIT 1")[0][0]
    run["signed"] = {**receipts, failed: "signed too"}
    runs.must("apply", run=run)
    kept = dict(runs.ask("SELECT digest, signature FROM runbook.receipt WHERE signature IS NOT NULL"))
    assert kept == run["signed"]
