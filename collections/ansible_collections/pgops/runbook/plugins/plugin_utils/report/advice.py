# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to type next when a run has ended, where anything is to be typed."""

from __future__ import annotations

from typing import Any

from .state import half_done, is_done, lost

__all__ = ["LIST_SALVAGE", "next_command", "restore_command", "why_backup_is_gone"]

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


def next_command(run: dict[str, Any]) -> str | None:
    tried = {
        step["step"]
        for step in run["steps"]
        if step["status"] == "failed" and step.get("reason_code") not in NOT_OF_THE_SCRIPT
    }
    backup = run.get("restorable_run")
    not_taken_back = "emergency_rollback" in tried and not is_done(run, "emergency_rollback")
    if run["playbook"] == "emergency_rollback" and not_taken_back and backup:
        if why_backup_is_gone(run, backup):
            return _without_backup(run, backup)
        return f"correct the rollback script, or put back the backup from before the deploy: {restore_command(backup)}"
    if run["outcome"] == "deployed" and run.get("rows_waiting"):
        return f"{LIST_SALVAGE} says which rows wait, and what stands in the way of each"
    if run["outcome"] != "failed":
        return None
    if lost(run) is not None:
        return "ansible-playbook playbooks/status.yml"
    begun = half_done(run)
    if begun is not None:
        return (
            "when the cause that the reason names is gone, the same again, which resumes where it stopped:"
            f" ansible-playbook {run['playbook']}.yml -e migration={begun['migration']}"
        )
    if run["playbook"] == "deploy" and {"emergency_backup", "emergency_rollback"} & tried:
        if why_backup_is_gone(run, run["run_id"]):
            return _without_backup(run, run["run_id"])
        return f"put back the backup of this run: {restore_command(run['run_id'])}"
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


def why_backup_is_gone(run: dict[str, Any], run_id: str) -> str | None:
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
        f" of run {run_id} cannot be put back ({(why_backup_is_gone(run, run_id) or '').rstrip('.')});"
        " which others there are says: ansible-playbook playbooks/restore.yml"
    )


def restore_command(run_id: str) -> str:
    return f"ansible-playbook playbooks/restore.yml -e run_id={run_id}"
