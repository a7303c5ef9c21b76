# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report for people: what is approved and by whom, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.approvals import APPROVE, RESUME
from ...module_utils.sentences import cut, listed
from .measured import measured

__all__ = ["approvals_in_words", "approve_report", "given_lines", "next_lines", "waiting_line"]

# Of a digest, as the page of the report shows receipts.
DIGEST_SHOWN = 12


def approve_report(outputs: dict[str, Any], target: str) -> list[str]:
    """What was approved, or with --check would be: the run, what its rehearsal has shown, and what comes next.

    Args:
        outputs: of the step approve.
        target: name of the inventory host.
    """
    facts = outputs["approval"]
    lines = [
        f"{target}: run {outputs['run_id']}, deploy of {', '.join(outputs['migrations'])}, started by"
        f" {outputs['operator']}, waits since {_second(outputs['since'])}"
    ]
    lines += [f"  {line}" for one in outputs["rehearsed"] for line in _rehearsed(one)]
    lines.append(f"  What is approved: all of it up to receipt {facts['receipt'][:DIGEST_SHOWN]}")
    lines += [f"  {line}" for line in given_lines(facts)]
    what = {
        (True, True): "Check mode: it would be approved by",
        (True, False): "Approved by",
        (False, True): "It was approved already by",
        (False, False): "It was approved already by",
    }[(outputs["approved"], outputs["checked_only"])]
    lines.append(f"{what} {outputs['approver']}: the run has {approvals_in_words(facts)}")
    return [*lines, *next_lines(outputs["run_id"], facts, outputs["operator"])]


def _rehearsed(migration: dict[str, Any]) -> list[str]:
    """What the rehearsal of a migration has shown."""
    words = {True: "yes", False: "NO", None: "not compared"}
    lines = [
        f"Rehearsed {migration['version']}: the schema came back: {words[migration['schema_restored']]}; the rows"
        f" came back: {words[migration['data_restored']]}"
    ]
    found = (migration.get("schema_changes") or {}).get("changes") or []
    lines += cut(
        [f"Schema of {migration['version']}: {change['sign']} {change['object']}" for change in found]
    )
    if migration.get("impact"):
        seconds = sum(statement["seconds"] for statement in migration["statements"])
        lines += measured(
            {"impact": {migration["version"]: {"copy": {"seconds": seconds, **migration["impact"]}}}}
        )
    return lines


def approvals_in_words(facts: dict[str, Any]) -> str:
    """``1 of 2 approvals``.

    Args:
        facts: what the run needs and has; see module_utils/ledger/approvals.py, approval_facts.
    """
    return f"{len(facts.get('given') or [])} of {facts['required']} approval{'s' * (facts['required'] != 1)}"


def given_lines(facts: dict[str, Any]) -> list[str]:
    """A line for each approval, those that do not count among them."""
    lines = [f"Approved by {_who(one)}" for one in facts.get("given") or []]
    return lines + [
        f"VOID, since it was given for other receipts, or is one person's second: the approval by {_who(one)}"
        for one in facts.get("void") or []
    ]


def _who(one: dict[str, Any]) -> str:
    said = f": {one['comment']}" if one["comment"] else ""
    return f"{one['operator']} (role {one['session_role']}) at {_second(one['approved'])}{said}"


def next_lines(run_id: str, facts: dict[str, Any], deployed_by: str) -> list[str]:
    """The commands that come next, each in a line of its own."""
    until = f", until {facts['until']}" if facts.get("until") else ""
    resume = f"Resume{until}: {RESUME.format(run_id)}"
    if len(facts.get("given") or []) >= facts["required"]:
        return [resume]
    look = f"{APPROVE.format(run_id)} --check"
    return [
        f"Look, at the report or by: {look}",
        f"Approve, by another login than that of {deployed_by}: {APPROVE.format(run_id)}",
        f"Then {resume[0].lower()}{resume[1:]}",
    ]


def waiting_line(run: dict[str, Any]) -> str:
    """A line of the status about a run that waits.

    Args:
        run: run_id, migrations, operator, since and approval.
    """
    facts, run_id = run["approval"], run["run_id"]
    enough = len(facts["given"]) >= facts["required"]
    what = "APPROVED" if enough else "WAITS FOR APPROVAL"
    by = f" ({listed([one['operator'] for one in facts['given']], separator=', ')})" if facts["given"] else ""
    command = (RESUME if enough else APPROVE).format(run_id)
    return (
        f"{what}: run {run_id} (deploy of {', '.join(run['migrations'])}) by {run['operator']}, since"
        f" {_second(run['since'])}, until {facts['until']}: {approvals_in_words(facts)}{by}: {command}"
    )


def _second(moment: str) -> str:
    """A moment of the ledger as people read it."""
    return f"{moment[:19]}Z"
