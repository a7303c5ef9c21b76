# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders and files that are ours, in places where others may have planted theirs: a link, a FIFO, a folder.

What lies in a folder that only we may enter can be planted by nobody. So the folder of each run is made by us, or was;
what stands in its place is refused. What is read is opened without following a link and without waiting for a FIFO.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from typing import IO

__all__ = [
    "NotOurs",
    "is_link_of_another",
    "make_own_folder",
    "make_parent",
    "open_regular",
    "read_regular",
    "refuse_link_of_another",
]


class NotOurs(OSError):
    """Something that another user has made, or that is no folder, stands where ours is to be; strerror says what."""


def make_own_folder(path: str) -> None:
    """Make a folder that only we may enter, or take the one that we have made; those above it have to be there.

    Raises:
        NotOurs: it is a link, a file, or another user's.
        OSError: it cannot be made.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    folder = os.lstat(path)
    if not stat.S_ISDIR(folder.st_mode):
        what = "a link" if stat.S_ISLNK(folder.st_mode) else "no folder"
        raise NotOurs(errno.EEXIST, f"{path} is {what}, made by user {_name(folder.st_uid)}", path)
    if folder.st_uid != os.geteuid():
        raise NotOurs(errno.EEXIST, f"{path} belongs to user {_name(folder.st_uid)}", path)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def is_link_of_another(path: str) -> bool:
    """Whether a path is a link that neither we nor root have made: whoever made it decides what lies behind it."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.geteuid())


def refuse_link_of_another(path: str) -> None:
    """
    Raises:
        NotOurs: the path is one.
    """
    if is_link_of_another(path):
        raise NotOurs(errno.ELOOP, f"{path} is a link that another user has made", path)


def make_parent(path: str) -> None:
    """Make the folder in which something of ours is to be, and those above it, which are the person's.

    Raises:
        NotOurs: it is a link that another user has made.
        OSError: it cannot be made.
    """
    parent = os.path.dirname(os.path.abspath(path))
    refuse_link_of_another(parent)
    missing, there = [], parent
    while not os.path.isdir(there) and os.path.dirname(there) != there:
        missing.append(there)
        there = os.path.dirname(there)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            # Whatever the umask is: not everybody may rename what lies in it.
            os.mkdir(folder, 0o775)
    if not os.path.isdir(parent):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), parent)


def open_regular(path: str) -> IO[bytes]:
    """Open a file for reading, and nothing else that may have its name.

    Raises:
        FileNotFoundError: there is none.
        NotOurs: it is a link, a FIFO, a folder or a device.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotOurs(errno.ELOOP, f"{path} is a link, and no file", path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotOurs(errno.EINVAL, f"{path} is no file", path)
    return os.fdopen(descriptor, "rb")


def read_regular(path: str) -> str:
    """The UTF-8 text of a file; see open_regular().

    Raises:
        UnicodeDecodeError: it is none.
    """
    with open_regular(path) as file:
        return file.read().decode("utf-8")
