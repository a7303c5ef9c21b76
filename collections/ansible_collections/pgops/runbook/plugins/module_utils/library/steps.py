# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What files_check and files_rename do on a host of the library: find, check, rename, prove, and tell the ledger.

The database leads: its paths are committed before the first file is touched, so the rows as they are now say what is
right, also after a kill, after a rollback, after users have renamed files. They are read again in each run, and the
work is done when rows and files agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypedDict

from ..errors import Refused, StepFailed
from ..postgres.connection import transaction
from ..shapes import Json
from ..step.step import Step
from .agreement import FileAgreement
from .folder import LibraryFolder
from .hosts import library_hosts_of
from .journal import RenameJournal
from .location import Obstacles, add_wanted_files, find_obstacles, locate_files
from .paths import shown
from .pending import PendingChanges
from .plan import RenamePlan
from .rehearsed_changes import RehearsedChanges
from .renaming import rename_files

__all__ = ["LIBRARY_SPEC", "Library", "check_library", "follow_database", "library_of", "show_renames"]

# Options of the modules that look at files.
LIBRARY_SPEC: dict[str, Json] = {
    "library_host": {"type": "str", "required": True},
    "library_root": {"type": "path", "required": True},
    "library_path_prefix": {"type": "str", "default": ""},
    "library_state_dir": {"type": "path", "default": "/var/lib/pgops_runbook"},
    "accept_missing_files": {"type": "bool", "default": False},
    "accept_paths_elsewhere": {"type": "bool", "default": False},
}

EXTRA_SHOWN = 100
UNTOUCHED = "No file was renamed by this step."

#: Old and new path, as people read them.
Pairs = list[tuple[str, str]]


class Library(TypedDict):
    """The library as one of its hosts sees it: the options of LIBRARY_SPEC, completed."""

    host: str
    #: All that hold its files.
    hosts: list[str]
    root: str
    #: How the database writes ``root``.
    path_prefix: str
    #: Where the journal of renames lies.
    state_dir: str
    accept_missing_files: bool
    accept_paths_elsewhere: bool


def library_of(step: Step) -> Library:
    """The library that a step's parameters name, on the hosts that preflight of its run has found.

    Raises:
        Refused: the host is none of the library's.
    """
    params = step.params
    # What preflight found: a task that names fewer hosts must not close what the others have still to follow.
    hosts = library_hosts_of(step.receipts) or params["run"]["library_hosts"] or [params["library_host"]]
    if params["library_host"] not in hosts:
        raise Refused(
            "library_host_unknown",
            f"Host {params['library_host']} is not one of the library's: {', '.join(hosts)}. Run the whole playbook.",
        )
    return {
        "host": params["library_host"],
        "hosts": hosts,
        "root": params["library_root"],
        "path_prefix": params["library_path_prefix"] or params["library_root"],
        "state_dir": params["library_state_dir"],
        "accept_missing_files": params["accept_missing_files"],
        "accept_paths_elsewhere": params["accept_paths_elsewhere"],
    }


def show_renames(library: Library, pairs: Pairs | None) -> dict[str, str]:
    """The diff of Ansible for pairs of old and new path."""
    return {
        "before_header": f"{library['host']}: names before",
        "after_header": f"{library['host']}: names after",
        "before": "".join(f"{source}\n" for source, _ in pairs or ()),
        "after": "".join(f"{target}\n" for _, target in pairs or ()),
    }


def follow_database(step: Step, library: Library, write: bool, show_pairs: bool) -> tuple[Json, Pairs | None]:
    """Make the files of this host agree with the database.

    Args:
        step: connected.
        library: see library_of.
        write: whether files are renamed; otherwise they are only looked at.
        show_pairs: whether all pairs of old and new path are returned.

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
        if write:
            folder.hold()
        outputs: Json = {
            "library_host": library["host"],
            "library_root": library["root"],
            "direction": pending.sets[-1]["direction"],
            "sets": [
                {
                    "migration": changed["migration"],
                    "direction": changed["direction"],
                    "changes": changed["changes"],
                }
                for changed in pending.sets
            ],
            "way": folder.choose_way() if write else None,
        }
        outputs.update(_make_plan(step, library, pending, plan, folder, journal, write))
        pairs = _pairs(plan) if show_pairs else None
        if not write:
            outputs["renamed"] = 0
            return outputs, pairs
        if outputs["renamed"]:
            journal.check_place(plan.renames(), plan.count()[1])
        rename_files(plan, folder, journal)
        outputs.update(_proof(step, library, pending, folder, outputs["renamed"]))
        with transaction(step.connection) as cursor:
            pending.close(cursor, library["hosts"])
            step.record(cursor, "ok", outputs=outputs)
        # Only after COMMIT: if this run is killed before, the next one needs the journal. The receipt stays as it is.
        return {**outputs, "journal": journal.archive()}, pairs


def _pairs(plan: RenamePlan) -> Pairs:
    return [(shown(source), shown(target)) for _, source, target in plan.renames()]


def check_library(step: Step, library: Library, show_pairs: bool) -> tuple[Json, Pairs | None]:
    """Find out whether the files of this host will be able to follow what the rehearsal did to their paths.

    Args:
        step: connected.
        library: see library_of.
        show_pairs: whether all pairs of old and new path are returned.

    Returns:
        (outputs for the receipt, list of (old path, new path) or None).

    Raises:
        Refused: what is in the way, and what to do.
    """
    with transaction(step.connection) as cursor:
        rehearsed = RehearsedChanges(cursor, library["host"], step.run_id)
    rehearsed.check_complete(step.outputs_of("rehearse").get("paths_changed", {}))
    sets = [{"migration": changed["migration"], "changes": changed["changes"]} for changed in rehearsed.sets]
    outputs: Json = {
        "library_host": library["host"],
        "library_root": library["root"],
        "sets": sets,
        "renames": 0,
    }
    if not sets:
        return outputs, []
    folder = LibraryFolder(library["root"])
    journal = RenameJournal(library["state_dir"], step.identity, 0, library["root"])
    with closing(folder), closing(journal), closing(RenamePlan()) as plan:
        folder.hold()
        outputs["way"] = folder.choose_way()
        try:
            counts = _make_plan(step, library, rehearsed, plan, folder, journal, True)
        except StepFailed as error:
            raise Refused(
                error.code,
                f"{error.reason} Nothing was applied: production's database is as it was. Remove the cause, and"
                " deploy again.",
                **error.details,
            ) from None
        journal.check_place(plan.renames(), plan.count()[1])
        pairs = _pairs(plan) if show_pairs else None
    return {**outputs, "renames": counts["renamed"], "missing": counts["missing_before"]}, pairs


def _make_plan(
    step: Step,
    library: Library,
    pending: PendingChanges,
    plan: RenamePlan,
    folder: LibraryFolder,
    journal: RenameJournal,
    write: bool,
) -> Json:
    """Fill the plan.

    Returns:
        renamed (files to rename), in_place, missing_before and changed_elsewhere: numbers of files.

    Raises:
        StepFailed: something is in the way.
    """
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
            # Before production is changed, its rows have the paths from before.
            looked_for = plan.knows if pending.rehearsed else plan.wants
            _find_missing(looked_for, before, obstacles)
    if obstacles.total:
        raise StepFailed(
            "files_cannot_follow",
            f"Files on {library['host']} below {library['root']} cannot follow the database. Obstacles"
            f" ({obstacles.total}): {obstacles.summary()}. {UNTOUCHED}",
            obstacles=obstacles.first,
            count=obstacles.total,
        )
    return {"renamed": files, "in_place": in_place, "missing_before": missing, "changed_elsewhere": elsewhere}


def _find_missing(looked_for: Callable[[bytes], bool], before: FileAgreement, obstacles: Obstacles) -> None:
    """Rows without a file that are not among those whose files were looked for one by one."""
    for _, _, path, sentence in before.without_file():
        if not looked_for(path):
            obstacles.add(
                f"{sentence}, and a row of the database has it (-e accept_missing_files=true to go on)"
            )
    for sentence in before.unusable:
        obstacles.add(sentence)


def _agreement(step: Step, library: Library, pending: PendingChanges, folder: LibraryFolder) -> FileAgreement:
    """All rows of the columns concerned beside all files."""

    def rows() -> Iterator[tuple[str, str]]:
        for names in pending.columns():
            with step.connection:
                for _, path in pending.rows(step.connection, names):
                    yield ".".join(names), path

    return FileAgreement(folder, rows(), library["path_prefix"])


def _still_missing(step: Step, pending: PendingChanges, after: FileAgreement) -> list[str]:
    """Rows without a file that still exist: users go on deleting while rows and files are compared."""
    columns = {".".join(names): names for names in pending.columns()}
    with transaction(step.connection) as cursor:
        return [
            sentence
            for label, path, _, sentence in after.without_file()
            if pending.has_path(cursor, columns[label], path)
        ]


def _proof(
    step: Step, library: Library, pending: PendingChanges, folder: LibraryFolder, renamed: int
) -> Json:
    """Compare all rows with all files.

    Args:
        renamed: number of files that were renamed. Where there was none to rename, rows without a file are only
            counted: a rollback of something that never reached the disk must not fail because of them.

    Returns:
        rows, rows_elsewhere, missing and extra (numbers), extra_files (the first names).

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
                "files_disagree",
                f"Files on {library['host']} were renamed, but {problems.total} do not agree with the database:"
                f" {problems.summary()}. Correct these, and run the same command again.",
            )
        return {
            "rows": after.rows(),
            "rows_elsewhere": after.elsewhere,
            "missing": len(missing),
            "extra": after.without_row_count(),
            "extra_files": after.without_row(EXTRA_SHOWN),
        }
