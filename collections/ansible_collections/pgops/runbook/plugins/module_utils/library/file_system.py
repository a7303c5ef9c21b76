# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the file system of a folder does with names: how it renames without replacing, and which it takes for one.

A rename must never replace a file. ``rename(2)`` does, and looking first would leave a gap in which somebody else can
make the target. ``renameat2(2)`` with RENAME_NOREPLACE does both in one step and works on every local file system of
Linux; Python has no function for it, so it is called in the C library. Where the file system does not know the flag
(NFS), ``link(2)`` and ``unlink(2)`` take its place: a link is never made over a file, and a kill between the two
leaves both names on one file, which is recognised by its number and mended.

Both questions are asked of the file system itself, with an empty file of our own: the answer may differ between
folders of one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
from collections.abc import Callable

__all__ = ["NoSafeRename", "Rename", "choose_rename", "folds_spellings", "link_and_unlink", "renameat2"]

PROBE_PREFIX = b".pgops-probe-"
RENAME_NOREPLACE = 1

#: Folder and name, other folder and new name; the folders are open. Raises OSError: FileExistsError for a taken name.
Rename = Callable[[int, bytes, int, bytes], None]


class NoSafeRename(Exception):
    """The file system can rename only by replacing what is there; says why the other ways fail."""


def renameat2(from_folder: int, from_name: bytes, to_folder: int, to_name: bytes) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(from_folder, from_name, to_folder, to_name, RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def link_and_unlink(from_folder: int, from_name: bytes, to_folder: int, to_name: bytes) -> None:
    os.link(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder, follow_symlinks=False)
    os.unlink(from_name, dir_fd=from_folder)


def choose_rename(folder: int) -> tuple[str, Rename]:
    """The first way that works here, tried on a file of our own.

    Args:
        folder: open.

    Returns:
        Its name ("renameat2" or "link") and the function.

    Raises:
        OSError: no file can be made here.
        NoSafeRename: one can, and neither way works.
    """
    probe, other = _probe_name(), _probe_name()
    _remove_probes(folder)
    _make(folder, probe)
    reason = None
    try:
        for name, rename in (("renameat2", renameat2), ("link", link_and_unlink)):
            try:
                rename(folder, probe, folder, other)
            except OSError as error:
                reason = error.strerror
                continue
            return name, rename
    finally:
        for left in (probe, other):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left, dir_fd=folder)
    raise NoSafeRename(reason)


def folds_spellings(folder: int, write: bool) -> bool:
    """Whether two spellings of a name that differ in case or normal form are one name in this folder (ext4's casefold).

    Args:
        folder: open.
        write: whether a file of our own may be made for it; otherwise a name that is there is asked for in another
            spelling, and the answer is True where there is none to ask for.

    Raises:
        OSError: the folder cannot be read or written.
    """
    if not write:
        for name in os.listdir(folder):
            if name.swapcase() != name:
                return _same(folder, os.fsencode(name), os.fsencode(name.swapcase()))
        return True
    _remove_probes(folder)
    made = _probe_name()
    names = [made + "-\u00e9".encode(), made.upper() + "-\u00e9".encode(), made + "-e\u0301".encode()]
    _make(folder, names[0])
    try:
        return any(_same(folder, names[0], other) for other in names[1:])
    finally:
        os.unlink(names[0], dir_fd=folder)


def _probe_name() -> bytes:
    return PROBE_PREFIX + secrets.token_hex(8).encode("ascii")


def _make(folder: int, name: bytes) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder))


def _remove_probes(folder: int) -> None:
    """Take away the empty files of an earlier process that was killed while it probed."""
    for name in map(os.fsencode, os.listdir(folder)):
        if name.startswith(PROBE_PREFIX) and os.stat(name, dir_fd=folder, follow_symlinks=False).st_size == 0:
            os.unlink(name, dir_fd=folder)


def _same(folder: int, name: bytes, other: bytes) -> bool:
    try:
        return os.path.samestat(
            os.stat(name, dir_fd=folder, follow_symlinks=False),
            os.stat(other, dir_fd=folder, follow_symlinks=False),
        )
    except FileNotFoundError:
        return False
