# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads of one run over many databases."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...module_utils.sentences import cut, listed
from .page import cell

__all__ = ["DEPLOYED", "deployed_databases", "fleet_in_short", "fleet_page"]

Content = dict[str, Any]

#: Status of a database -> what is said of all that have it, in the order in which it is said.
IN_WORDS = {
    "deployed": "deployed",
    "taken_back": "deployed, taken back",
    "rolled_back": "rolled back",
    "restored": "restored",
    "had_it": "nothing to do",
    "awaiting_approval": "waiting for approval",
    "unchanged": "unchanged",
    "refused": "refused",
    "failed": "failed",
    "at_work": "not ended",
    "untouched": "untouched",
}

#: Of these each database is named with its reason.
WITH_REASON = ("unchanged", "refused", "failed", "rolled_back", "restored", "awaiting_approval", "at_work")

LONGEST_LIST = 10

#: With more databases than so many, a command names a file of theirs, which is beside the fleet's record.
LONGEST_LIMIT = 20
DEPLOYED = "deployed"


def fleet_in_short(content: Content, fleet_json: str) -> list[str]:
    """The summary on the screen.

    Args:
        content: of fleet.json.
        fleet_json: its path.
    """
    lines = [_heading(content)]
    for status, words in IN_WORDS.items():
        those = [one for one in content["databases"] if _standing(one) == status]
        if those:
            lines += _of_status(content, words, those)
    lines += _not_taken_back(content)
    following = _next(content)
    lines += [f"Next: {following}"] if following else []
    lines += _way_back(content, Path(fleet_json).parent)
    written = [f"Report of all: {fleet_json.removesuffix('.json')}.md"] if content["ended"] else []
    return [*lines, *written, f"Record of all: {fleet_json}"]


def _standing(one: dict[str, Any]) -> str:
    """The status; of a deploy that was taken back since, that."""
    back = one["taken_back"]
    return "taken_back" if back and back["outcome"] == "rolled_back" else str(one["status"])


def _heading(content: Content) -> str:
    databases = content["databases"]
    how = {
        "complete": "complete",
        "stopped": f"stopped in batch {_last_batch(content)} of {databases[-1]['batch'] if databases else 0}",
        "awaiting_approval": f"waiting in batch {_last_batch(content)} of {databases[-1]['batch'] if databases else 0}",
    }.get(content["outcome"], "not ended")
    what = f" of {content['migration']}" if content["migration"] else ""
    return f"Fleet, {content['playbook']}{what} in {len(databases)} databases: {how}"


def _last_batch(content: Content) -> int:
    """Number of the last batch that has begun."""
    return max((one["batch"] for one in content["databases"] if one["status"] != "untouched"), default=0)


def _of_status(content: Content, words: str, those: Sequence[dict[str, Any]]) -> list[str]:
    names = listed([one["target"] for one in those], LONGEST_LIST, ", ")
    line = f"  {words:<21} {len(those):>5}  {names}"
    wanted = content["playbook"] == "emergency_rollback" and those[0]["status"] == "rolled_back"
    if those[0]["status"] not in WITH_REASON or wanted:
        return [line]
    named = cut([f"{one['target']}: {one['reason'] or one['status']}" for one in those], LONGEST_LIST)
    return [line, *(f"    {words}" for words in named)]


def _not_taken_back(content: Content) -> list[str]:
    """Of those whose deploy was to be taken back, because another run of the batch had failed, what was not."""
    return [
        f"  {one['target']} was not taken back: {one['taken_back']['reason']}"
        for one in content["databases"]
        if one["taken_back"] and _standing(one) != "taken_back"
    ]


def deployed_databases(content: Content) -> list[str]:
    """Inventory names of those in which this fleet has deployed something that stands."""
    return [one["target"] for one in content["databases"] if _standing(one) == "deployed"]


def _way_back(content: Content, folder: Path) -> list[str]:
    """What takes back what was deployed here, and nowhere else: others may have had it for long."""
    deployed = deployed_databases(content)
    if not deployed or content["migration"] in ("", "pending"):
        return []
    where = ",".join(deployed) if len(deployed) <= LONGEST_LIMIT else f"@{folder / DEPLOYED}"
    return [
        f"Roll back: ansible-playbook emergency_rollback.yml --limit {shlex.quote(where)}"
        f" -e migration={content['migration']}"
    ]


def _next(content: Content) -> str:
    """What to type."""
    if content["outcome"] == "complete":
        return ""
    if content["outcome"] == "awaiting_approval":
        return (
            "have each run approved that waits, resume it, and type the same command again for the others: what is"
            " done is not done twice"
        )
    return "see to the reasons above, and type the same command again: what is done is not done twice"


def fleet_page(content: Content) -> str:
    """The page, in Markdown.

    Args:
        content: of fleet.json.
    """
    lines = [
        f"# {_heading(content)}",
        "",
        f"- Fleet: {cell(content['fleet_id'])}",
        f"- Operator: {cell(content['operator'])}",
        f"- Began: {content['started']}, ended: {content['ended'] or 'not'}",
        f"- After a failure its batch is {'taken' if content['rollback_batch'] else 'not taken'} back (rollback_batch)",
        "",
        "| batch | inventory host | database | status | migrations | seconds | run | reason |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(one) for one in content["databases"]),
    ]
    return "\n".join(lines) + "\n"


def _row(database: dict[str, Any]) -> str:
    status = IN_WORDS[_standing(database)]
    reason = " ".join(filter(None, (database["reason"], (database["taken_back"] or {}).get("reason"))))
    seconds = "" if database["seconds"] is None else f"{database['seconds']:,.1f}"
    run = f"[{database['run_id']}](../{database['run_id']}/report.md)" if database["run_id"] else ""
    cells = (database["batch"], cell(database["target"]), cell(database["database"] or ""), status)
    more = (cell(", ".join(database["migrations"])), seconds, run, cell(reason))
    return f"| {' | '.join(str(part) for part in (*cells, *more))} |"
