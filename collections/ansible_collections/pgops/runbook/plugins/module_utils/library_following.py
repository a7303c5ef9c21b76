# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Letting the files on disk follow the database: find, check, rename, prove, and say so in the ledger.

The database leads. Its paths were committed before the first file is touched, so what is right is always what the
rows say now: after a kill, after a rollback, after users renamed. This asks them anew each time, and is done when
rows and files agree.
"""

from __future__ import annotations

from contextlib import closing

from ansible_collections.pgops.runbook.plugins.module_utils.connection import transaction
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.file_agreement import FileAgreement
from ansible_collections.pgops.runbook.plugins.module_utils.file_location import (
    Obstacles,
    add_wanted_files,
    find_obstacles,
    locate_files,
)
from ansible_collections.pgops.runbook.plugins.module_utils.file_renaming import rename_files
from ansible_collections.pgops.runbook.plugins.module_utils.library_folder import LibraryFolder
from ansible_collections.pgops.runbook.plugins.module_utils.library_paths import shown
from ansible_collections.pgops.runbook.plugins.module_utils.path_changes import PendingChanges
from ansible_collections.pgops.runbook.plugins.module_utils.rename_journal import RenameJournal
from ansible_collections.pgops.runbook.plugins.module_utils.rename_plan import RenamePlan

__all__ = ["follow_database"]

EXTRA_SHOWN = 100
UNTOUCHED = "No file was renamed by this step."


def follow_database(step, library, write, show_pairs, progress):
    """Bring the library of this host into agreement with the database.

    Args:
        step: Step, connected.
        library: dict host, hosts, root, path_prefix, state_dir, accept_missing_files, accept_paths_elsewhere.
        write: False looks only.
        show_pairs: whether all pairs of old and new path are returned.
        progress: see rename_files.

    Returns:
        (outputs for the receipt, list of (old path, new path) or None).

    Raises:
        Refused, StepFailed: what is in the way; which state the files are in; what to do.
    """
    with transaction(step.connection) as cursor:
        pending = PendingChanges(cursor, library["host"])
    if not pending.sets:
        return {"library_host": library["host"], "sets": [], "renamed": 0}, []
    folder = LibraryFolder(library["root"])
    first_set = pending.sets[0]["set_id"]
    journal = RenameJournal(library["state_dir"], step.identity, first_set, library["root"])
    with closing(folder), closing(journal), closing(RenamePlan()) as plan:
        journal.open(write)
        outputs = {
            "library_host": library["host"],
            "library_root": library["root"],
            "direction": pending.sets[-1]["direction"],
            "sets": [
                {key: one[key] for key in ("migration", "direction", "changes")} for one in pending.sets
            ],
            "way": folder.choose_way() if write else None,
        }
        outputs.update(_make_plan(step, library, pending, plan, folder, journal, write))
        pairs = (
            [(shown(source), shown(target)) for _, source, target in plan.renames()] if show_pairs else None
        )
        if not write:
            outputs["renamed"] = 0
            return outputs, pairs
        rename_files(plan, folder, journal, progress)
        outputs.update(_proof(step, library, pending, folder, outputs["renamed"]))
        with transaction(step.connection) as cursor:
            pending.close(cursor, library["hosts"])
            step.record(cursor, "ok", outputs=outputs)
        # Only now: killed before the COMMIT, the next run has to find it. The receipt is not changed any more.
        return {**outputs, "journal": journal.archive()}, pairs


def _make_plan(step, library, pending, plan, folder, journal, write):
    for move in journal.read():
        plan.add_noted(move)
    obstacles = Obstacles()
    elsewhere = 0
    for names in pending.columns():
        with step.connection:
            changes = pending.changes(step.connection, names)
            elsewhere += add_wanted_files(plan, ".".join(names), changes, library["path_prefix"], obstacles)
    if elsewhere and not library["accept_paths_elsewhere"]:
        obstacles.add(
            f"{elsewhere} changed paths do not lie below {library['path_prefix'] or 'the library folder'}: set"
            " library_path_prefix to what the database writes for library_root, or, where they are none of this"
            " library's, -e accept_paths_elsewhere=true"
        )
    accept_missing = library["accept_missing_files"]
    in_place, missing = locate_files(plan, folder, obstacles, write, accept_missing)
    find_obstacles(plan, folder, obstacles, write)
    files, _ = plan.count()
    if files and not accept_missing:
        with closing(_agreement(step, library, pending, folder)) as before:
            _find_missing(step, pending, plan, before, obstacles)
    if obstacles.total:
        raise StepFailed(
            f"Files on {library['host']} below {library['root']} cannot follow the database, {obstacles.total}"
            f" obstacle(s): {obstacles.summary()}. {UNTOUCHED}",
            obstacles=obstacles.first,
            count=obstacles.total,
        )
    return {"renamed": files, "in_place": in_place, "missing_before": missing, "changed_elsewhere": elsewhere}


def _find_missing(step, pending, plan, before, obstacles):
    """Rows without a file that are not among those whose files were looked for one by one."""
    for _, _, path, sentence in before.without_file():
        if not plan.wants(path):
            obstacles.add(
                f"{sentence}, and a row of the database has it (-e accept_missing_files=true to go on)"
            )
    for sentence in before.unusable:
        obstacles.add(sentence)


def _agreement(step, library, pending, folder):
    def rows():
        for names in pending.columns():
            with step.connection:
                for _, path in pending.rows(step.connection, names):
                    yield names, path

    return FileAgreement(folder, ((".".join(names), path) for names, path in rows()), library["path_prefix"])


def _still_missing(step, pending, after):
    """Rows without a file that are there still: users go on deleting while rows and files are compared."""
    columns = {".".join(names): names for names in pending.columns()}
    with transaction(step.connection) as cursor:
        return [
            sentence
            for label, path, _, sentence in after.without_file()
            if pending.has_path(cursor, columns[label], path)
        ]


def _proof(step, library, pending, folder, renamed):
    """Compare all rows with all files.

    Args:
        renamed: number of files that were renamed. Where there was none to rename, rows without a file are only
            counted: a rollback of something that never reached the disk must not fail because of them.

    Raises:
        StepFailed: a row has no file, or a temporary name was left.
    """
    with closing(_agreement(step, library, pending, folder)) as after:
        missing = _still_missing(step, pending, after)
        left = after.temporary_names()
        if left or (missing and renamed and not library["accept_missing_files"]):
            problems = Obstacles()
            for sentence in missing:
                problems.add(sentence)
            for path in left:
                problems.add(f"{path} still has its temporary name")
            raise StepFailed(
                f"Files on {library['host']} were renamed, and {problems.total} do not agree with the database:"
                f" {problems.summary()}."
            )
        return {
            "rows": after.rows(),
            "rows_elsewhere": after.elsewhere,
            "missing": len(missing),
            "extra": after.without_row_count(),
            "extra_files": after.without_row(EXTRA_SHOWN),
        }
