# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines about the progress of a long step, in a file that the action plugin reads while the module works."""

from __future__ import annotations

import os
import time

__all__ = ["ProgressLines"]

SECONDS_BETWEEN = 2


class ProgressLines:
    """Writes a line now and then; does nothing where no file is named.

    Args:
        path: of a file that does not exist yet; a file or link that is already there is not written to.
        host: where the step works.
    """

    def __init__(self, path: str, host: str) -> None:
        self._host = host
        self._descriptor: int | None = None
        self._next = time.monotonic() + SECONDS_BETWEEN
        if path:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)

    def files_renamed(self, done: int, total: int) -> None:
        """Say how many renames are done and how many there are, unless a line was written a moment ago."""
        if self._descriptor is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN
        os.write(self._descriptor, f"{self._host}: {done} of {total} renames done\n".encode())
