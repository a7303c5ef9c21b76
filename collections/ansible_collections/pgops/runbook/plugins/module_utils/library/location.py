# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the files of the database lie on disk now, and whether each can get to where it is to be.

All of it is found out before the first rename, and every obstacle is found, not only the first one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ..sentences import listed
from .folder import LibraryFolder, Unreachable
from .paths import UnusablePath, below_library, shown, split, temporary_path
from .pending import ChangedPath
from .plan import RenamePlan

__all__ = ["Obstacles", "add_wanted_files", "find_obstacles", "locate_files"]

SHOWN = 10


class Obstacles:
    """Sentences about what is in the way: all are counted, the first few are kept."""

    def __init__(self) -> None:
        self.total = 0
        self.first: list[str] = []

    def add(self, sentence: str) -> None:
        self.total += 1
        if len(self.first) < SHOWN:
            self.first.append(sentence)

    def summary(self) -> str:
        """The first ones in one line, and how many more there are."""
        return listed(self.first, SHOWN, total=self.total)


def add_wanted_files(
    plan: RenamePlan, label: str, changes: Iterable[ChangedPath], prefix: str, obstacles: Obstacles
) -> int:
    """Take the changes of the database into the plan.

    Args:
        plan: gets the files.
        label: of the column of paths; keys of two tables are kept apart by it.
        changes: see PendingChanges.changes.
        prefix: see below_library.
        obstacles: gets each path that cannot be one below the library.

    Returns:
        How many changed paths lie elsewhere.
    """
    elsewhere = 0
    for file, old_path, wanted_path in changes:
        try:
            source = below_library(old_path, prefix)
            # A deleted row says nothing of its file; one that was put aside gets the old name back.
            target = source if wanted_path is None else below_library(wanted_path, prefix)
        except UnusablePath as error:
            obstacles.add(str(error))
            continue
        if source is None and target is None:
            elsewhere += 1
        elif source is None or target is None:
            obstacles.add(f"{old_path!r} -> {wanted_path!r} leads into or out of the library folder")
        else:
            plan.add_wanted(f"{label} {file}", source, target)
    return elsewhere


def locate_files(
    plan: RenamePlan,
    folder: LibraryFolder,
    obstacles: Obstacles,
    write: bool,
    accept_missing: bool = False,
) -> tuple[int, int]:
    """Find each wanted file, and plan its rename where it does not lie where it is to be.

    A file that the journal knows is recognised by its number (inode) under one of the names it may have. One that the
    journal does not know lies where it did; if nothing is there and something is at its target, it was renamed by hand.

    Args:
        write: whether a second name may be taken away that link(2) without its unlink(2) has left.
        accept_missing: whether a file that is nowhere is counted only, not in the way.

    Returns:
        (files that are at their target already, files that are missing).
    """
    in_place = missing = 0
    for file, source, target in plan.wanted():
        noted = plan.noted(file)
        if source == target and not noted:
            in_place += 1
            continue
        try:
            place = _noted_place(folder, noted, write) if noted else None
            if place is None:
                place = _place_without_journal(folder, file, source, target, noted)
        except Unreachable as error:
            obstacles.add(f"{shown(source)} cannot be reached: {error}")
            continue
        if place is None:
            missing += 1
            if not accept_missing:
                obstacles.add(f"{shown(source)} is missing")
        elif place == target:
            in_place += 1
        else:
            plan.add_rename(file, place, target)
    return in_place, missing


def _noted_place(folder: LibraryFolder, noted: Iterable[tuple[bytes, int, int]], write: bool) -> bytes | None:
    """Where a file of the journal lies."""
    places = [path for path, device, inode in noted if _is(folder.status(path), device, inode)]
    if len(places) > 1:
        # One name in two spellings, for a file system that ignores them, or two names of one file: killed between
        # link(2) and unlink(2). The later name stays, the other one was to go.
        places = [path for path in places if folder.has_name(path)]
        for path in places[1:] if write else ():
            folder.remove_second_name(path)
    return places[0] if places else None


def _is(status: os.stat_result | None, device: int, inode: int) -> bool:
    return status is not None and (status.st_dev, status.st_ino) == (device, inode)


def _place_without_journal(
    folder: LibraryFolder,
    file: str,
    source: bytes,
    target: bytes,
    noted: Iterable[tuple[bytes, int, int]],
) -> bytes | None:
    # The application may have written a file anew under the same name: then its number is another one.
    candidates = [*(path for path, _, _ in noted), source, temporary_path(source, file), target]
    return next((path for path in candidates if folder.status(path) is not None), None)


def find_obstacles(plan: RenamePlan, folder: LibraryFolder, obstacles: Obstacles, write: bool) -> None:
    """Look at every rename of the plan before any is done.

    Args:
        write: whether the file system may be probed with a file of our own (see LibraryFolder.folds).
    """
    for file, source, target in plan.renames():
        try:
            sentence = _obstacle(plan, folder, file, source, target)
        except Unreachable as error:
            sentence = f"{shown(source)} -> {shown(target)}: {error}"
        if sentence:
            obstacles.add(sentence)
    folding: dict[bytes, bool] = {}
    for target, source, other_target, other_source in plan.twins():
        where, _ = split(target)
        same = target == other_target
        if not same and where not in folding:
            try:
                folding[where] = folder.folds(where, write)
            except (Unreachable, OSError):
                folding[where] = True
        if same or folding[where]:
            why = "" if same else f" ({shown(other_target)} is the same name for this file system)"
            obstacles.add(f"{shown(source)} and {shown(other_source)} would both become {shown(target)}{why}")


def _obstacle(plan: RenamePlan, folder: LibraryFolder, file: str, source: bytes, target: bytes) -> str | None:
    status = folder.status(source)
    if status is None:
        return f"{shown(source)} is missing"
    if not stat.S_ISREG(status.st_mode):
        return f"{shown(source)} is {_kind(status)}, not a file"
    for path in (source, target):
        reason = folder.why_not_writable(path)
        if reason:
            return reason
    if folder.device(source) != folder.device(target):
        return f"{shown(source)} and {shown(target)} are on different file systems"
    aside = temporary_path(source, file)
    if aside != source and folder.status(aside) is not None:
        return f"{shown(aside)} exists, which is the temporary name of {shown(source)}"
    there = folder.status(target)
    if there is None or plan.leaves(target):
        return None
    for other in plan.leaving_like(target):
        # Another spelling of a name that is going to be given up: this file system takes them for one.
        if _is(folder.status(other), there.st_dev, there.st_ino) and there.st_nlink == 1:
            return None
    return f"{shown(target)} exists already, so {shown(source)} cannot get its name"


def _kind(status: os.stat_result) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISLNK, "a symbolic link"))
    return next((words for test, words in kinds if test(status.st_mode)), "a device or a pipe")
