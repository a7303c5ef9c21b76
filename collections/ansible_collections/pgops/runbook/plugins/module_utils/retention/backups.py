# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which folders of backup_dir are backups of this database, and what is known of each.

Whose a folder is, two have to agree on: receipts, in the ledger or those that a rehearsal has beside its backup, and
what lies in the folder. Whatever else there is in backup_dir, as the backups of another database, is not looked into.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..backup.files import BackupFiles
from ..errors import StepFailed
from ..ledger.receipt_file import ReceiptFile
from ..ledger.receipts import altered, broken_link, latest
from ..own_files import read_regular
from ..postgres.answers import one_row
from ..restore.restored import ledger_dump
from ..restore.source import RUN_ID
from ..shapes import Cursor, Identity, Json, Receipt
from .removal import OF_FILES, entries_named, folders_set_aside, is_own_folder, size_of, stranger_in

__all__ = ["TELL_WHOSE", "BackupFolders", "begun_removals", "read_backup_folders"]

KINDS = ("backup", "emergency_backup")

BACKUP = {"dump": OF_FILES, "plain": OF_FILES, "manifest.json": None, "manifest.json.part": None}

#: All that a run writes into its folder.
KNOWN = {
    **dict.fromkeys(KINDS, BACKUP),
    "receipts.json": None,
    "receipts.json.part": None,
    os.path.basename(ledger_dump("", "")): None,
}

#: Removed last: these say of which database a folder is.
TELL_WHOSE = (*(f"{kind}/manifest.json" for kind in KINDS), "receipts.json")

AGE_DAYS = "SELECT extract(epoch FROM clock_timestamp() - %s::timestamptz)::float8 / 86400"

# A rehearsal has no lease: without a new receipt for so long it was killed (as of a copy, see backup/copy.py).
DEAD_AFTER_DAYS = 1.0


@dataclass
class BackupFolders:
    """What is in backup_dir of one database.

    Args:
        backups: dicts with run_id, folder (of the run), made (UTC text), age_days, bytes, proven (restored once, and
            still there whole), in_ledger (false for a rehearsal).
        open: run_ids of rehearsals that have not ended.
        left_alone: dicts with folder and why, of folders of this database that are not as the runbook leaves them.
    """

    backups: list[Json] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    left_alone: list[Json] = field(default_factory=list)


def read_backup_folders(
    cursor: Cursor, backup_dir: str, identity: Identity, of_run: Mapping[str, Sequence[Receipt]]
) -> BackupFolders:
    """Look at all that stands in backup_dir under the name of a run.

    Args:
        identity: of the database that we are connected to.
        of_run: run_id -> its receipts, of the whole ledger.

    Raises:
        OSError: backup_dir cannot be read.
    """
    folders = BackupFolders()
    for name, path in entries_named(os.path.abspath(backup_dir), RUN_ID.fullmatch):
        receipts = of_run.get(name) or _of_rehearsal(backup_dir, name)
        if not receipts or not _is_of(receipts, identity):
            continue
        made = _made(receipts, path)
        why = _unlike_ours(path, receipts, made)
        if why:
            folders.left_alone.append({"folder": path, "run_id": name, "why": why})
        elif made:
            backup = _facts(cursor, backup_dir, name, made, receipts)
            folders.backups.append({**backup, "in_ledger": name in of_run})
        if name not in of_run and not _has_ended(cursor, backup_dir, name, receipts):
            folders.open.append(name)
    return folders


def begun_removals(backup_dir: str, identity: Identity) -> list[tuple[str, str]]:
    """(run_id, path) of folders of this database whose removal was begun and not ended.

    Raises:
        OSError: backup_dir cannot be read.
    """
    begun = []
    for run_id, path in folders_set_aside(os.path.abspath(backup_dir), RUN_ID.fullmatch):
        identities = _identities_in(path)
        if identities:
            ours = all(_same(one, identity) for one in identities)
        else:
            # What told whose it is goes last, so that nothing but empty folders can be left.
            ours = not any(files for _, _, files in os.walk(path))
        if ours:
            begun.append((run_id, path))
    return begun


def _same(theirs: Mapping[str, object], identity: Identity) -> bool:
    # Not the OID: a restore gives the database another one.
    return all(theirs.get(key) == identity[key] for key in ("system_identifier", "database"))


def _is_of(receipts: Sequence[Receipt], identity: Identity) -> bool:
    return all(_same(receipt["identity"], identity) for receipt in receipts)


def _of_rehearsal(backup_dir: str, name: str) -> list[Receipt]:
    """The receipts that lie beside a backup, where they are whole and of a run of that name; otherwise none."""
    if not is_own_folder(os.path.join(os.path.abspath(backup_dir), name)):
        return []
    try:
        receipts = json.loads(read_regular(ReceiptFile(backup_dir, name).path))["receipts"]
        whole = broken_link(receipts) is None and all(one["run_id"] == name for one in receipts)
        return receipts if whole and all(isinstance(one["identity"], dict) for one in receipts) else []
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def _made(receipts: Sequence[Receipt], path: str) -> dict[str, Receipt]:
    """Kind -> receipt of each backup that the run has made and that is there."""
    found = {kind: latest(receipts, kind) for kind in KINDS}
    return {
        kind: one
        for kind, one in found.items()
        if one and one["status"] == "ok" and os.path.lexists(os.path.join(path, kind))
    }


def _unlike_ours(path: str, receipts: Sequence[Receipt], made: Mapping[str, Receipt]) -> str | None:
    """Why nothing is done with what stands under the name of a run of this database; None where it is as we left it."""
    if not is_own_folder(path):
        return "it is no folder of the user who makes the backups"
    if altered(receipts) is not None:
        return "the receipts of its run were changed after they were written"
    try:
        stranger = stranger_in(path, KNOWN) or _unrecorded(path, made)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (StepFailed, LookupError):
        return "its manifest is not the one that was written"
    if stranger is not None:
        return f"it holds {stranger}, which no backup has written"
    half = [kind for kind in KINDS if kind not in made and os.path.lexists(os.path.join(path, kind))]
    if half:
        return f"{half[0]} has no receipt: the run was stopped while it was made"
    return None


def _unrecorded(path: str, made: Mapping[str, Receipt]) -> str | None:
    """A file of a dump that its manifest does not know.

    Raises:
        StepFailed: a manifest is not the one of the receipt.
    """
    for kind, receipt in made.items():
        files = BackupFiles(os.path.dirname(path), os.path.basename(path), kind)
        recorded = files.check_manifest(receipt["outputs"]["manifest_sha256"])["files"]
        # What is in a repository has no dump here.
        for name in sorted(os.listdir(files.dump)) if recorded or os.path.lexists(files.dump) else []:
            if name not in recorded:
                return f"{kind}/dump/{name}"
    return None


def _facts(
    cursor: Cursor, backup_dir: str, run_id: str, made: Mapping[str, Receipt], receipts: Sequence[Receipt]
) -> Json:
    newest = max(receipt["finished"] for receipt in made.values())
    cursor.execute(AGE_DAYS, (newest,))
    folder = os.path.join(os.path.abspath(backup_dir), run_id)
    return {
        "run_id": run_id,
        "folder": folder,
        "made": newest,
        "age_days": one_row(cursor)[0],
        "bytes": size_of(folder),
        "proven": "backup" in made and _is_proven(BackupFiles(backup_dir, run_id), made["backup"], receipts),
    }


def _is_proven(files: BackupFiles, backup: Receipt, receipts: Sequence[Receipt]) -> bool:
    """Whether it was restored once, and all of it is still there; its bytes are not read again."""
    proof = latest(receipts, "verify_restore")
    if proof is None or proof["status"] != "ok":
        return False
    try:
        recorded = files.check_manifest(backup["outputs"]["manifest_sha256"])["files"]
        return all(
            os.path.getsize(os.path.join(files.dump, name)) == facts["bytes"]
            for name, facts in recorded.items()
        )
    except (OSError, StepFailed):
        return False


def _has_ended(cursor: Cursor, backup_dir: str, name: str, receipts: Sequence[Receipt]) -> bool:
    """Whether a rehearsal is over, or was killed long ago."""
    run = ReceiptFile(backup_dir, name).run(cursor, name)
    if run is None or run["finished"]:
        return True
    cursor.execute(AGE_DAYS, (receipts[-1]["finished"],))
    return one_row(cursor)[0] > DEAD_AFTER_DAYS


def _identities_in(path: str) -> list[Mapping[str, object]]:
    """Of which databases the manifests and receipts in a folder are; {} for what cannot be read."""
    identities: list[Mapping[str, object]] = []
    for name in TELL_WHOSE:
        try:
            content = json.loads(read_regular(os.path.join(path, name)))
            identities += [{**one["identity"]} for one in content.get("receipts", [content])]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            identities.append({})
    return identities
