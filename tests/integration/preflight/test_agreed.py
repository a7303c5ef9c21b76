# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was agreed to: for which migration, why, and where that is kept."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.preflight.agreed import AGREED_SPEC

from tests.integration.step_runs import StepRuns

NOTHING = "-- nothing is to be taken back\n"


def several(runs: StepRuns) -> StepRuns:
    """Two migrations are pending, and the rollback of each is a comment."""
    runs.write(
        rollback__002_author_rollback=NOTHING,
        migrations__003_more="ALTER TABLE notes ADD COLUMN more text;",
        rollback__003_more_rollback=NOTHING,
    )
    runs.migration = "pending"
    return runs


def preflight(runs: StepRuns, accept: Any, **options: Any) -> dict[str, Any]:
    name = "accept_empty_rollback"
    return runs.step("preflight", **{name: accept}, consents={name: accept, "accept_drift": False}, **options)


def test_each_is_for_the_migration_that_it_names(runs: StepRuns) -> None:
    refused = preflight(several(runs), "002")
    assert refused["reason_code"] == "rollback_script_empty"
    assert "003_more_rollback.sql" in refused["msg"]
    assert "-e accept_empty_rollback=003" in refused["msg"]


def test_true_is_not_for_several(runs: StepRuns) -> None:
    assert preflight(several(runs), True)["reason_code"] == "consent_without_migration"
    assert runs.ask("SELECT to_regclass('runbook.run')") == [(None,)]


def test_a_version_that_is_none_is_refused(runs: StepRuns) -> None:
    assert preflight(runs, "200")["reason_code"] == "consent_for_no_migration"


def test_consents_and_reason_are_in_the_receipt(runs: StepRuns) -> None:
    answer = preflight(several(runs), ["002", "003"], consent_reason="a label stays, ticket 4711")
    assert not answer.get("failed"), answer
    [(outputs,)] = runs.ask("SELECT document::jsonb->'outputs' FROM runbook.receipt WHERE step = 'preflight'")
    assert outputs["consents"] == {"accept_empty_rollback": ["002", "003"]}
    assert outputs["consent_reason"] == "a label stays, ticket 4711"


def test_nothing_is_kept_where_nothing_was_agreed_to(runs: StepRuns) -> None:
    assert "consents" not in preflight(runs, "false", consent_reason="none needed")["outputs"]


def test_a_reason_may_be_wanted(runs: StepRuns) -> None:
    refused = preflight(runs, "002", consents_need_reason=True, consent_reason=" ")
    assert refused["reason_code"] == "consent_without_reason"
    assert "-e consent_reason=" in refused["msg"]
    assert not preflight(runs, "002", consents_need_reason=True, consent_reason="ticket 4711").get("failed")


def test_an_edit_is_right_for_the_migration_that_is_named(runs: StepRuns) -> None:
    runs.deploy()
    runs.write(migrations__002_author="-- edited\nALTER TABLE notes ADD COLUMN author text;")
    runs.write(
        migrations__003_more="ALTER TABLE notes ADD COLUMN more text;",
        rollback__003_more_rollback="ALTER TABLE notes DROP COLUMN more;",
    )
    other = runs.another(wanted="003").step("preflight", accept_edited_scripts="003")
    assert other["reason_code"] == "deployed_script_edited"
    assert "-e accept_edited_scripts=002" in other["msg"]
    assert not runs.another(wanted="003").step("preflight", accept_edited_scripts="002").get("failed")


def test_whoever_is_asked_for_a_consent_has_given_none(runs: StepRuns) -> None:
    assert [name for name, option in AGREED_SPEC.items() if option["default"]] == []
    assert "consents" not in runs.must("preflight")["outputs"]
