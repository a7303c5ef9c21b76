# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report for people: where a database stands, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.aftermath import committed_in_words, committed_of_script
from ...module_utils.sentences import cut, listed
from ..record.waiting import waiting_in_words
from .advice import LIST_SALVAGE
from .approval import waiting_line
from .drilled import last_drill
from .run import left_out_in_words
from .salvage import salvage_line

# What a chain of receipts that is broken means for who deploys next.
GOES_ON = "a deploy is refused until somebody types -e accept_broken_chain=true with it"

__all__ = ["status_report"]


def _tag(tag: dict[str, Any]) -> str:
    later = tag["later"]
    since = (
        f"{', '.join(reversed(later))} came after it: ansible-playbook emergency_rollback.yml -e to=tag:{tag['tag']}"
        " goes back to it"
        if later
        else "nothing that is applied came after it"
    )
    return f"Tag {tag['tag']}: run {tag['run_id']}; {since}"


def status_report(status: dict[str, Any], target: str) -> list[str]:
    """Where a database stands.

    Args:
        status: outputs of the status module.
        target: name of the inventory host.
    """
    lines = [f"{target}:"]
    width = max((len(entry["stem"]) for entry in status["migrations"]), default=0)
    lines += [f"  {entry['stem']:<{width}}  {_migration(entry, status)}" for entry in status["migrations"]]
    for version in status["unknown_versions"]:
        lines.append(f"  {version}: recorded as applied, and sql_dir has no such migration")
    lines += [
        f"UNUSABLE, and not deployed until it is corrected: {problem}"
        for problem in status.get("unusable", [])
    ]
    lines += status.get("sql") or []
    lines += _last_run(status)
    lines += last_drill(status.get("drill"))
    tags = [_tag(one) for one in status.get("tags") or []]
    lines += tags
    older = status.get("tags_in_all", len(tags)) - len(tags)
    if older:
        lines.append(f"and {older} older tag{'s' * (older != 1)}: ansible-playbook playbooks/history.yml")
    lines += [waiting_line(run) for run in status.get("waiting") or []]
    if status.get("reopened"):
        lines.append(f"OPENED AGAIN: {status['reopened']}")
    lines += status.get("maintenance") or []
    lines += _at_work(status)
    lines += [f"NOT READ: {sentence}" for sentence in status.get("not_read") or []]
    lines += [
        f"NOT SETTLED: {waiting_in_words(rows)} that a rollback of {version} had kept, though {version} is applied"
        f" again: {LIST_SALVAGE} says what stands in the way"
        for version, rows in (status.get("rows_waiting") or {}).items()
    ]
    lines += [
        f"LEFT: the rollback of {version} gave back the schema but for {listed(residue)}"
        for version, residue in (status.get("residue") or {}).items()
    ]
    lines += [
        f"LEFT OUT of run {one['run_id']}: {left_out_in_words((version, one['skipped']))}"
        for version, one in (status.get("left_out") or {}).items()
    ]
    lines += [f"Salvage of {salvage_line(item)}" for item in status.get("salvage") or []]
    lines += [_files_behind(one, status) for one in status.get("files_behind") or []]
    lines.append(_chain(status))
    lines += [
        f"CONTRADICTED: the ledger says that run {one['run_id']} ended as {one['outcome']}, but {one['why']}."
        " Do not believe it: somebody has written into runbook.run, or the run could not say how it ended"
        for one in status.get("contradicted") or []
    ]
    lines += [
        f"RECEIPTS ACCEPTED: run {one['run_id']} went on although {listed(one['faults'])}"
        for one in status.get("accepted_chain") or []
    ]
    gone = status.get("backup_gone")
    if gone:
        lines.append(
            f"BACKUP GONE: that of run {gone['run_id']}, the newest that was proven: {gone['why']} Which others there"
            " are says: ansible-playbook playbooks/restore.yml"
        )
    lines += [f"NOT SIGNED: {sentence}" for sentence in cut(status.get("unsigned") or [])]
    lines += [f"CHANGED: {sentence}" for sentence in cut(status.get("artifacts_changed") or [])]
    lines += [
        f"OPEN TO OTHERS: role {one['role']} has {', '.join(one['privileges'])} on {one['name']}: {one['revoke']}"
        for one in status.get("rights_of_others") or []
    ]
    layout = status["layout"]
    if 0 < layout["release"] < layout["newest"]:
        lines.append(
            f"The runbook's schemas have the layout of release {layout['release']}: the next deploy, rollback or"
            f" restore brings them to release {layout['newest']}"
        )
    if status["drift"]:
        lines.append("DRIFT: the schema was changed since the last run, outside the runbook:")
        lines += [f"  {line}" for line in status["drift"]]
    lines += [
        f"NUMBER OF SEVERAL: {sentence} Give each file that is not applied a number of its own"
        for sentence in status.get("shared_numbers") or []
    ]
    undecided = [version for version, one in status["adoption"].items() if one["state"] == "undecided"]
    if undecided:
        lines.append(
            f"NOT DECIDED: whether {listed(undecided)} is in place; nothing of it was recorded, and what is said of"
            " others is told without it. Correct what the lines above name, and type the same command again"
        )
    if status["in_place_but_unrecorded"]:
        lines.append(
            f"NOT ADOPTED: the objects of {', '.join(status['in_place_but_unrecorded'])} are in place without being"
            " recorded: ansible-playbook playbooks/status.yml -e adopt=true"
        )
    return lines


def _last_run(status: dict[str, Any]) -> list[str]:
    last = status["last_run"]
    if not last:
        return []
    what = f"Last run: {last['run_id']}, {last['playbook']} of {', '.join(last['migrations'])} by {last['operator']}:"
    if last["run_id"] in {one["run_id"] for one in status.get("contradicted") or []}:
        return [f"{what} how it ended is CONTRADICTED, see below"]
    reason = f" ({last['reason']})" if last["reason"] else ""
    return [f"{what} {last['outcome'] or 'not ended'}{reason}"]


def _at_work(status: dict[str, Any]) -> list[str]:
    """Which run is in progress, and what of it is committed already."""
    run, session, half_done = status["unfinished_run"], status.get("at_work"), status.get("half_done")
    lines = []
    if session:
        who = (
            f"run {run['run_id']} ({run['playbook']} of {', '.join(run['migrations'])}) by {run['operator']},"
            f" since {run['started']}"
            if run
            else "a step that belongs to no run"
        )
        lines.append(
            f"IN PROGRESS: {who}; at work is the server session pid {session['pid']} of user {session['user']}, since"
            f" {session['since']}. What it has not committed is not told here"
        )
    elif run:
        lines.append(
            f"In progress or interrupted: {run['run_id']} by {run['operator']}, since {run['started']};"
            f" it has {committed_in_words(run['committed'])}"
        )
    if half_done:
        finish = "deploy" if half_done["direction"] == "apply" else "emergency_rollback"
        line = (
            f"HALF DONE: {half_done['migration']} (run {half_done['run_id']}): {committed_of_script(half_done)}. The"
            " schema is compared again when all are"
        )
        resume = f": ansible-playbook {finish}.yml -e migration={half_done['migration']}"
        lines.append(line if session else line + resume)
    return lines


def _files_behind(behind: dict[str, Any], status: dict[str, Any]) -> str:
    applied = {entry["version"] for entry in status["migrations"] if entry["state"] == "applied"}
    finish = "deploy" if behind["migration"] in applied else "emergency_rollback"
    followed = f"; {', '.join(behind['followed_on'])} has" if behind["followed_on"] else ""
    return (
        f"FILES BEHIND: {behind['changes']} files on disk have not followed the {behind['direction']} of"
        f" {behind['migration']} (run {behind['run_id']}{followed}): ansible-playbook"
        f" {finish}.yml -e migration={behind['migration']}"
    )


def _chain(status: dict[str, Any]) -> str:
    broken = status["broken_receipt"]
    if broken is None and status.get("cut_off"):
        return f"RECEIPTS CUT OFF: {status['cut_off']}; {GOES_ON}"
    if broken is None:
        bare = status.get("without_signature") or {}
        signed = status.get("signed") and status["receipts"] and not (bare or status.get("unsigned"))
        return f"Receipts: {status['receipts']}, the chain is whole" + (
            " and signed" if signed else _without_signature(bare) if bare else ""
        )
    what = f"{broken['step']} {broken['migration'] or ''}".strip()
    return (
        f"RECEIPTS CHANGED: the one of {what} in run {broken['run_id']} is no longer as it was written,"
        f" or one before it is gone; {GOES_ON}"
    )


def _without_signature(bare: dict[str, int]) -> str:
    """
    Args:
        bare: run_id -> number of its receipts.
    """
    return (
        f"; {sum(bare.values())} have no signature (runs {listed(list(bare), 3)}): they were written without"
        " receipt_key, or somebody without it has taken the signatures away; nothing tells which"
    )


def _migration(entry: dict[str, Any], status: dict[str, Any]) -> str:
    parts = [entry["state"]]
    adoption = status["adoption"].get(entry["version"])
    if adoption:
        parts.append(
            {
                "in place": "found in place and recorded",
                "absent": "not in place",
                "undecided": "not decided, and not recorded",
            }.get(adoption["state"], adoption["state"])
        )
        parts += [adoption["reason"]] if adoption["state"] == "undecided" else []
        parts += cut(adoption["missing"], 5) if adoption["state"] == "partial" else []
        if adoption["state"] == "unknown":
            parts.append("it makes no object by which one could tell")
    for kind in entry["edited"]:
        parts.append(f"EDITED: its {kind} script is not the one that was deployed")
    proof = entry["proof"]
    if proof:
        lost = proof.get("not_given_back")
        but = f"; it does not give back all rows of {listed(lost)}, which was accepted" if lost else ""
        parts.append(
            f"rollback proven by run {proof['run_id']} ({proof['rows_compared']} rows compared{but})"
            + (
                ", whose receipts are not signed"
                if proof["run_id"] in (status.get("without_signature") or {})
                else ""
            )
            if proof["rows_compared"]
            else f"rollback rehearsed by run {proof['run_id']} without rows to compare, and so not proven"
        )
    elif entry["state"] == "applied":
        parts.append("rollback not proven in this database")
    return ", ".join(parts)
