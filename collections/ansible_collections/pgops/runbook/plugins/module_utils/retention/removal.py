# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing a folder so that nobody takes what is left of it for the whole.

It gets another name first, which is one step; whoever is killed after that leaves something whose name says what it is,
and the next cleanup ends it. What tells whose a folder is goes last.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..own_files import NotOurs, is_link_of_another

__all__ = [
    "OF_FILES",
    "PREFIX",
    "Tree",
    "aside",
    "entries_named",
    "folders_set_aside",
    "is_own_folder",
    "remove_folder",
    "set_aside",
    "size_of",
    "stranger_in",
]

#: Begins the name of a folder that is being removed; no run's name begins so.
PREFIX = ".removed-"

#: Names in a folder -> what they hold: likewise for a folder, None for a file, OF_FILES for a folder of any files.
Tree = Mapping[str, "Mapping[str, object] | None"]

OF_FILES: Mapping[str, object] = {"*": None}


def is_own_folder(path: str) -> bool:
    """Whether it is a folder that we have made: no link, and nobody else's."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return os.path.isdir(path) and not os.path.islink(path) and found.st_uid == os.geteuid()


def entries_named(parent: str, is_name: Callable[[str], object]) -> Iterator[tuple[str, str]]:
    """(name, path) of what stands in a folder under a name that is asked for, whatever it is, sorted.

    Raises:
        OSError: the folder cannot be read.
    """
    if is_link_of_another(parent):
        raise NotOurs(errno.EEXIST, "it is a link that another user has made", parent)
    if not os.path.isdir(parent):
        return
    for name in sorted(os.listdir(parent)):
        if is_name(name):
            yield name, os.path.join(parent, name)


def folders_set_aside(parent: str, is_name: Callable[[str], object]) -> Iterator[tuple[str, str]]:
    """(name of the run, path) of folders of ours whose removal was begun."""
    for name, path in entries_named(parent, lambda name: name.startswith(PREFIX)):
        if is_name(name[len(PREFIX) :]) and is_own_folder(path):
            yield name[len(PREFIX) :], path


def stranger_in(folder: str, known: Tree) -> str | None:
    """Path, within a folder, of something that we have not written there; None where there is nothing of that kind.

    Args:
        known: what we write.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.name not in known and "*" not in known:
                return entry.name
            inside = known.get(entry.name, known.get("*"))
            if inside is None:
                if not entry.is_file(follow_symlinks=False):
                    return entry.name
                continue
            if not is_own_folder(entry.path):
                return entry.name
            stranger = stranger_in(entry.path, inside)  # type: ignore[arg-type]  # no recursive types in Python 3.9
            if stranger is not None:
                return os.path.join(entry.name, stranger)
    return None


def size_of(folder: str) -> int:
    """Bytes of all files below a folder; no link is followed."""
    total = 0
    for at, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(at, name)).st_size
    return total


def aside(folder: str) -> str:
    """Where it is set aside."""
    parent, name = os.path.split(folder)
    return os.path.join(parent, PREFIX + name)


def set_aside(folder: str) -> None:
    """Give it the name under which it is no longer what it was, on disk before this returns.

    Raises:
        OSError: it cannot be renamed, or something stands there.
    """
    target = aside(folder)
    if os.path.lexists(target):
        # Renamed onto an empty folder, it would take its place.
        raise NotOurs(errno.EEXIST, f"something stands in its way: {target}", target)
    os.rename(folder, target)
    parent = os.open(os.path.dirname(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def remove_folder(folder: str, last: Sequence[str]) -> None:
    """Remove a folder that was set aside.

    Args:
        last: paths within it of the files that tell whose it is.

    Raises:
        OSError: something could not be removed; the rest of it stays.
    """
    kept = {os.path.join(folder, name) for name in last}
    for at, folders, files in os.walk(folder, topdown=False, onerror=_raise):
        for name in files:
            path = os.path.join(at, name)
            if path not in kept:
                os.unlink(path)
        for name in folders:
            _remove_entry(os.path.join(at, name))
    for name in last:
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        if os.path.dirname(path) != folder:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(os.path.dirname(path))
    os.rmdir(folder)


def _raise(error: OSError) -> None:
    raise error


def _remove_entry(path: str) -> None:
    """Remove a link to a folder, or a folder that is empty."""
    if os.path.islink(path):
        os.unlink(path)
    elif not os.listdir(path):
        os.rmdir(path)
