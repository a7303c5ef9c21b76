# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that are written whole or not at all, also when the power fails."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

__all__ = ["one_at_a_time", "write_file_durably"]


@contextlib.contextmanager
def one_at_a_time(folder: str | os.PathLike[str], needed: bool = True) -> Iterator[None]:
    """A lock on a folder, which is there, for processes of one machine; it ends with the process, however that ends.

    Args:
        needed: whether it is an error where the file system has no locks, as some that lie on another machine.

    Raises:
        OSError: the folder cannot be locked.
    """
    descriptor = -1
    try:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            if needed:
                raise
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def write_file_durably(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file of this mode whole or not at all, and on disk before this returns.

    Raises:
        OSError: it could not be written; one that was there is there as it was.
    """
    temporary = f"{path}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a process that was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)  # whatever the umask is
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    # The new name is in the folder, which is a file of its own (fsync(2)).
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
