# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of one run over many databases: which is in which batch, and how each ended. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...module_utils.ledger.aftermath import SUCCESS
from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.ledger.schema import COLLECTION_VERSION
from ...module_utils.sentences import listed

__all__ = [
    "AT_WORK",
    "FORMAT",
    "HAD_IT",
    "UNTOUCHED",
    "Verdict",
    "begin",
    "close",
    "end",
    "new_content",
    "take_back",
    "to_take_back",
]

Content = dict[str, Any]

#: Of fleet.json, as fleet.schema.json beside this file describes it; a larger number where a reader would be misled.
FORMAT = 1

#: What a database can be in besides the outcome of its run.
UNTOUCHED, AT_WORK, HAD_IT = "untouched", "at_work", "had_it"


class Verdict(NamedTuple):
    """Whether the run of a database may begin.

    Attributes:
        goes_on: it begins.
        for_all: of one that does not: nor does any other of its batch, none of which has begun.
        why: a sentence; empty where it begins.
    """

    goes_on: bool
    for_all: bool = False
    why: str = ""


def new_content(fleet_id: str, facts: dict[str, Any], batches: Sequence[Sequence[str]]) -> Content:
    """The record before anything has begun.

    Args:
        facts: playbook, migration (as it was asked for), operator and rollback_batch.
        batches: names of the inventory hosts of each.
    """
    return {
        "format": FORMAT,
        "runbook_version": COLLECTION_VERSION,
        "fleet_id": fleet_id,
        **facts,
        "started": _now(),
        "ended": None,
        "outcome": "in_progress",
        "reason": None,
        "databases": [
            {
                "target": target,
                "database": None,
                "batch": number,
                "status": UNTOUCHED,
                "run_id": None,
                "migrations": [],
                "reason_code": None,
                "reason": None,
                "seconds": None,
                "taken_back": None,
            }
            for number, batch in enumerate(batches, 1)
            for target in batch
        ],
    }


def begin(content: Content, target: str) -> Verdict:
    """Note that the run of a database begins, unless it has to stay untouched."""
    entry = _entry(content, target)
    why = _what_stops(content, entry["batch"])
    if why is not None:
        return why
    entry["status"] = AT_WORK
    return Verdict(goes_on=True)


def _what_stops(content: Content, batch: int) -> Verdict | None:
    """The verdict where something has gone wrong; None where nothing has."""
    earlier = [one for one in content["databases"] if one["batch"] < batch]
    wrong = [one for one in earlier if not _went_well(content, one)]
    if wrong:
        return Verdict(goes_on=False, for_all=True, why=_sentence(wrong))
    # Who is in the same batch may be at work; what has gone wrong there stops those that have not begun.
    beside = [one for one in content["databases"] if one["batch"] == batch and _is_wrong(content, one)]
    return Verdict(goes_on=False, why=_sentence(beside)) if beside else None


def _went_well(content: Content, entry: dict[str, Any]) -> bool:
    return entry["status"] in (HAD_IT, SUCCESS[content["playbook"]])


def _is_wrong(content: Content, entry: dict[str, Any]) -> bool:
    """Whether a run has ended, and not as was wanted; one that waits for others stops the rest as well."""
    return entry["status"] not in (UNTOUCHED, AT_WORK) and not _went_well(content, entry)


def _sentence(wrong: Sequence[dict[str, Any]]) -> str:
    first = wrong[0]
    how = {UNTOUCHED: "never began", AT_WORK: "did not end"}.get(first["status"], f"ended {first['status']}")
    return f"It was left untouched: the run of {first['target']} in batch {first['batch']} {how}."


def end(content: Content, target: str, run: dict[str, Any]) -> None:
    """Take in how the run of a database ended.

    Args:
        run: content of its run.json. One of another playbook than the fleet's has taken it back.
    """
    entry = _entry(content, target)
    if run["playbook"] != content["playbook"]:
        entry["taken_back"] = {key: run[key] for key in ("run_id", "outcome", "reason_code", "reason")}
        return
    had_it = run["outcome"] == SUCCESS[run["playbook"]] and not run["migrations"] and not run.get("files")
    entry.update(
        {key: run[key] for key in ("database", "run_id", "migrations", "reason_code", "reason")},
        status=HAD_IT if had_it else _status(run),
        seconds=round(sum(step.get("seconds") or 0 for step in run["steps"]), 3),
    )


def _status(run: dict[str, Any]) -> str:
    """The outcome; a deploy that is one and that a reason makes a failure (fail_on_held_back) is that."""
    wanted = run["outcome"] == SUCCESS[run["playbook"]]
    return "failed" if wanted and run["reason_code"] else str(run["outcome"])


def to_take_back(content: Content) -> list[dict[str, Any]]:
    """Entries of what this fleet has deployed in a batch in which there was a failure, and what was not tried yet.

    Whoever asks does so when no run of the fleet is at work any more: one that still says so never ended.
    """
    if not content["rollback_batch"]:
        return []
    fine = (UNTOUCHED, HAD_IT, AWAITING, SUCCESS[content["playbook"]])
    failed = {one["batch"] for one in content["databases"] if one["status"] not in fine}
    return [
        one
        for one in content["databases"]
        if one["batch"] in failed and one["status"] == "deployed" and one["taken_back"] is None
    ]


def take_back(content: Content, target: str) -> list[str]:
    """The migrations that are to be taken back in a database; none where it stays as it is."""
    return next((list(one["migrations"]) for one in to_take_back(content) if one["target"] == target), [])


def close(content: Content) -> bool:
    """Work out how the whole stands; whether nothing is at work any more."""
    databases = content["databases"]
    wrong = [one for one in databases if _is_wrong(content, one)]
    untouched = any(one["status"] == UNTOUCHED for one in databases)
    if any(one["status"] == AT_WORK for one in databases) or (untouched and not wrong):
        content.update(outcome="in_progress", reason=None, ended=None)
        return False
    failures = [one for one in wrong if one["status"] != AWAITING]
    outcome = "stopped" if failures else AWAITING if wrong else "complete"
    content.update(outcome=outcome, reason=_of_all(failures or wrong), ended=_now())
    return True


def _of_all(wrong: Sequence[dict[str, Any]]) -> str | None:
    if not wrong:
        return None
    names = listed([f"{one['target']} (batch {one['batch']}, {one['status']})" for one in wrong], limit=5)
    return f"Not as was wanted: {names}."


def _entry(content: Content, target: str) -> dict[str, Any]:
    """The entry of a database.

    Raises:
        KeyError: there is none: it is not of this play.
    """
    for one in content["databases"]:
        if one["target"] == target:
            return one
    raise KeyError(target)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
