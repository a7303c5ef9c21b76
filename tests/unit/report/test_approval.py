# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people read of a run that waits for them."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.approval import (
    approve_report,
    given_lines,
    next_lines,
    waiting_line,
)

BOB = {
    "receipt": "abcdef0123456789",
    "person": "bob",
    "operator": "bob@desk",
    "session_role": "dba_bob",
    "acting_role": "midi",
    "approved": "2026-11-27T21:30:00.123456Z",
    "comment": "read with the author",
}


def facts(required: int = 1, given: Any = (), void: Any = ()) -> dict[str, Any]:
    return {
        "required": required,
        "why": ["the risk of 009 is HIGH"],
        "max_age_hours": 24,
        "receipt": "abcdef0123456789",
        "until": "2026-11-28T21:00:00Z",
        "given": list(given),
        "void": list(void),
    }


def outputs(**others: Any) -> dict[str, Any]:
    return {
        "run_id": "run-1",
        "migrations": ["009"],
        "operator": "ann@laptop",
        "since": "2026-11-27T21:10:00.000000Z",
        "approver": "bob@desk",
        "approved": True,
        "checked_only": False,
        "approval": facts(given=[BOB]),
        "rehearsed": [
            {
                "version": "009",
                "schema_restored": True,
                "data_restored": None,
                "schema_changes": {"changes": [{"sign": "+", "object": "column files.x"}], "more": 0},
                "impact": None,
                "statements": [],
            }
        ],
        **others,
    }


def test_what_was_approved() -> None:
    assert approve_report(outputs(), "library") == [
        "library: run run-1, deploy of 009, started by ann@laptop, waits since 2026-11-27T21:10:00Z",
        "  Rehearsed 009: the schema came back: yes; the rows came back: not compared",
        "  Schema of 009: + column files.x",
        "  What is approved: all of it up to receipt abcdef012345",
        "  Approved by bob@desk (role dba_bob) at 2026-11-27T21:30:00Z: read with the author",
        "Approved by bob@desk: the run has 1 of 1 approval",
        "Resume, until 2026-11-28T21:00:00Z: ansible-playbook deploy.yml -e run_id=run-1",
    ]


def test_what_would_be_and_what_was_before() -> None:
    looked = approve_report(outputs(checked_only=True, approval=facts(2)), "library")
    assert "Check mode: it would be approved by bob@desk: the run has 0 of 2 approvals" in looked
    again = approve_report(outputs(approved=False), "library")
    assert "It was approved already by bob@desk: the run has 1 of 1 approval" in again


def test_what_does_not_count_is_said() -> None:
    (line,) = given_lines(facts(void=[{**BOB, "comment": ""}]))
    assert line.startswith(
        "VOID, since it was given for other receipts, or is one person's second: the approval by bob"
    )
    assert given_lines({}) == []


def test_what_to_type_next() -> None:
    look, approve, then = next_lines("run-1", facts(2, [BOB]), "ann@laptop")
    assert look.endswith("ansible-playbook playbooks/approve.yml -e run_id=run-1 --check")
    assert approve == (
        "Approve, by another login than that of ann@laptop: ansible-playbook playbooks/approve.yml -e run_id=run-1"
    )
    assert then.startswith("Then resume, until 2026-11-28T21:00:00Z: ansible-playbook deploy.yml")


def test_the_status_says_who_is_waited_for() -> None:
    run = {
        "run_id": "run-1",
        "migrations": ["009"],
        "operator": "ann@laptop",
        "since": "2026-11-27T21:10:00.0Z",
    }
    assert waiting_line({**run, "approval": facts(2, [BOB])}) == (
        "WAITS FOR APPROVAL: run run-1 (deploy of 009) by ann@laptop, since 2026-11-27T21:10:00Z, until"
        " 2026-11-28T21:00:00Z: 1 of 2 approvals (bob@desk): ansible-playbook playbooks/approve.yml -e run_id=run-1"
    )
    assert waiting_line({**run, "approval": facts(1, [BOB])}).startswith("APPROVED: run run-1")
