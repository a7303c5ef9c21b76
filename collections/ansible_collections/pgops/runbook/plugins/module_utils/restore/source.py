# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backup that a restore puts back: of which run, whether it was proven, and whether it belongs to this database."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..backup.files import BackupFiles
from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.receipt_file import ReceiptFile
from ..ledger.receipts import altered, latest, outputs_in
from ..ledger.removed_backups import backup_removed
from ..sentences import listed
from ..shapes import Cursor, Identity, Json, Receipt

__all__ = ["dump_folder", "find_backup", "proven_runs"]

# A run's name becomes a folder's name; the controller makes them like this (RUN_ID of plugin_utils/record/record.py).
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")

RUNS_SHOWN = 5


def proven_runs(receipts: Sequence[Receipt]) -> list[str]:
    """Names of the runs whose backup was proven by restoring it and can be put back, newest first.

    Args:
        receipts: the whole chain of the ledger, oldest first.
    """
    runs = [one["run_id"] for one in receipts if one["step"] == "verify_restore" and one["status"] == "ok"]
    of_neither_state = {
        one["run_id"] for one in receipts if one["step"] == "backup" and one["outputs"].get("half_done")
    }
    return [run_id for run_id in dict.fromkeys(reversed(runs)) if run_id not in of_neither_state]


def dump_folder(backup_dir: str, run_id: str) -> str | None:
    """The folder of a run's dump, or None where there is none, or the name is not one of a run."""
    if not run_id or not RUN_ID.fullmatch(run_id):
        return None
    folder = BackupFiles(backup_dir, run_id).dump
    return folder if os.path.isdir(folder) else None


def find_backup(ledger: Ledger, cursor: Cursor, backup_dir: str, run_id: str, identity: Identity) -> Json:
    """The proven backup of a run, with its manifest on disk.

    The receipts are in the ledger, or for a rehearsal, which only reads the database, beside the backup.

    Args:
        ledger: Ledger of the database.
        identity: of the database that is to be replaced (see connection.server_identity).

    Returns:
        dict: run_id, folder, manifest_sha256, rows, taken (text, UTC), migrations (those the run was about).

    Raises:
        Refused: no such run, no proven backup, or one of another database.
        StepFailed: the manifest is not the one that was written.
    """
    everything = ledger.receipts(cursor)
    receipts = [one for one in everything if one["run_id"] == run_id]
    if not run_id or not RUN_ID.fullmatch(run_id):
        raise Refused(
            "restore_run_not_named",
            "The run whose backup is to be put back is not named: -e"
            f" run_id=<run_id>.{_candidates(everything, backup_dir)}",
        )
    if not receipts:
        receipts = ReceiptFile(backup_dir, run_id).receipts(cursor)
    if not receipts:
        raise Refused(
            "run_unknown",
            f"This database knows no run {run_id}, and {backup_dir} has no receipts of it, as it would have of a"
            " rehearsal whose backup was not removed."
            f"{_candidates(everything, backup_dir)}",
        )
    changed = altered(receipts)
    if changed is not None:
        raise Refused(
            "receipt_altered",
            f"The receipt of step {changed['step']} of run {run_id} was changed after it was written, so that it no"
            " longer proves the backup. Nothing was changed. Choose another run.",
        )
    backup, proof = latest(receipts, "backup"), latest(receipts, "verify_restore")
    if backup is None or backup["status"] != "ok":
        unproven = (
            " Its backup before the rollback was never proven by restoring it."
            if latest(receipts, "emergency_backup")
            else ""
        )
        raise Refused(
            "backup_not_proven",
            f"Run {run_id} made no backup that can be put back.{unproven}{_candidates(everything, backup_dir)}",
        )
    if proof is None or proof["status"] != "ok":
        raise Refused(
            "backup_not_proven",
            f"The backup of run {run_id} was never proven by restoring it (step verify_restore), so it is not put back."
            f"{_candidates(everything, backup_dir)}",
        )
    _refuse_half_done(run_id, backup)
    theirs = backup["identity"]
    if any(theirs[key] != identity[key] for key in ("system_identifier", "database")):
        raise Refused(
            "backup_of_another_database",
            f"The backup of run {run_id} is of database {theirs['database']} of server"
            f" {theirs['system_identifier']}, not of {identity['database']} of server {identity['system_identifier']}."
            " Check run_id, db_host and db_name.",
        )
    files = BackupFiles(backup_dir, run_id)
    if not os.path.isdir(files.folder):
        raise Refused(
            "backup_missing",
            f"{_gone(cursor, run_id, files.folder)} Nothing was changed.{_candidates(everything, backup_dir)}",
        )
    files.check_manifest(backup["outputs"]["manifest_sha256"])
    return {
        "run_id": run_id,
        "folder": files.folder,
        "manifest_sha256": backup["outputs"]["manifest_sha256"],
        "rows": backup["outputs"]["rows"],
        "taken": backup["finished"],
        "migrations": outputs_in(receipts, "preflight")["migrations"],
    }


def _refuse_half_done(run_id: str, backup: Receipt) -> None:
    """
    Raises:
        Refused: what is in the backup is neither the state before a migration nor the one after it.
    """
    # Absent in receipts of older releases.
    half_done = backup["outputs"].get("half_done")
    if half_done:
        raise Refused(
            "backup_half_done",
            f"The backup of run {run_id} was made when a migration was half done ({half_done['words']}), so that"
            " production would be between two states again. Nothing was changed. Put back the one of the run that had"
            f" begun it: ansible-playbook playbooks/restore.yml -e run_id={half_done['run_id']}",
        )


def _has_backup(backup_dir: str, run_id: str) -> bool:
    return bool(RUN_ID.fullmatch(run_id)) and os.path.isfile(BackupFiles(backup_dir, run_id).manifest_path)


def _gone(cursor: Cursor, run_id: str, folder: str) -> str:
    """Why a backup is not there, as far as the ledger knows."""
    removed = backup_removed(cursor, run_id)
    if removed is not None:
        return f"The backup of run {run_id} was removed at {removed}, because backup_keep no longer kept it."
    return f"The backup of run {run_id} is no longer in backup_dir: there is no {folder} on the host where this runs."


def _candidates(receipts: Sequence[Receipt], backup_dir: str) -> str:
    """The runs that could be named instead: proven, and not removed."""
    runs = [run_id for run_id in proven_runs(receipts) if _has_backup(backup_dir, run_id)]
    return f" Runs with a proven backup, newest first: {listed(runs, RUNS_SHOWN, ', ')}." if runs else ""
