# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing the backups of a database that backup_keep no longer keeps.

First each is given another name, then the ledger says that it is removed, and then its files go: who is killed in
between leaves no half backup under the name of a whole one, and the next cleanup goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Refused
from ..ledger.ledger import Ledger
from ..ledger.removed_backups import forget_removed, note_removed, runs_without_note
from ..postgres.connection import transaction
from ..postgres.standbys import refuse_endless_commit
from ..preflight.server import check_server, check_writable
from ..shapes import Cursor, Json, Receipt
from ..step.step import Step
from ..step.waiting import take_run_lock
from .backups import TELL_WHOSE, BackupFolders, begun_removals, read_backup_folders
from .needs import needed_runs, waiting_migrations
from .policy import what_goes
from .removal import aside, remove_folder, set_aside

__all__ = ["clean_up"]


@dataclass
class _Seen:
    """What there is, by one look.

    Args:
        waiting: versions whose rows wait in the salvage.
        going: see what_goes.
        needed: run_id -> why its backup stays.
        begun: run_id and path of folders whose removal was begun.
    """

    folders: BackupFolders
    waiting: list[str]
    going: list[Json]
    needed: dict[str, str]
    begun: list[tuple[str, str]]


def clean_up(step: Step, keep: dict[str, int]) -> Json:
    """Remove what goes; in check mode say what would.

    Args:
        keep: see policy.checked_keep.

    Returns:
        dict: removed (see BackupFolders.backups), ended (folders whose removal an earlier cleanup had begun), kept
        (run_id and why, of those that would go if nobody needed them), left_alone, warnings, backups (run_ids of
        those that are there now), needed (run_id -> why) and waiting (versions).

    Raises:
        Refused: a step of a run is at work, or the ledger cannot be written.
    """
    begun: list[str] = []
    warnings: list[str] = []
    if not step.module.check_mode:
        # Also at the end of a rehearsal, which holds no database: the lock changes nothing in it.
        take_run_lock(step.connection)
    with transaction(step.connection) as cursor:
        seen = _look(step, cursor, keep)
        gone = seen.going
        if not step.module.check_mode:
            _check_ledger(step, cursor, seen)
            gone = _set_aside(cursor, seen, warnings)
    if not step.module.check_mode:
        # With it the lock goes: nobody has to wait until large files are gone.
        step.connection.close()
        begun = _remove([path for _, path in seen.begun], warnings)
        _remove([aside(one["folder"]) for one in gone], warnings)
    step.changed = bool(gone or begun)
    names = {one["run_id"] for one in gone}
    return {
        "removed": gone,
        "ended": begun,
        "kept": _kept(seen, keep),
        "left_alone": seen.folders.left_alone,
        "warnings": warnings,
        "backups": [one["run_id"] for one in seen.folders.backups if one["run_id"] not in names],
        "needed": seen.needed,
        "waiting": seen.waiting,
    }


def _look(step: Step, cursor: Cursor, keep: dict[str, int]) -> _Seen:
    chain = Ledger().receipts(cursor)
    of_run: dict[str, list[Receipt]] = {}
    for receipt in chain:
        of_run.setdefault(receipt["run_id"], []).append(receipt)
    backup_dir = step.params["backup_dir"]
    try:
        folders = read_backup_folders(cursor, backup_dir, step.identity, of_run)
        begun = begun_removals(backup_dir, step.identity) if keep else []
    except OSError as error:
        raise Refused(
            "backup_dir_unusable",
            f"backup_dir {backup_dir} cannot be looked into: {error.strerror}. Nothing was removed. Correct backup_dir,"
            " its owner or its permissions.",
        ) from None
    needed = {**dict.fromkeys(folders.open, "it has not ended"), **needed_runs(cursor, chain)}
    going = what_goes(folders.backups, keep, needed)
    if step.reads_only:
        # A rehearsal writes nothing to production, not even that a backup is gone.
        going = [one for one in going if not one["in_ledger"]]
        begun = [(run_id, path) for run_id, path in begun if run_id not in of_run]
    folders.left_alone = [one for one in folders.left_alone if one["run_id"] not in needed]
    return _Seen(folders, waiting_migrations(cursor), going, needed, begun)


def _check_ledger(step: Step, cursor: Cursor, seen: _Seen) -> None:
    """Before anything is touched: what is removed can be noted.

    Raises:
        Refused: saying why not.
    """
    if step.reads_only or not (seen.going or seen.begun):
        return
    check_server(step.identity)
    check_writable(cursor)
    refuse_endless_commit(cursor)


def _set_aside(cursor: Cursor, seen: _Seen, warnings: list[str]) -> list[Json]:
    """Have the ledger say that what goes is removed, and give it another name; returns what could be renamed.

    Noted before it is renamed, so that whatever the ledger refuses is refused while nothing is done.
    """
    in_ledger = {one["run_id"] for one in seen.going if one["in_ledger"]}
    note_removed(cursor, [*runs_without_note(cursor, [run_id for run_id, _ in seen.begun]), *in_ledger])
    gone = []
    for backup in seen.going:
        try:
            set_aside(backup["folder"])
        except OSError as error:
            warnings.append(f"{backup['folder']} was not removed: {error.strerror}.")
        else:
            gone.append(backup)
    forget_removed(cursor, in_ledger - {one["run_id"] for one in gone})
    return gone


def _remove(paths: list[str], warnings: list[str]) -> list[str]:
    """Remove folders that were set aside; returns those that are gone."""
    gone = []
    for path in paths:
        try:
            remove_folder(path, TELL_WHOSE)
        except OSError as error:
            warnings.append(
                f"{path}, of a backup that is removed, could not be removed whole: {error.filename}:"
                f" {error.strerror}. The next cleanup tries it again."
            )
        else:
            gone.append(path)
    return gone


def _kept(seen: _Seen, keep: dict[str, int]) -> list[Json]:
    """run_id and why, of those that would go if nobody needed them."""
    return [
        {"run_id": one["run_id"], "why": seen.needed[one["run_id"]]}
        for one in what_goes(seen.folders.backups, keep, ())
        if one["run_id"] in seen.needed
    ]
