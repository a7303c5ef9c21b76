# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Four eyes: production is changed only when others have approved what was rehearsed, whoever starts which step how."""

from __future__ import annotations

import contextlib
import datetime
import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.digests import canonical_json
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.approvals import TIME
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import (
    FIRST_PREVIOUS,
    digest_of_receipt,
)

from tests.integration.production.applied import AUTHOR
from tests.integration.step_runs import StepRuns

DEPLOYER, BOB, CAROL = "ann@laptop", "bob@desk", "carol@desk"


@pytest.fixture
def needing(runs: StepRuns) -> StepRuns:
    """A run up to its rehearsal, by ann, that needs one approval."""
    return rehearsed(runs)


def rehearsed(runs: StepRuns, **options: Any) -> StepRuns:
    runs.operator = DEPLOYER
    runs.must("preflight", **(options or {"approvals_required": 1}))
    runs.steps("maintenance_window", "backup", "verify_restore", "rehearse")
    return runs


def stop(runs: StepRuns) -> dict[str, Any]:
    """The stop, and the end of the playbook with it."""
    answer = runs.step("approval")
    runs.conclude("awaiting_approval")
    return answer


def approve(runs: StepRuns, by: str, run_id: str | None = None, **options: Any) -> dict[str, Any]:
    other = runs.another("approve")
    other.operator = by
    return other.step("approve", approved_run_id=runs.run_id if run_id is None else run_id, **options)


def go_on(runs: StepRuns, **options: Any) -> dict[str, Any]:
    return runs.step("approval", goes_on=True, **options)


def given(answer: dict[str, Any]) -> list[str]:
    return [one["operator"] for one in answer["outputs"]["approval"]["given"]]


def test_stop_approve_go_on(needing: StepRuns) -> None:
    stopped = stop(needing)
    assert (stopped["reason_code"], stopped["outcome"]) == ("approvals_missing", "awaiting_approval")
    assert "needs 1 approval: approvals_required is 1" in stopped["msg"]
    assert f"playbooks/approve.yml -e run_id={needing.run_id}" in stopped["msg"]
    held = "SELECT count(*) FROM runbook.run WHERE finished IS NULL"
    assert needing.ask(held) == [(0,)], "others may work meanwhile"
    assert needing.ask("SELECT step FROM runbook.receipt WHERE status <> 'ok'") == []
    approved = approve(needing, BOB, comment=" read with the author ")
    assert (approved["changed"], given(approved)) == (True, [BOB])
    assert needing.ask(
        "SELECT person, operator, session_role = session_user, comment FROM runbook.approval"
    ) == [("bob", BOB, True, "read with the author")]
    again = approve(needing, BOB, comment="once more")
    assert (again["changed"], given(again)) == (False, [BOB])
    assert needing.ask("SELECT count(*) FROM runbook.approval") == [(1,)]
    assert given(go_on(needing)) == [BOB]
    needing.steps("maintenance_window", "apply", "verify")
    assert needing.ask(AUTHOR) == [("author",)]


def test_apply_asks_by_itself(needing: StepRuns) -> None:
    """Started on its own, and with variables that want no approval any more."""
    answer = needing.step("apply")
    assert (answer["reason_code"], answer["outcome"]) == ("approvals_missing", "refused")
    assert needing.ask(AUTHOR) == []


def test_no_step_of_a_waiting_run_starts_on_its_own(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    answer = needing.step("apply")
    assert (answer["reason_code"], needing.ask(AUTHOR)) == ("run_has_ended", [])
    assert f"To resume it: ansible-playbook deploy.yml -e run_id={needing.run_id}" in answer["msg"]


def test_two_are_two_people_and_not_the_deployer(runs: StepRuns) -> None:
    rehearsed(runs, approvals_required=2)
    stop(runs)
    refused = approve(runs, "ann@another-machine")
    assert (refused["reason_code"], refused["outcome"]) == ("approver_is_deployer", "refused")
    assert given(approve(runs, BOB)) == [BOB]
    assert given(approve(runs, "bob@another-machine")) == [BOB]
    few = go_on(runs)
    assert few["outcome"] == "awaiting_approval"
    assert "needs 2 approvals, and has 1 (bob@desk)" in few["msg"]
    assert runs.ask("SELECT outcome FROM runbook.run") == [("awaiting_approval",)], "it waits on"
    assert given(approve(runs, CAROL)) == [BOB, CAROL]
    assert not go_on(runs).get("failed")


def test_an_approval_of_the_deployer_that_was_written_by_hand_does_not_count(needing: StepRuns) -> None:
    stop(needing)
    needing.execute(
        "INSERT INTO runbook.approval SELECT run_id, (SELECT digest FROM runbook.receipt WHERE step = 'rehearse'),"
        " 'ann', 'ann@laptop', 'x', 'x', now(), '' FROM runbook.run"
    )
    assert go_on(needing)["reason_code"] == "approvals_missing"


def test_an_approval_of_other_receipts_is_void(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    needing.execute("UPDATE runbook.approval SET receipt = repeat('0', 64)")
    answer = go_on(needing)
    assert answer["reason_code"] == "approvals_missing"
    assert (
        "Void, since it was given for other receipts than the run now has: the approval of bob@desk."
        in answer["msg"]
    )
    assert needing.step("apply")["reason_code"] == "run_has_ended"


def test_what_is_rehearsed_once_more_is_approved_once_more(needing: StepRuns) -> None:
    """Gone on, killed, and rehearsed again under the same name."""
    stop(needing)
    approve(needing, BOB)
    assert not go_on(needing).get("failed")
    needing.steps("verify_restore", "rehearse")
    answer = needing.step("apply")
    assert (answer["reason_code"], needing.ask(AUTHOR)) == ("approvals_missing", [])


@pytest.mark.parametrize("edited", ["migrations__002_author", "rollback__002_author_rollback"])
def test_a_script_edited_after_the_approval(needing: StepRuns, edited: str) -> None:
    stop(needing)
    approve(needing, BOB)
    needing.write(**{edited: "SELECT 1;"})
    answer = go_on(needing)
    assert (answer["reason_code"], answer["outcome"]) == ("sql_dir_changed", "refused")
    assert answer["goes_on"], "the run is open again, and ends as refused"


def test_who_approves_has_read_what_was_rehearsed(needing: StepRuns) -> None:
    stop(needing)
    needing.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author varchar;")
    answer = approve(needing, BOB)
    assert answer["reason_code"] == "scripts_not_those_rehearsed"
    assert "The apply script of migration 002 in your sql_dir" in answer["msg"]
    assert needing.ask("SELECT * FROM runbook.approval") == []


def test_a_schema_changed_after_the_approval(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    needing.execute("ALTER TABLE notes ADD COLUMN secret text")
    answer = go_on(needing)
    assert (answer["reason_code"], answer["outcome"]) == ("schema_drifted", "refused")
    assert "secret" in answer["msg"]
    assert [one["operator"] for one in answer["details"]["approval"]["given"]] == [BOB]
    assert "Deploy again: ansible-playbook deploy.yml -e migration=002" in answer["msg"]


def test_another_deploy_in_between(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    needing.write(
        migrations__003_upper="-- Requires: 001\nUPDATE notes SET body = upper(body);",
        rollback__003_upper_rollback="UPDATE notes SET body = lower(body);",
    )
    other = needing.another(wanted="003")
    other.must("preflight")
    other.steps("maintenance_window", "backup", "verify_restore", "rehearse", "apply", "verify", "smoke_test")
    other.conclude()
    assert needing.must("status")["outputs"]["waiting"] == [], "it can no longer go on"
    late = approve(needing, CAROL)
    assert late["reason_code"] == "production_changed_since_rehearsal"
    answer = go_on(needing)
    assert (answer["reason_code"], answer["outcome"]) == ("production_changed_since_rehearsal", "refused")
    assert f"Run {other.run_id} has changed production" in answer["msg"]


def let_a_day_pass(runs: StepRuns) -> None:
    """The receipts of the run, and what was approved, as they would be had all been done 25 hours before."""
    previous, head = FIRST_PREVIOUS, ""
    for position, document in runs.ask("SELECT position, document FROM runbook.receipt ORDER BY position"):
        receipt = {**json.loads(document), "previous": previous}
        for moment in ("started", "finished"):
            then = datetime.datetime.strptime(receipt[moment], TIME) - datetime.timedelta(hours=25)
            receipt[moment] = then.strftime(TIME)
        previous = head = digest_of_receipt(receipt)
        with (
            contextlib.closing(runs.server.connect(runs.database)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "UPDATE runbook.receipt SET document = %s, digest = %s WHERE position = %s",
                (canonical_json(receipt), head, position),
            )
            connection.commit()
    runs.execute(
        f"UPDATE runbook.chain_end SET digest = '{head}'", f"UPDATE runbook.approval SET receipt = '{head}'"
    )


def test_an_old_backup(needing: StepRuns) -> None:
    stop(needing)
    assert [run["run_id"] for run in needing.must("status")["outputs"]["waiting"]] == [needing.run_id]
    let_a_day_pass(needing)
    assert needing.must("status")["outputs"]["waiting"] == [], "it can no longer go on"
    late = approve(needing, BOB)
    assert late["reason_code"] == "receipt_too_old"
    assert "its backup was young enough until" in late["msg"]


def test_the_age_is_that_of_approvals_and_not_of_other_backups(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    assert not go_on(needing, backup_max_age_minutes=0).get("failed")
    assert not needing.step("apply", backup_max_age_minutes=0).get("failed")


def test_a_backup_that_has_grown_too_old_since_the_approval(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    let_a_day_pass(needing)
    answer = go_on(needing, backup_max_age_minutes=10000)
    assert (answer["reason_code"], answer["outcome"]) == ("receipt_too_old", "refused")
    assert "approval_max_age_hours allows 1440 minutes" in answer["msg"]


@pytest.mark.parametrize(
    ("header", "levels", "needed"),
    [
        ("-- Risk Level: HIGH\n", ["HIGH", "CRITICAL"], "the risk of 002 is HIGH"),
        ("", ["CRITICAL"], "the header of 002 states no risk level"),
        ("-- Risk Level: LOW\n", ["HIGH", "CRITICAL"], None),
        ("-- Risk Level: CRITICAL\n", [], None),
    ],
)
def test_a_risk_asks_for_one(runs: StepRuns, header: str, levels: list[str], needed: str | None) -> None:
    runs.write(migrations__002_author=f"{header}ALTER TABLE notes ADD COLUMN author text;")
    found = runs.must("preflight", approvals_required_for=levels)["outputs"].get("approvals")
    assert found == (needed and {"required": 1, "why": [needed], "max_age_hours": 24})


@pytest.mark.parametrize(
    "options", [{"approvals_required": -1}, {"approval_max_age_hours": 0}, {"approval_max_age_hours": "nan"}]
)
def test_settings_that_make_no_sense(runs: StepRuns, options: dict[str, Any]) -> None:
    answer = runs.step("preflight", **options)
    assert (answer["reason_code"], answer["outcome"]) == ("setting_invalid", "refused")


def test_only_what_waits_can_be_approved_and_go_on(needing: StepRuns) -> None:
    for run_id in ("", "no-such-run", needing.run_id):
        assert approve(needing, BOB, run_id)["reason_code"] == "run_not_waiting"
    needing.conclude("refused")
    for answer in (approve(needing, BOB), go_on(needing)):
        assert answer["reason_code"] == "run_not_waiting"
        assert "has ended (refused)" in answer["msg"]


def test_nothing_can_be_approved_where_no_run_was(runs: StepRuns) -> None:
    assert approve(runs, BOB)["reason_code"] == "run_not_waiting"
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)]


def test_check_mode_writes_nothing(needing: StepRuns) -> None:
    stop(needing)
    shown = approve(needing, BOB, _ansible_check_mode=True)
    assert (shown["changed"], given(shown)) == (True, [])
    assert needing.ask("SELECT * FROM runbook.approval") == []
    assert go_on(needing, _ansible_check_mode=True)["outcome"] == "awaiting_approval"
    approve(needing, BOB)
    assert not go_on(needing, _ansible_check_mode=True).get("failed")
    assert needing.ask("SELECT outcome FROM runbook.run") == [("awaiting_approval",)]


def test_a_comment_may_hold_anything_but_no_book(needing: StepRuns) -> None:
    stop(needing)
    hostile = "'; DROP TABLE runbook.approval; -- {{ 1 }} \u202e"
    assert approve(needing, BOB, comment="x" * 1001)["reason_code"] == "setting_invalid"
    approve(needing, BOB, comment=hostile)
    assert needing.ask("SELECT comment FROM runbook.approval") == [(hostile,)]


def test_a_run_at_work_is_not_disturbed(needing: StepRuns) -> None:
    """Somebody else has let it go on just now; and another run that holds the database is told."""
    stop(needing)
    approve(needing, BOB)
    assert not go_on(needing).get("failed")
    second = go_on(needing)
    assert second["reason_code"] == "another_run_in_progress"
    assert needing.ask("SELECT step, status FROM runbook.receipt WHERE step = 'approval'") == [
        ("approval", "ok")
    ]
    dead = go_on(needing, take_over=needing.run_id)
    assert not dead.get("failed"), "who let it go on was killed"
    needing.steps("apply")


def test_a_waiting_run_leaves_the_database_to_others_and_they_to_it(needing: StepRuns) -> None:
    stop(needing)
    approve(needing, BOB)
    other = needing.another()
    other.must("preflight", approvals_required=1)
    assert go_on(needing)["reason_code"] == "another_run_in_progress"
    assert needing.ask("SELECT outcome FROM runbook.run WHERE finished IS NOT NULL") == [
        ("awaiting_approval",)
    ]


def test_a_name_that_is_taken(needing: StepRuns) -> None:
    stop(needing)
    answer = needing.step("preflight")
    assert answer["reason_code"] == "run_id_taken"
    assert "It waits for approval" in answer["msg"]


def test_receipts_that_were_changed_are_not_approved(needing: StepRuns) -> None:
    stop(needing)
    needing.execute(
        "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE step = 'backup'"
    )
    assert approve(needing, BOB)["reason_code"] == "receipt_altered"


def test_a_half_done_migration_is_finished_without_another_approval(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Transaction: none\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);",
        rollback__002_author_rollback="-- Transaction: none\nDROP INDEX CONCURRENTLY notes_body;",
    )
    rehearsed(runs)
    runs.execute(
        "INSERT INTO runbook.journal (run_id, migration, direction, catalog_before)"
        f" VALUES ('{runs.run_id}', '002', 'apply', 'x')"
    )
    runs.conclude("failed")
    again = runs.another()
    assert "approvals" not in again.must("preflight", approvals_required=1)["outputs"]
