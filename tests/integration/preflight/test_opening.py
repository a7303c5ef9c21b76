# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run is opened in a database only that is adopted, whole, and nobody else's."""

from __future__ import annotations

import contextlib
import json

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.opening import verified_backup_before

from tests.integration.step_runs import StepRuns


def refused(runs: StepRuns, reason: str, **options: object) -> dict:
    answer = runs.step("preflight", **options)
    assert (answer.get("failed"), answer.get("outcome")) == (True, "refused"), answer
    assert reason in answer["msg"]
    return answer


# One run a database ----------------------------------------------------------------------------------------


def test_a_run_that_may_be_alive_keeps_the_others_out(runs: StepRuns) -> None:
    runs.steps("preflight")
    later = runs.another()
    answer = refused(later, f"Another run is in progress in this database: {runs.run_id} (deploy of 002)")
    assert f"-e take_over={runs.run_id}" in answer["msg"]
    assert answer["details"]["holder"]["run_id"] == runs.run_id
    refused(later, "Another run is in progress", take_over=later.run_id)
    runs.steps("maintenance_window")


def test_a_run_that_is_known_to_be_dead_is_taken_over_by_its_name(runs: StepRuns) -> None:
    runs.steps("preflight")
    later = runs.another()
    found = later.must("preflight", take_over=runs.run_id)["outputs"]["interrupted_run"]
    assert (found["run_id"], found["applied"], found["rolled_back"]) == (runs.run_id, [], [])
    assert runs.ask("SELECT run_id, outcome FROM runbook.run WHERE finished IS NOT NULL") == [
        (runs.run_id, "failed")
    ]
    assert "has ended (failed)" in runs.step("maintenance_window")["msg"]


# Half done, not adopted ------------------------------------------------------------------------------------


def test_what_is_half_done_is_finished_before_anything_else(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.conclude("failed")
    runs.write(
        migrations__003_tag="-- Requires: 001\nALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
    )
    runs.execute(
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{runs.run_id}', '002', 'apply', '')"
    )
    committed = "0 statements of its apply script are committed."
    reason = f"Migration 002 is half done: run {runs.run_id} was stopped, and {committed}"
    refused(runs.another(wanted="003"), reason)
    answer = refused(runs.another("emergency_rollback", "001"), reason)
    assert "ansible-playbook deploy.yml -e migration=002" in answer["msg"]
    runs.another().must("preflight")


def test_objects_that_nothing_records_are_not_deployed_again(runs: StepRuns) -> None:
    runs.execute("ALTER TABLE notes ADD COLUMN author text")
    refused(runs, "The objects of 002 are in place, but schema_migrations does not")


# Rights ----------------------------------------------------------------------------------------------------


def test_a_role_that_cannot_make_what_a_run_needs_is_told_so_first(runs: StepRuns) -> None:
    runs.execute(
        "DO $$ BEGIN CREATE ROLE deployer LOGIN NOCREATEDB; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT SELECT ON schema_migrations TO deployer",
    )
    try:
        runs.user = "deployer"
        refused(runs, "Role deployer may not create the ledger (schema")
        runs.execute(f"GRANT CREATE ON DATABASE {runs.database} TO deployer")
        refused(runs, "Role deployer may not create the copy on which the backup is proven")
        assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    finally:
        runs.execute("DROP OWNED BY deployer", "DROP ROLE deployer")


# The backup from before a deploy ---------------------------------------------------------------------------


def offered(runs: StepRuns) -> dict | None:
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        return verified_backup_before(Ledger(), cursor, "002")


def test_only_a_backup_that_was_proven_is_offered(runs: StepRuns) -> None:
    assert offered(runs) is None
    runs.up_to("apply")
    assert offered(runs) == {
        "run_id": runs.run_id,
        "folder": str(runs.backups / runs.run_id / "backup"),
    }
    ((text,),) = runs.ask("SELECT document FROM runbook.receipt WHERE step = 'verify_restore'")
    failed = json.dumps({**json.loads(text), "status": "failed"})
    runs.execute(f"UPDATE runbook.receipt SET document = $x${failed}$x$ WHERE step = 'verify_restore'")
    assert offered(runs) is None


def test_check_mode_finds_a_schema_that_somebody_has_changed(deployed: StepRuns) -> None:
    deployed.execute("CREATE TABLE beside_it (id int)")
    before = deployed.ask("SELECT count(*) FROM runbook.run")
    for options in ({"_ansible_check_mode": True}, {}):
        answer = deployed.another(wanted="003").step("preflight", **options)
        assert answer["reason_code"] == "schema_drifted", answer
    checked = deployed.another(wanted="003").must("preflight", accept_drift=True, _ansible_check_mode=True)
    assert checked["outputs"]["migrations"] == ["003"]
    assert deployed.ask("SELECT count(*) FROM runbook.run") == before
