# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true in a database, as playbooks/status.yml says it."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.ledger import Ledger
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.schema import NEWEST
from ansible_collections.pgops.runbook.plugins.module_utils.status.facts import database_status

from tests.integration.step_runs import StepRuns


def status(runs: StepRuns) -> dict[str, Any]:
    index = runs.arguments("status")["plan"]["index"]
    with (
        contextlib.closing(runs.server.connect(runs.database)) as connection,
        connection.cursor() as cursor,
    ):
        return database_status(cursor, Ledger(), index)


def of(found: dict[str, Any], version: str) -> dict[str, Any]:
    return next(migration for migration in found["migrations"] if migration["version"] == version)


def test_a_database_without_a_ledger(runs: StepRuns) -> None:
    found = status(runs)
    assert {one["version"]: one["state"] for one in found["migrations"]} == {
        "001": "applied",
        "002": "pending",
    }
    assert (found["receipts"], found["broken_receipt"], found["last_run"]) == (0, None, None)
    assert found["layout"] == {"release": 0, "newest": NEWEST}
    assert (found["drift"], found["salvage"], found["files_behind"]) == ([], [], [])


def test_a_rehearsal_is_the_proof_and_the_deploy_names_its_run(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    pending = of(status(runs), "002")
    assert (pending["state"], pending["run_id"]) == ("pending", None)
    proof = pending["proof"]
    assert (proof["run_id"], proof["schema_restored"], proof["data_restored"], proof["rows_compared"]) == (
        runs.run_id,
        True,
        True,
        3,
    )
    runs.must("apply")
    found = status(runs)
    assert (of(found, "002")["state"], of(found, "002")["run_id"]) == ("applied", runs.run_id)
    assert of(found, "002")["edited"] == []
    assert found["unfinished_run"]["run_id"] == runs.run_id
    assert found["layout"]["release"] == NEWEST


def test_an_edited_script_a_drifted_schema_and_an_unknown_version_are_told(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.conclude()
    runs.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author text; SELECT 1;")
    runs.execute(
        "ALTER TABLE notes ADD COLUMN by_hand int", "INSERT INTO schema_migrations (version) VALUES ('099')"
    )
    found = status(runs)
    assert of(found, "002")["edited"] == ["apply"]
    assert of(found, "001")["edited"] == []
    assert [line for line in found["drift"] if "by_hand" in line]
    assert found["unknown_versions"] == ["099"]
    assert found["unfinished_run"] is None
    assert found["last_run"]["outcome"] == "deployed"


def test_what_is_in_place_and_unrecorded_and_a_receipt_that_was_changed(runs: StepRuns) -> None:
    runs.steps("preflight")
    runs.conclude("failed")
    runs.write(
        migrations__003_star="-- Requires: 001\nCREATE TABLE star (id int);",
        rollback__003_star_rollback="DROP TABLE star;",
    )
    runs.execute(
        "CREATE TABLE star (id int)",
        "UPDATE runbook.receipt SET document = replace(document, 'preflight', 'preflighT')",
    )
    found = status(runs)
    assert found["in_place_but_unrecorded"] == ["003"]
    assert found["broken_receipt"]["run_id"] == runs.run_id


def test_rows_that_did_not_go_back_wait_while_their_migration_is_applied(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.conclude()
    runs.execute("UPDATE notes SET author = 'ada'")
    runs.another("emergency_rollback").roll_back()
    assert status(runs)["rows_waiting"] == {}, "the next deploy will try"
    again = runs.another()
    again.up_to("verify_restore")
    again.must("rehearse", restore_salvage=False)
    again.must("apply", restore_salvage=False)
    again.conclude()
    assert status(runs)["rows_waiting"] == {"002": 3}
