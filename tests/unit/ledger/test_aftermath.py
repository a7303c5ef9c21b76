# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of a step that could not report, its receipts and its journal say what became of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed, Unchanged
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import (
    aftermath,
    agrees,
    committed,
    committed_in_words,
    ended_as,
    half_done_in_words,
    why_taken_over,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import (
    DEPLOY_STEPS,
    RESTORE_STEPS,
    ROLLBACK_STEPS,
    make_receipt,
)

IDENTITY = {"system_identifier": "7", "database": "shop", "database_oid": 5}
GONE = why_taken_over("gone", "r2")
HALF_DONE = {"migration": "002", "direction": "apply", "done": 1}


def receipt(step: Any, migration: Any = None, **outputs: Any) -> Any:
    return make_receipt("r", step, "ok", "", "", IDENTITY, "0", migration=migration, outputs=outputs)


@pytest.mark.parametrize(
    ("step", "receipts", "half_done", "kind", "said"),
    [
        ("apply", [], None, Unchanged, "It had committed nothing."),
        ("apply", [receipt("apply", "002")], None, StepFailed, "It had committed 002."),
        ("apply", [], HALF_DONE, StepFailed, "Migration 002 is half done: 1 statement of its apply script"),
        ("emergency_rollback", [receipt("apply", "002")], None, Unchanged, "It had taken back nothing."),
        ("emergency_rollback", [], HALF_DONE, Unchanged, "It had taken back nothing."),
        (
            "emergency_rollback",
            [receipt("apply", "002"), receipt("emergency_rollback", "002")],
            None,
            StepFailed,
            "It had taken back 002.",
        ),
        ("swap", [], None, Unchanged, "The databases were not swapped"),
        ("swap", [receipt("restore", database_oid=6)], None, Unchanged, "The databases were not swapped"),
        ("swap", [receipt("restore", database_oid=5)], None, StepFailed, "It had swapped the databases"),
    ],
)
def test_what_became_of_it(step: str, receipts: list[Any], half_done: Any, kind: Any, said: str) -> None:
    found = aftermath(step, "step_killed", "It was killed.", receipts, IDENTITY, half_done)
    assert type(found) is kind
    assert found.reason.startswith(f"It was killed. {said}")
    assert found.code == "step_killed"
    assert found.details.get("done", False) == (kind is StepFailed and half_done is None)


def refusal(step: Any) -> Any:
    return make_receipt("r", step, "failed", "", "", IDENTITY, "0", outputs={"reason": "No."})


def chain(steps: Any, *others: Any, migration: str = "002") -> list[Any]:
    """Receipts of these steps, one a migration where a step changes one."""
    changes = ("apply", "emergency_rollback")
    return [*(receipt(one, migration if one in changes else None) for one in steps), *others]


UNTIL_APPLY = DEPLOY_STEPS[: DEPLOY_STEPS.index("apply")]
UNTIL_VERIFY = DEPLOY_STEPS[: DEPLOY_STEPS.index("verify")]


@pytest.mark.parametrize(
    ("playbook", "receipts", "outcome"),
    [
        ("deploy", [], "failed"),
        ("deploy", chain(DEPLOY_STEPS), "deployed"),
        ("emergency_rollback", chain(ROLLBACK_STEPS), "rolled_back"),
        ("restore", chain(RESTORE_STEPS), "restored"),
        ("deploy", chain(DEPLOY_STEPS[:-1]), "failed"),
        ("deploy", chain(UNTIL_APPLY, refusal("rehearse")), "refused"),
        ("rehearse", chain(["preflight"], refusal("backup")), "refused"),
        ("deploy", chain(UNTIL_APPLY, refusal("apply")), "unchanged"),
        ("deploy", chain(UNTIL_VERIFY, refusal("verify")), "failed"),
        (
            "deploy",
            chain(UNTIL_VERIFY, refusal("verify"), receipt("emergency_rollback", "002")),
            "rolled_back",
        ),
        ("emergency_rollback", chain(ROLLBACK_STEPS[:2], refusal("emergency_rollback")), "unchanged"),
        ("emergency_rollback", chain(ROLLBACK_STEPS[:3], refusal("smoke_test")), "failed"),
        ("restore", chain(RESTORE_STEPS[:3], refusal("swap")), "unchanged"),
        ("salvage", chain(["preflight"]), "failed"),
    ],
)
def test_how_a_run_ended_that_nobody_closed(playbook: str, receipts: Any, outcome: str) -> None:
    assert ended_as(playbook, receipts, IDENTITY, None, GONE)[0] == outcome


def test_what_a_run_had_come_to_is_told_with_its_end() -> None:
    swapped = chain(RESTORE_STEPS[:1], receipt("restore", database_oid=5))
    assert committed(swapped, IDENTITY, None) == {
        "applied": [],
        "rolled_back": [],
        "replaced": "shop_before_r",
        "half_done": None,
    }
    outcome, reason = ended_as("restore", swapped, IDENTITY, None, GONE)
    assert outcome == "failed"
    assert reason.startswith(
        "it had swapped the databases: production is the restored backup, and what it was"
    )
    assert "in database shop_before_r; its end was not recorded" in reason
    _, reason = ended_as("deploy", chain(UNTIL_VERIFY), IDENTITY, None, GONE)
    assert reason.startswith("it had applied 002; its end was not recorded")
    _, reason = ended_as("restore", chain(RESTORE_STEPS[:1]), IDENTITY, None, GONE)
    assert reason.startswith("its end was not recorded")


@pytest.mark.parametrize(
    ("done", "words"),
    [
        ({"applied": [], "rolled_back": []}, "committed nothing"),
        ({"applied": ["001"], "rolled_back": ["002"], "replaced": None}, "applied 001 and rolled back 002"),
        (
            {**committed([], IDENTITY, HALF_DONE), "applied": ["001"]},
            f"applied 001 and begun {half_done_in_words(HALF_DONE)}",
        ),
    ],
)
def test_what_was_committed_in_words(done: dict[str, Any], words: str) -> None:
    assert committed_in_words(done) == words


def test_a_run_whose_statements_are_half_done_was_interrupted() -> None:
    receipts = chain(UNTIL_APPLY, refusal("apply"))
    outcome, reason = ended_as("deploy", receipts, IDENTITY, HALF_DONE, GONE)
    assert outcome == "failed"
    assert reason.startswith(f"it had begun {half_done_in_words(HALF_DONE)}; its end was not recorded")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"direction": "apply"}, "002: 1 statement of its apply script is committed"),
        ({"direction": "rollback"}, "the rollback of 002: 1 statement of its rollback script is committed"),
        (
            {"direction": "apply", "begun_line": 4},
            "002: 1 statement of its apply script is committed, and the one at line 4 was begun",
        ),
        (
            {"direction": "apply", "begun_line": 4, "batches": 3},
            "002: 1 statement of its apply script is committed, and 3 batches of the one at line 4",
        ),
    ],
)
def test_what_is_half_done_in_words(facts: dict[str, Any], words: str) -> None:
    assert half_done_in_words({"migration": "002", "done": 1, **facts}) == words


def test_of_files_on_other_hosts_the_receipts_do_not_tell_enough() -> None:
    receipts = [receipt("preflight", files=["002"]), *chain(DEPLOY_STEPS[1:])]
    assert ended_as("deploy", receipts, IDENTITY, None, GONE)[0] == "failed"


@pytest.mark.parametrize(
    ("because", "why"),
    [
        ("gone", "its controller was gone when run r2 began"),
        ("unseen", "its lease was over and nobody could see its controller"),
        ("named", "run r2 was told by take_over to take its place"),
    ],
)
def test_the_ledger_says_no_more_than_is_known(because: str, why: str) -> None:
    said = why_taken_over(because, "r2")
    assert said == why
    assert ended_as("deploy", chain(["preflight"]), IDENTITY, None, said) == (
        "failed",
        f"its end was not recorded: {why}",
    )
    assert ended_as("deploy", chain(DEPLOY_STEPS), IDENTITY, None, said) == (
        "deployed",
        f"all of it was done, and its end was not recorded: {why}",
    )
    assert ended_as("deploy", chain(UNTIL_APPLY), IDENTITY, None, said) == (
        "unchanged",
        f"production is as it was, and the run's end was not recorded: {why}",
    )


@pytest.mark.parametrize(
    ("outcome", "receipts", "half_done", "agreed"),
    [
        ("refused", chain(["preflight"]), None, True),
        ("refused", chain(UNTIL_APPLY, refusal("apply")), None, False),
        ("unchanged", chain(UNTIL_APPLY), None, True),
        ("unchanged", chain(UNTIL_APPLY, refusal("apply")), None, True),
        ("unchanged", chain(UNTIL_APPLY), HALF_DONE, False),
        ("unchanged", chain(UNTIL_VERIFY), None, False),
        ("unchanged", chain(UNTIL_VERIFY, receipt("emergency_rollback", "002")), None, False),
        ("deployed", chain(UNTIL_VERIFY), None, False),
        ("deployed", chain(DEPLOY_STEPS), None, True),
        ("failed", chain(UNTIL_VERIFY), None, True),
        ("rolled_back", chain(UNTIL_VERIFY), None, False),
        (
            "rolled_back",
            chain(UNTIL_VERIFY, refusal("verify"), receipt("emergency_rollback", "002")),
            None,
            True,
        ),
    ],
)
def test_a_record_is_believed_where_the_receipts_allow_it(
    outcome: str, receipts: Any, half_done: Any, agreed: bool
) -> None:
    assert agrees("deploy", outcome, receipts, IDENTITY, half_done) is agreed


def test_of_a_playbook_that_changes_nothing_no_record_says_that_it_did_not() -> None:
    assert not agrees("rehearse", "unchanged", chain(["preflight"]), IDENTITY, None)
