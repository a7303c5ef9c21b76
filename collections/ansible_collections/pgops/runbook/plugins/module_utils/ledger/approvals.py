# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Four eyes: what a run must have been approved by before it changes production, and who has approved it.

How many approvals a run needs stands in the receipt of its preflight, and an approval is bound to the receipts that
were there when it was given: what the variables of a controller say later changes neither.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..digests import canonical_json
from ..errors import AwaitingApproval, Refused, RunbookError
from ..postgres.answers import one_row
from ..sentences import listed
from ..shapes import Cursor, Json, Receipt
from .ledger import LEASE_MINUTES, UTC_TEXT, Ledger
from .receipts import latest
from .upgrade import release_of

__all__ = [
    "APPROVE",
    "AWAITING",
    "RESUME",
    "WAITS",
    "age_limit",
    "approval_facts",
    "changed_since",
    "check_approvals",
    "demand",
    "demand_of",
    "head_of",
    "person",
    "read_approvals",
    "reopen",
    "usable_until",
    "waiting_runs",
    "write_approval",
]

#: Outcome of a run that has stopped until others have said yes.
AWAITING = "awaiting_approval"

# Of the layout that has the table.
RELEASE = 7

APPROVE = "ansible-playbook playbooks/approve.yml -e run_id={}"
RESUME = "ansible-playbook deploy.yml -e run_id={}"

# Of a step that is started on its own.
WAITS = "Run {} waits for approval, and no step of it runs on its own until then. To resume it: {}"

# What they have shown is what is approved. The others are done once more when the run goes on.
APPROVED_STEPS = ("preflight", "backup", "verify_restore", "rehearse", "files_check")

# The moment of each receipt, as ledger.UTC_TEXT writes it.
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


# What is demanded --------------------------------------------------------------------------------------------


def demand(
    required: int, required_for: Collection[str], risks: Mapping[str, str | None], max_age_hours: float
) -> Json | None:
    """What a run about these migrations needs; None for nothing.

    Args:
        required: approvals that every deploy needs.
        required_for: risk levels of which one is needed at least.
        risks: version -> risk level of its header; None where it states none, which may be any.
        max_age_hours: how old backup, proof and rehearsal may be when the run goes on.

    Returns:
        dict: required (number of approvals), why (parts of a sentence), max_age_hours.
    """
    why = [f"approvals_required is {required}"] if required else []
    grave = {
        version: risk for version, risk in risks.items() if required_for and risk in (None, *required_for)
    }
    why += [
        f"the risk of {version} is {risk}" if risk else f"the header of {version} states no risk level"
        for version, risk in grave.items()
    ]
    count = max(required, 1 if grave else 0)
    return {"required": count, "why": why, "max_age_hours": max_age_hours} if count else None


def demand_of(receipts: Sequence[Receipt]) -> Json | None:
    """What a run needs, by the receipt of its preflight; None for nothing."""
    for receipt in receipts:
        if receipt["step"] == "preflight" and receipt["status"] == "ok":
            return receipt["outputs"].get("approvals")
    return None


def age_limit(receipts: Sequence[Receipt], minutes: float) -> tuple[float, str]:
    """How old backup, proof and rehearsal of a run may be, in minutes, and which variable says so.

    Args:
        minutes: backup_max_age_minutes.
    """
    needed = demand_of(receipts)
    if needed is None:
        return minutes, "backup_max_age_minutes"
    return needed["max_age_hours"] * 60, "approval_max_age_hours"


def usable_until(receipts: Sequence[Receipt]) -> str | None:
    """Until when a run can go on before its backup is too old, as UTC text; None where there is no limit."""
    needed, backup = demand_of(receipts), latest(receipts, "backup")
    if needed is None or backup is None:
        return None
    finished = datetime.datetime.strptime(backup["finished"], TIME)
    return (finished + datetime.timedelta(hours=needed["max_age_hours"])).strftime("%Y-%m-%dT%H:%M:%SZ")


# Who has approved --------------------------------------------------------------------------------------------


def person(operator: str) -> str:
    """The login of USER@HOST: whoever works on two machines is one person."""
    return operator.rpartition("@")[0] or operator


def head_of(receipts: Sequence[Receipt]) -> str | None:
    """Digest of the last receipt of what is approved; it vouches for those before it. None where there is none."""
    shown = [receipt for receipt in receipts if receipt["step"] in APPROVED_STEPS]
    return shown[-1]["digest"] if shown else None


def approval_facts(receipts: Sequence[Receipt], approvals: Iterable[Json], deployed_by: str) -> Json | None:
    """What a run needs and has, for its record; None where it needs nothing.

    Args:
        receipts: of the run, oldest first.
        approvals: of the run, as read_approvals() gives them.
        deployed_by: the operator who started it, who cannot approve it.

    Returns:
        dict: required, why, max_age_hours, receipt (digest that is approved), until (UTC text, or None), given (those
        that count) and void (those that do not).
    """
    needed = demand_of(receipts)
    if needed is None:
        return None
    head = head_of(receipts)
    given: list[Json] = []
    void: list[Json] = []
    people = {person(deployed_by)}
    for one in approvals:
        counts = one["receipt"] == head and one["person"] not in people
        (given if counts else void).append(one)
        people.update([one["person"]] if counts else [])
    return {**needed, "receipt": head, "until": usable_until(receipts), "given": given, "void": void}


def check_approvals(
    run_id: str, receipts: Sequence[Receipt], approvals: Iterable[Json], deployed_by: str, stops: bool
) -> Json | None:
    """Whether a run may change production; what it needs and has (see approval_facts).

    Args:
        stops: whether the run stops here and goes on later, or a step is started that may not be.

    Raises:
        AwaitingApproval, Refused: approvals are missing.
    """
    facts = approval_facts(receipts, approvals, deployed_by)
    if facts is None or len(facts["given"]) >= facts["required"]:
        return facts
    error: type[RunbookError] = AwaitingApproval if stops else Refused
    raise error("approvals_missing", _missing(run_id, facts, deployed_by), approval=facts)


def _missing(run_id: str, facts: Json, deployed_by: str) -> str:
    needed, given = facts["required"], [one["operator"] for one in facts["given"]]
    so_far = f", and has {len(given)} ({listed(given)})" if given else ""
    outdated = [one["operator"] for one in facts["void"] if one["receipt"] != facts["receipt"]]
    void = (
        f" Void, since it was given for other receipts than the run now has: the approval of {listed(outdated)}."
        if outdated
        else ""
    )
    return (
        f"Run {run_id} needs {needed} approval{'s' * (needed != 1)}{so_far}: {listed(facts['why'])}.{void} Somebody"
        f" else than {person(deployed_by)} types: {APPROVE.format(run_id)}"
    )


# In the ledger -----------------------------------------------------------------------------------------------


def read_approvals(cursor: Cursor, run_id: str) -> list[Json]:
    """Approvals of a run, oldest first: receipt, person, operator, session_role, acting_role, approved and comment."""
    if release_of(cursor) < RELEASE:
        return []
    cursor.execute(
        f"SELECT receipt, person, operator, session_role, acting_role, {UTC_TEXT.format('approved')}, comment"
        " FROM runbook.approval WHERE run_id = %s ORDER BY approved, person",
        (run_id,),
    )
    names = ("receipt", "person", "operator", "session_role", "acting_role", "approved", "comment")
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def write_approval(cursor: Cursor, run_id: str, receipt: str, operator: str, comment: str) -> bool:
    """Note a person's yes; returns whether it was not there yet. Does not commit."""
    cursor.execute(
        "INSERT INTO runbook.approval (run_id, receipt, person, operator, session_role, acting_role, comment)"
        " VALUES (%s, %s, %s, %s, session_user, current_user, %s) ON CONFLICT DO NOTHING",
        (run_id, receipt, person(operator), operator, comment),
    )
    return cursor.rowcount == 1


def waiting_runs(cursor: Cursor, run_id: str | None = None) -> list[Json]:
    """Runs that have stopped until they are approved, oldest first, or the one that is named; whatever became of them.

    Returns:
        dicts: run_id, migrations, operator, since (UTC text), receipts, approval (see approval_facts), expired (bool:
        its backup is too old), changed_by (run_id of a later run that has changed production, or None).
    """
    if release_of(cursor) < RELEASE:
        return []
    cursor.execute(
        f"SELECT run_id, migrations, operator, {UTC_TEXT.format('finished')} FROM runbook.run"
        " WHERE outcome = %s AND (%s::text IS NULL OR run_id = %s) ORDER BY started",
        (AWAITING, run_id, run_id),
    )
    names = ("run_id", "migrations", "operator", "since")
    return [_with_facts(cursor, dict(zip(names, row))) for row in cursor.fetchall()]


def _with_facts(cursor: Cursor, run: Json) -> Json:
    receipts = Ledger().receipts(cursor, run["run_id"])
    facts = approval_facts(receipts, read_approvals(cursor, run["run_id"]), run["operator"])
    cursor.execute(
        "SELECT coalesce(clock_timestamp() > %s::timestamptz, false)", ((facts or {}).get("until"),)
    )
    return {
        **run,
        "receipts": receipts,
        "approval": facts,
        "expired": one_row(cursor)[0],
        "changed_by": changed_since(cursor, run["run_id"]),
    }


def changed_since(cursor: Cursor, run_id: str) -> str | None:
    """The run that has changed production, or tried to, after the last receipt of this one; None where none has."""
    cursor.execute(
        "SELECT run_id FROM runbook.receipt WHERE run_id <> %s AND status = 'ok'"
        " AND step IN ('apply', 'emergency_rollback', 'swap', 'salvage_restore', 'adopt')"
        " AND position > (SELECT max(position) FROM runbook.receipt WHERE run_id = %s AND step = ANY (%s))"
        " ORDER BY position LIMIT 1",
        (run_id, run_id, list(APPROVED_STEPS)),
    )
    row = cursor.fetchone()
    return row[0] if row else None


def reopen(cursor: Cursor, run_id: str, controller: Json) -> None:
    """The run goes on, driven by this controller. Does not commit."""
    cursor.execute(
        "UPDATE runbook.run SET finished = NULL, outcome = NULL, reason = NULL, record_sha256 = NULL, controller = %s,"
        " lease_until = clock_timestamp() + %s * interval '1 minute' WHERE run_id = %s",
        (canonical_json(controller), LEASE_MINUTES, run_id),
    )
