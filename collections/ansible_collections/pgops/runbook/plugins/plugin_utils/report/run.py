# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report for people: how a run ended, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.aftermath import committed_in_words
from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.sentences import listed
from ..record.waiting import waiting_in_words
from .advice import next_command, restore_command, why_backup_is_gone
from .approval import given_lines, next_lines
from .drilled import drilled
from .measured import limits_lifted, locked, measured
from .proven import generated_in_words, proven_in_words
from .restored import restored
from .salvage import salvage_of_run
from .state import state_of_production

__all__ = ["left_out_in_words", "run_report", "short_report"]


def run_report(run: dict[str, Any], run_json: str, restores_salvage: bool = True) -> list[str]:
    """How a run ended.

    Args:
        run: content of run.json.
        run_json: its path; empty where it could not be written.
        restores_salvage: whether deploys put back what rollbacks keep.
    """
    return [
        *_ending(run),
        *_findings(run, restores_salvage),
        *measured(run),
        "Steps: " + ", ".join(_step(step) for step in run["steps"]),
        *_way_back(run),
        _record(run, run_json),
    ]


def short_report(
    run: dict[str, Any],
    run_json: str,
    restores_salvage: bool = True,
    report_file: str | None = None,
    limit: int = 15,
) -> list[str]:
    """How a run ended, in at most ``limit`` lines, where each step has had a line of its own before.

    The outcome, what is to be typed next and where the rest stands are never cut.

    Args:
        run, run_json, restores_salvage: as of ``run_report``.
        report_file: path of the page that has all of it; None where it was not written.
        limit: number of lines, at least 10.
    """
    written = [f"Report: {report_file}"] if report_file else []
    head, tail = _ending(run), [*_way_back(run), *written, _record(run, run_json)]
    groups = [_findings(run, restores_salvage), proven_in_words(run), locked(run)]
    return [*head, *_fitting(groups, limit - len(head) - len(tail)), *tail]


def _fitting(groups: list[list[str]], room: int) -> list[str]:
    """As many lines as fit, the first of each group before the second of another; the last one counts the others."""
    total = sum(map(len, groups))
    if total <= room:
        return [line for group in groups for line in group]
    space = max(room - 1, 0)
    shown = [0 for _ in groups]
    for most in (1, total):
        for place, group in enumerate(groups):
            shown[place] += min(min(len(group), most) - shown[place], space - sum(shown))
    lines = [line for place, group in enumerate(groups) for line in group[: shown[place]]]
    return [*lines, f"And {total - len(lines)} more lines, of which the record has the facts."]


def _record(run: dict[str, Any], run_json: str) -> str:
    if run_json:
        return f"Record: {run_json}"
    if not any(step.get("receipt") for step in run["steps"]):
        return "Record: could not be written; the ledger has nothing of this run either"
    return "Record: could not be written; the ledger in the database has it: ansible-playbook playbooks/history.yml"


def _ending(run: dict[str, Any]) -> list[str]:
    """The outcome, its reason, what production is in and what to type next."""
    names = ", ".join(run["migrations"]) or "no migration"
    if not run["migrations"] and run.get("files"):
        names = f"files of {', '.join(run['files']['migrations'])}"
    waiting = run.get("rows_waiting") or 0
    ended = f"{run['outcome']}, and {waiting_in_words(waiting)}" if waiting else run["outcome"]
    lines = [f"{ended}: {names} on {run['target']} (database {run['database']})"]
    if run["reason"]:
        lines.append(f"Reason: {run['reason']}")
    if run.get("reason_code"):
        lines.append(f"Reason code: {run['reason_code']}")
    lines.append(f"State: {state_of_production(run)}")
    if run.get("interrupted_run"):
        lines.append(_interrupted(run["interrupted_run"]))
    if run.get("out_of_service"):
        lines.append(
            f"OUT OF SERVICE: the application was not let in again: {run['out_of_service'].rstrip('.')}. The next"
            " command does that: ansible-playbook playbooks/status.yml"
        )
    if following := next_command(run):
        lines.append(f"Next: {following}")
    return lines


def _findings(run: dict[str, Any], restores_salvage: bool) -> list[str]:
    """What a person should know of the run beyond its outcome, the most important first."""
    lines = restored(run["restore"]) if run.get("restore") else []
    lines += drilled(run["drill"]) if run.get("drill") else []
    lines += [
        f"Rollback of {version}: rows and schema come back, but not the next value of {', '.join(sorted(moved))}"
        for version, moved in (run.get("proof") or {}).get("sequences_moved", {}).items()
    ]
    lines += _not_given_back(run)
    lines += generated_in_words(run.get("proof") or {})
    if run.get("emergency_backup"):
        base = _run_with_backup(run)
        lines += _emergency_backup(
            run["emergency_backup"], None if base is not None and why_backup_is_gone(run, base) else base
        )
    if run.get("privileges_again"):
        lines.append(
            f"Privileges: {listed(run['privileges_again'])} was made again, with what was granted and revoked since"
            " the deploy"
        )
    lines += given_lines(run.get("approval") or {})
    lines += salvage_of_run(run, restores_salvage)
    lines += [f"Left out: {left_out_in_words(one)}" for one in (run.get("left_out") or {}).items()]
    lines += _taken_back_since(run.get("taken_back_since") or [])
    if run["outcome"] not in ("refused", "unchanged"):
        lines += _files(run.get("files"))
    after_backup = run.get("after_backup") or {}
    if after_backup.get("failure"):
        lines.append(f"The backup was not handed on: backup_after_command: {after_backup['failure']}")
    lines += [
        f"Nobody was told of the {one['event']} of this run: {one['reason']}"
        for one in run.get("unannounced") or []
    ]
    lines += [not_in_backup_in_words(one) for one in run.get("not_in_backup") or []]
    lines += [f"Replication: {sentence}" for sentence in run.get("replication") or []]
    lines += [f"Rights: {sentence}" for sentence in run.get("called_as_superuser") or []]
    for version, impact in run.get("impact", {}).items():
        lines += limits_lifted(version, impact)
    return lines


def _taken_back_since(versions: list[str]) -> list[str]:
    """What a rollback to a tag does not bring back."""
    if not versions:
        return []
    return [
        f"Not as at that tag: {listed(versions, separator=', ')} was in place then and has been taken back since, and a"
        " rollback deploys nothing. To deploy what is pending: ansible-playbook deploy.yml -e migration=pending"
    ]


def _way_back(run: dict[str, Any]) -> list[str]:
    """What takes back what a deploy has done, the newest migration first; or lets one go on that waits."""
    if run["outcome"] == AWAITING and run.get("approval"):
        return next_lines(run["run_id"], run["approval"], run["operator"] or "")
    if run["outcome"] != "deployed" or not run["migrations"]:
        return []
    back = ",".join(reversed(run["migrations"]))
    return [f"Roll back: ansible-playbook emergency_rollback.yml -e migration={back}"]


def not_in_backup_in_words(missing: dict[str, Any]) -> str:
    """A table of an extension that the restored backup has not as production has it."""
    there = (
        "has no such table"
        if missing["rows_in_copy"] is None
        else f"has {missing['rows_in_copy']}, or others"
    )
    table = f"{missing['table']} (of extension {missing['extension']})"
    return f"Not in the backup: {missing['rows']} rows of {table}: what was restored {there}"


def left_out_in_words(one: tuple[str, str]) -> str:
    """A pending migration, and for which one it was left out."""
    version, skipped = one
    return (
        f"{version}, by -e skip={version}"
        if version == skipped
        else f"{version}, since it requires {skipped}"
    )


def _not_given_back(run: dict[str, Any]) -> list[str]:
    """A line for all that a rollback does not give back, as the rehearsal saw it."""
    proof = run.get("proof") or {}
    lines = [
        f"Rollback of {version} does not give back, as the header declares: {table['words']}"
        for version, tables in proof.get("not_given_back", {}).items()
        for table in tables
    ]
    return (
        lines
        + [
            f"Rollback of {version}: the rows of {', '.join(tables)} could not be compared after the later rollbacks"
            for version, tables in proof.get("not_compared", {}).items()
        ]
        + [
            f"Rollback of {version} gives back the schema but for {listed(residue)}, which none can take back"
            for version, residue in proof.get("residue", {}).items()
        ]
    )


def _run_with_backup(run: dict[str, Any]) -> str | None:
    """The run whose proven backup is that from before the migration."""
    return run["run_id"] if run["playbook"] == "deploy" else run.get("restorable_run")


def _emergency_backup(backup: dict[str, Any], base: str | None) -> list[str]:
    """What there is to go back to, and why that; and where a command does it, which.

    Args:
        base: run whose backup is from before that.
    """
    what = {
        "full": f"full, in {backup.get('folder')}",
        "salvage": "none besides what the rollback keeps",
        "restore_point": f"recovery_target_name = '{backup.get('restore_point')}' at {backup.get('lsn')}",
    }[backup["kind"]]
    lines = [f"Backup before the rollback: {what} ({backup['why']})"]
    if backup.get("engine") == "pgbackrest" and backup.get("restore_point") and base:
        point = backup["restore_point"]
        lines.append(
            f"  what there was before it comes back by: {restore_command(base)} -e restore_to={point}"
        )
    return lines


def _files(files: dict[str, Any] | None) -> list[str]:
    """What became of the files whose paths the run's migrations changed."""
    if files is None:
        return []
    names = ", ".join(files["migrations"])
    if not files["hosts"]:
        return [
            f"Files on disk: NOT TOUCHED. {names} changes their paths in the database, and the inventory has no group"
            " library with a library_root: rename them yourself."
        ]
    lines = []
    for host, counts in files["hosts"].items():
        if counts is None:
            lines.append(f"Files on {host}: not all have followed the database. Run the same command again.")
            continue
        agree = (
            f"{counts['rows']} rows and files agree"
            if not counts["missing"]
            else f"{counts['missing']} are missing"
        )
        extra = f", {counts['extra']} files without a row" if counts["extra"] else ""
        lines.append(f"Files on {host}: {counts['renamed']} renamed; {agree}{extra}")
    return lines


def _interrupted(run: dict[str, Any]) -> str:
    """What is true of the run that was found dead."""
    name = f"{run['run_id']} ({run['playbook']} of {', '.join(run['migrations'])})"
    return f"Before: run {name} was interrupted; it had {committed_in_words(run)}."


def _step(step: dict[str, Any]) -> str:
    seconds = f" {step['seconds']:.1f} s" if isinstance(step.get("seconds"), (int, float)) else ""
    return f"{step['step']} {step['status']}{seconds}"
