# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a backup is still there as it was proven, at the moments at which somebody relies on it.

Between its proof and the change of production lie minutes or, where others approve, hours: time enough for a cleanup of
somebody's own, a full disk that was emptied, a bit. It is not proven anew; what can be seen in about a second is looked
at.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import Refused, RunbookError, StepFailed
from ..ledger.ledger import Ledger
from ..ledger.receipts import latest
from ..ledger.removed_backups import backup_removed
from ..postgres.connection import psycopg2, transaction
from ..shapes import Json, Receipt
from ..step.step import Step
from .engine import engine_of_backup
from .files import BackupFiles

__all__ = [
    "READ_AT_MOST",
    "Fault",
    "fault_in",
    "gone_at_failure",
    "newest_gone",
    "refuse_without_backup",
    "refuse_without_emergency_backup",
]

#: Bytes of a dump that are read again, which takes about a second; of a larger one sizes and times are looked at.
READ_AT_MOST = 512 * 2**20


class Fault(NamedTuple):
    """What is wrong with a backup: a reason code, and a sentence."""

    code: str
    sentence: str


def fault_in(files: BackupFiles, manifest_sha256: str | None) -> Fault | None:
    """What is wrong with a backup on disk; None where nothing is to be seen.

    Args:
        manifest_sha256: as the receipt has it; None where that cannot be asked now.
    """
    if not os.path.isdir(files.folder):
        return Fault(
            "backup_missing",
            f"The backup is gone: {files.folder} is no longer on the host where this runs.",
        )
    try:
        manifest = files.check_manifest(manifest_sha256)
        return _fault_in_dump(files, manifest["files"]) if manifest["files"] else None
    except StepFailed as error:
        return Fault("backup_damaged", error.reason)
    except FileNotFoundError:
        return _damaged(files.dump, "missing")
    except OSError as error:
        return Fault("backup_damaged", f"The backup {files.dump} cannot be read: {error.strerror}.")


def _fault_in_dump(files: BackupFiles, recorded: Json) -> Fault | None:
    """
    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(files.dump) as entries:
        there = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    reads = sum(one["bytes"] for one in recorded.values()) <= READ_AT_MOST
    # It was written last, by the same clock as they were.
    written = os.lstat(files.manifest_path).st_mtime_ns
    for name in sorted({*recorded, *there}):
        path = os.path.join(files.dump, name)
        if name not in there:
            return _damaged(path, "missing")
        if name not in recorded:
            return _damaged(path, "new")
        same_size = there[name].st_size == recorded[name]["bytes"]
        if not same_size or (not reads and there[name].st_mtime_ns > written):
            return _damaged(path, "changed")
    if reads and files.files() != recorded:
        return _damaged(files.dump, "changed")
    return None


def _damaged(path: str, what: str) -> Fault:
    return Fault("backup_damaged", f"The backup was damaged after it was made: {path} is {what}.")


def _fault_of(step: Step, run_id: str, receipt: Receipt | None) -> Fault | None:
    """What is wrong with the backup of a run, on disk or in its repository.

    Args:
        receipt: of step backup or emergency_backup; None where the ledger cannot be asked.

    Raises:
        RunbookError: its engine cannot be asked.
        psycopg2.Error: likewise.
    """
    name = "backup" if receipt is None else receipt["step"]
    files = BackupFiles(step.params["backup_dir"], run_id, name)
    digest = None if receipt is None else receipt["outputs"]["manifest_sha256"]
    fault = fault_in(files, digest)
    if fault is not None or digest is None:
        return fault
    manifest = files.check_manifest(digest)
    with transaction(step.connection) as cursor:
        lost = engine_of_backup(step.params, manifest).lost(cursor, step.identity, manifest)
    return Fault("backup_missing", f"{lost}.") if lost else None


def refuse_without_backup(step: Step) -> None:
    """The last look before production is changed: what it could be put back from is there.

    Raises:
        Refused: it is not, or its repository cannot be asked.
    """
    fault = _fault_of(step, step.run_id, latest(step.receipts, "backup"))
    if fault is not None:
        raise Refused(
            fault.code,
            f"{fault.sentence} It had been proven by then, and without it nothing could be put back, so that step"
            f" {step.name} did not begin. Find out what changes files in backup_dir, and type the same command again,"
            " which makes a new backup.",
        )


def refuse_without_emergency_backup(step: Step, versions: Sequence[str]) -> None:
    """Likewise before a rollback, of the backup that its own run has just made, where that is a whole one.

    Args:
        versions: that are to be rolled back, in order.

    Raises:
        Refused: it is not there.
    """
    receipt = latest(step.receipts, "emergency_backup")
    if receipt is None or not receipt["outputs"].get("manifest_sha256"):
        return  # what the rollback keeps, or a point in archived WAL: files of others
    fault = _fault_of(step, step.run_id, receipt)
    if fault is not None:
        again = (
            f"To take it back by hand: ansible-playbook emergency_rollback.yml -e migration={versions[0]}"
            if step.automatic
            else "Find out what changes files in backup_dir, and type the same command again, which makes a new backup."
        )
        raise Refused(
            fault.code,
            f"{fault.sentence} This run had just made it, and a rollback does not begin without, so that nothing was"
            f" rolled back. {again}",
        )


def gone_at_failure(step: Step) -> Json | None:
    """Whether the backup that the report would advise to put back after a failed rollback is known to be gone.

    Returns:
        dict: run_id (whose backup it is), why (a sentence); None where it is there, or nobody can tell.
    """
    opened = latest(step.receipts, "preflight")
    run_id = step.run_id if step.automatic else (opened["outputs"] if opened else {}).get("restorable_run")
    if not run_id or step.module.check_mode:
        return None
    receipt = None
    # The server may be what has failed. Then what lies on disk can be looked at all the same.
    with _unless_it_cannot_be_asked(), transaction(step.connection) as cursor:
        receipt = latest(step.ledger.receipts(cursor, run_id), "backup")
    with _unless_it_cannot_be_asked():
        fault = _fault_of(step, run_id, receipt)
        return {"run_id": run_id, "why": fault.sentence} if fault else None
    return None


def _unless_it_cannot_be_asked() -> contextlib.suppress:
    """The server, or a repository; a step that has not come to connect has nobody to ask."""
    return contextlib.suppress(RunbookError, psycopg2.Error, LookupError)


def newest_gone(step: Step) -> Json | None:
    """Whether the newest backup that was proven is gone, without that a cleanup has noted it.

    Returns:
        As gone_at_failure(); None also where this user cannot look into its folder.

    Raises:
        psycopg2.Error: the ledger cannot be read.
    """
    with transaction(step.connection) as cursor:
        if not Ledger().exists(cursor):
            return None
        cursor.execute(
            "SELECT run_id FROM runbook.receipt WHERE step = 'verify_restore' AND status = 'ok'"
            " ORDER BY position DESC LIMIT 1"
        )
        row = cursor.fetchone()
        if row is None or backup_removed(cursor, row[0]) is not None:
            return None
        receipt = latest(Ledger().receipts(cursor, row[0]), "backup")
    if receipt is None or not _may_look_into(BackupFiles(step.params["backup_dir"], row[0]).folder):
        return None
    with contextlib.suppress(RunbookError):
        fault = _fault_of(step, row[0], receipt)
        return {"run_id": row[0], "why": fault.sentence} if fault else None
    return None


def _may_look_into(folder: str) -> bool:
    """Whether this user would see what lies in a folder, or sees that it is not there."""
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return os.access(folder, os.R_OK | os.X_OK)
