# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Report for people: how a run ended, as lines of text."""

from __future__ import annotations

from typing import Any

from ...module_utils.ledger.aftermath import committed_in_words
from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.sentences import listed
from ..record.waiting import waiting_in_words
from .approval import given_lines, next_lines
from .drilled import drilled
from .measured import limits_lifted, locked, measured
from .proven import generated_in_words, proven_in_words
from .restored import restored
from .salvage import salvage_of_run

__all__ = ["LIST_SALVAGE", "left_out_in_words", "run_report", "short_report"]

STATE_OF_PRODUCTION = {
    "deployed": "Production has the {migrations}.",
    "refused": "Production was not touched.",
    "unchanged": "Production is as it was: the transaction was rolled back.",
    "rolled_back": "Production is as it was before the {migrations}: the rollback was committed.",
    "rehearsed": "Production was only read.",
    "restored": "Production is the restored backup.",
    "drilled": "Production was only read, but for the line in its ledger that says that there was a drill.",
    "awaiting_approval": "Production was not touched, and the run holds nothing: others may work.",
}

LIST_SALVAGE = "ansible-playbook playbooks/salvage.yml"

# Reasons of a step that could not begin: nobody was reached. A restore would not reach anybody either.
NOT_REACHED = ("host_unreachable", "password_unavailable", "server_unreachable")

# Of what has nothing to do with the script that was to run, and may be over a moment later.
NOT_OF_THE_SCRIPT = (
    *NOT_REACHED,
    "lock_not_available",
    "run_lock_lost",
    "step_killed",
    "step_not_begun",
    "synchronous_standby_missing",
)

# Reasons of an automatic restore that found no backup to put back.
GONE = ("backup_missing", "backup_damaged")

LOOK = "What is in production is not known here."


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
        _record(run_json),
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
    head, tail = _ending(run), [*_way_back(run), *written, _record(run_json)]
    between = [*_findings(run, restores_salvage), *proven_in_words(run), *locked(run)]
    room = limit - len(head) - len(tail)
    if len(between) > room:
        left = len(between) - max(room - 1, 0)
        between = [*between[: max(room - 1, 0)], f"And {left} more lines, of which the record has the facts."]
    return head + between + tail


def _record(run_json: str) -> str:
    if run_json:
        return f"Record: {run_json}"
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
    lines.append(f"State: {_state(run)}")
    if run.get("interrupted_run"):
        lines.append(_interrupted(run["interrupted_run"]))
    if following := _next(run):
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
            run["emergency_backup"], None if base is not None and _why_gone(run, base) else base
        )
    if run.get("privileges_again"):
        lines.append(
            f"Privileges: {listed(run['privileges_again'])} was made again, with what was granted and revoked since"
            " the deploy"
        )
    lines += given_lines(run.get("approval") or {})
    lines += salvage_of_run(run, restores_salvage)
    lines += [f"Left out: {left_out_in_words(one)}" for one in (run.get("left_out") or {}).items()]
    if run["outcome"] not in ("refused", "unchanged"):
        lines += _files(run.get("files"))
    after_backup = run.get("after_backup") or {}
    if after_backup.get("failure"):
        lines.append(f"The backup was not handed on: backup_after_command: {after_backup['failure']}")
    lines += [
        f"Nobody was told of the {one['event']} of this run: {one['reason']}"
        for one in run.get("unannounced") or []
    ]
    lines += [f"Replication: {sentence}" for sentence in run.get("replication") or []]
    lines += [f"Rights: {sentence}" for sentence in run.get("called_as_superuser") or []]
    for version, impact in run.get("impact", {}).items():
        lines += limits_lifted(version, impact)
    return lines


def _way_back(run: dict[str, Any]) -> list[str]:
    """What takes back what a deploy has done, the newest migration first; or lets one go on that waits."""
    if run["outcome"] == AWAITING and run.get("approval"):
        return next_lines(run["run_id"], run["approval"], run["operator"] or "")
    if run["outcome"] != "deployed" or not run["migrations"]:
        return []
    *others, newest = run["migrations"]
    order = f", newest first (then {', '.join(reversed(others))})" if others else ""
    return [f"Roll back{order}: ansible-playbook emergency_rollback.yml -e migration={newest}"]


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
            f"  what there was before it comes back by: {_restore_command(base)} -e restore_to={point}"
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
    for host, found in files["hosts"].items():
        if found is None:
            lines.append(f"Files on {host}: not all have followed the database. Run the same command again.")
            continue
        agree = (
            f"{found['rows']} rows and files agree"
            if not found["missing"]
            else f"{found['missing']} are missing"
        )
        extra = f", {found['extra']} files without a row" if found["extra"] else ""
        lines.append(f"Files on {host}: {found['renamed']} renamed; {agree}{extra}")
    return lines


def _interrupted(run: dict[str, Any]) -> str:
    """What is true of the run that was found dead."""
    name = f"{run['run_id']} ({run['playbook']} of {', '.join(run['migrations'])})"
    return f"Before: run {name} was interrupted; it had {committed_in_words(run)}."


def _state(run: dict[str, Any]) -> str:
    migrations = "migrations" if len(run["migrations"]) > 1 else "migration"
    if run["outcome"] in ("deployed", "rolled_back") and not run["migrations"] and run.get("files"):
        return "Production's database was only read; the files on disk now agree with it."
    if run["outcome"] == "deployed" and not run["migrations"]:
        return "Nothing was pending, and nothing was done."
    if run["outcome"] == "rolled_back" and not run["migrations"]:
        return "Nothing later was applied, and nothing was done."
    if run["outcome"] == "rolled_back" and (run.get("proof") or {}).get("not_given_back"):
        return (
            f"The rollback was committed: production has the schema from before the {migrations}, and its rows but for"
            " those that the rollback does not give back."
        )
    if run["outcome"] != "failed":
        return STATE_OF_PRODUCTION[run["outcome"]].format(migrations=migrations)
    lost = _lost(run)
    if lost is not None:
        here = f"{', '.join(lost)} is applied" if lost else f"{', '.join(run['migrations'])} is not applied"
        return (
            "Another server answers now than the one that this run has changed, and has not got what was committed"
            f" last: in its database {here}. The other one may still have it."
        )
    if run["playbook"] == "restore":
        if any(step.get("reason_code") == "application_not_let_in" for step in run["steps"]):
            return "Production's rows are as they were: nothing was swapped. But its database lets nobody in."
        if not _is_done(run, "swap"):
            return LOOK
        return f"Production is the restored backup, but {_check(run, 'swap')}."
    if run["playbook"] == "deploy" and any(
        step["step"] == "emergency_rollback" and step["status"] == "ok" and step.get("migrations")
        for step in run["steps"]
    ):
        return (
            f"Production's database is as it was before the {migrations}, but files on disk have not followed it"
            " back."
        )
    if not run["migrations"] and run.get("files"):
        return "Production's database was only read; files on disk are behind it."
    changed = "emergency_rollback" if run["playbook"] == "emergency_rollback" else "apply"
    if _is_done(run, changed):
        what = (
            f"WAS ROLLED BACK, but {_check(run, changed)}"
            if changed != "apply"
            else f"STILL HAS the {migrations}"
        )
        return f"Production {what}."
    return LOOK


def _lost(run: dict[str, Any]) -> list[str] | None:
    """What is applied where the ledger that answers lacks what the run committed; None where it has it, or is older."""
    return next((step["lost"] for step in reversed(run["steps"]) if step.get("lost") is not None), None)


def _is_done(run: dict[str, Any], name: str) -> bool:
    """Whether a step that changes production has done so, even where it could not say so itself."""
    return any(
        step["step"] == name and (step["status"] == "ok" or step.get("done", False)) for step in run["steps"]
    )


def _check(run: dict[str, Any], changed: str) -> str:
    """What became of the check after a change."""
    became = {step["step"]: step["status"] for step in run["steps"]}
    if became.get(changed) == "failed":
        return "the run broke off before the check after it"
    return "the check after it failed" if "smoke_test" in became else "the check after it did not run"


def _next(run: dict[str, Any]) -> str | None:
    tried = {
        step["step"]
        for step in run["steps"]
        if step["status"] == "failed" and step.get("reason_code") not in NOT_OF_THE_SCRIPT
    }
    backup = run.get("restorable_run")
    not_taken_back = "emergency_rollback" in tried and not _is_done(run, "emergency_rollback")
    if run["playbook"] == "emergency_rollback" and not_taken_back and backup:
        if _why_gone(run, backup):
            return _without_backup(run, backup)
        return f"correct the rollback script, or put back the backup from before the deploy: {_restore_command(backup)}"
    if run["outcome"] == "deployed" and run.get("rows_waiting"):
        return f"{LIST_SALVAGE} says which rows wait, and what stands in the way of each"
    if run["outcome"] != "failed":
        return None
    if _lost(run) is not None:
        return "ansible-playbook playbooks/status.yml"
    if run["playbook"] == "deploy" and {"emergency_backup", "emergency_rollback"} & tried:
        if _why_gone(run, run["run_id"]):
            return _without_backup(run, run["run_id"])
        return f"put back the backup of this run: {_restore_command(run['run_id'])}"
    files = run.get("files")
    if files and None in files["hosts"].values():
        version = files["migrations"][-1]
        return (
            "remove the cause that the reason names, then let the files follow the database as it is now:"
            f" ansible-playbook {run['playbook']}.yml -e migration={version}"
        )
    if run["playbook"] == "deploy":
        version = run["migrations"][0] if run["migrations"] else "..."
        return (
            "ansible-playbook playbooks/status.yml, then ansible-playbook emergency_rollback.yml"
            f" -e migration={version}"
        )
    return "ansible-playbook playbooks/status.yml"


def _why_gone(run: dict[str, Any], run_id: str) -> str | None:
    """Why the backup of a run cannot be put back, as a sentence; None where nothing is known against it."""
    # Absent in records of older releases.
    gone = run.get("backup_gone")
    if gone and gone["run_id"] == run_id:
        return str(gone["why"])
    return next(
        (
            step["reason"]
            for step in run["steps"]
            if step["step"] == "restore" and step.get("reason_code") in GONE and run["playbook"] == "deploy"
        ),
        None,
    )


def _without_backup(run: dict[str, Any], run_id: str) -> str:
    """What is left to be typed where a rollback has failed and its backup is gone."""
    version = run["migrations"][0] if run["migrations"] else "..."
    return (
        f"correct the rollback script, then: ansible-playbook emergency_rollback.yml -e migration={version}. The backup"
        f" of run {run_id} cannot be put back ({(_why_gone(run, run_id) or '').rstrip('.')}); which others there are"
        " says: ansible-playbook playbooks/restore.yml"
    )


def _restore_command(run_id: str) -> str:
    return f"ansible-playbook playbooks/restore.yml -e run_id={run_id}"


def _step(step: dict[str, Any]) -> str:
    seconds = f" {step['seconds']:.1f} s" if isinstance(step.get("seconds"), (int, float)) else ""
    return f"{step['step']} {step['status']}{seconds}"
