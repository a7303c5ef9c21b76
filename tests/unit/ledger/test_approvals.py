# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which approvals a run needs, and which count."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import AwaitingApproval, Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.approvals import (
    age_limit,
    approval_facts,
    check_approvals,
    demand,
    demand_of,
    head_of,
    person,
    usable_until,
)

ANN = "ann@laptop"


def receipt(step: str, digest: str, status: str = "ok", **outputs: Any) -> Any:
    return {
        "step": step,
        "digest": digest,
        "status": status,
        "migration": None,
        "finished": "2026-11-27T21:00:00.000000Z",
        "outputs": outputs,
    }


def run(required: int = 1, *more: Any) -> list[Any]:
    needed = {"required": required, "why": ["the risk of 009 is HIGH"], "max_age_hours": 12}
    return [
        receipt("preflight", "p", approvals=needed),
        receipt("backup", "b"),
        receipt("rehearse", "r"),
        *more,
    ]


def yes(operator: str, digest: str = "r") -> dict[str, Any]:
    return {"receipt": digest, "person": person(operator), "operator": operator}


@pytest.mark.parametrize(
    ("required", "levels", "risks", "count", "why"),
    [
        (0, [], {"009": "CRITICAL"}, None, None),
        (0, ["HIGH"], {"009": "LOW"}, None, None),
        (2, [], {"009": "LOW"}, 2, ["approvals_required is 2"]),
        (0, ["HIGH"], {"009": "HIGH", "010": "LOW"}, 1, ["the risk of 009 is HIGH"]),
        (0, ["HIGH"], {"009": None}, 1, ["the header of 009 states no risk level"]),
        (2, ["HIGH"], {"009": "HIGH"}, 2, ["approvals_required is 2", "the risk of 009 is HIGH"]),
    ],
)
def test_what_is_needed(required: int, levels: list[str], risks: Any, count: Any, why: Any) -> None:
    found = demand(required, levels, risks, 24)
    assert found == (count and {"required": count, "why": why, "max_age_hours": 24})


def test_what_is_needed_was_written_when_the_run_was_opened() -> None:
    """A preflight that is typed once more under the same name, and refused, takes nothing away."""
    again = receipt("preflight", "p2", status="failed")
    assert demand_of([*run(), again])["required"] == 1
    assert demand_of([receipt("preflight", "p")]) is None
    assert demand_of([]) is None


@pytest.mark.parametrize(
    ("operator", "name"),
    [("ann@laptop", "ann"), ("ann@corp@laptop", "ann@corp"), ("uid 1000@host", "uid 1000"), ("ann", "ann")],
)
def test_a_person_is_a_login_on_whichever_machine(operator: str, name: str) -> None:
    assert person(operator) == name


def test_what_is_done_once_more_when_the_run_goes_on_is_not_what_was_approved() -> None:
    resumed = [receipt("approval", "a"), receipt("maintenance_window", "m")]
    assert head_of(run()) == head_of(run(1, *resumed)) == "r"
    assert head_of(run(1, receipt("rehearse", "r2"))) == "r2"
    assert head_of(run(1, receipt("files_check", "f"))) == "f"
    assert head_of([]) is None


@pytest.mark.parametrize(
    ("approvals", "given", "void"),
    [
        ([], [], []),
        ([yes("bob@a")], ["bob@a"], []),
        ([yes(ANN), yes("ann@elsewhere")], [], [ANN, "ann@elsewhere"]),
        ([yes("bob@a"), yes("bob@b"), yes("carol@a")], ["bob@a", "carol@a"], ["bob@b"]),
        ([yes("bob@a", "another")], [], ["bob@a"]),
        ([yes("bob@a", "another"), yes("bob@a")], ["bob@a"], ["bob@a"]),
    ],
)
def test_which_count(approvals: list[Any], given: list[str], void: list[str]) -> None:
    facts = approval_facts(run(), approvals, ANN)
    assert [one["operator"] for one in facts["given"]] == given
    assert [one["operator"] for one in facts["void"]] == void
    assert (facts["receipt"], facts["until"]) == ("r", "2026-11-28T09:00:00Z")


def test_where_none_is_needed_nothing_is_asked() -> None:
    assert check_approvals("run-1", [receipt("preflight", "p")], [], ANN, stops=False) is None
    assert approval_facts([receipt("preflight", "p")], [yes("bob@a")], ANN) is None


def test_too_few_stop_the_run_and_refuse_a_step() -> None:
    with pytest.raises(AwaitingApproval) as stopped:
        check_approvals("run-1", run(2), [yes("bob@a"), yes("carol@a", "another")], ANN, stops=True)
    assert stopped.value.reason == (
        "Run run-1 needs 2 approvals, and has 1 (bob@a): the risk of 009 is HIGH. Void, since it was given for other"
        " receipts than the run now has: the approval of carol@a. Somebody else than ann types: ansible-playbook"
        " playbooks/approve.yml -e run_id=run-1"
    )
    assert stopped.value.outcome == "awaiting_approval"
    with pytest.raises(Refused) as refused:
        check_approvals("run-1", run(), [], ANN, stops=False)
    assert (refused.value.code, refused.value.outcome) == ("approvals_missing", "refused")
    assert check_approvals("run-1", run(), [yes("bob@a")], ANN, stops=True)["required"] == 1


def test_how_old_a_backup_may_be() -> None:
    assert age_limit(run(), 60) == (720, "approval_max_age_hours")
    assert age_limit([receipt("preflight", "p")], 60) == (60, "backup_max_age_minutes")
    assert usable_until([receipt("preflight", "p")]) is None
