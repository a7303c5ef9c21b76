# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show how far loading is: one line that is rewritten on a terminal, otherwise a new line every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["LoadingLine"]

SECONDS_ON_TERMINAL = 0.2
SECONDS_BETWEEN_LINES = 5
_CLEAR = "\r\x1b[K"  # to the start of the line, and erase it: ECMA-48, 8.3.41


class LoadingLine:
    """What is being done, rows so far, their rate, the size on disk, and the time; for use in a ``with``.

    Args:
        stream: where to write; asked whether it is a terminal.
        size: returns the bytes on disk; during the ``with`` it is called in a thread of its own.
        seconds: between two showings; the default depends on the stream.
    """

    def __init__(self, stream: TextIO, size: Callable[[], int], seconds: float | None = None) -> None:
        self._stream = stream
        self._size = size
        self._terminal = stream.isatty()
        self._seconds = seconds or (SECONDS_ON_TERMINAL if self._terminal else SECONDS_BETWEEN_LINES)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._started = time.monotonic()
        self._doing = ""
        self._rows = 0

    def __enter__(self) -> LoadingLine:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._terminal:
            self._stream.write(_CLEAR)
            self._stream.flush()

    def now(self, doing: str) -> None:
        """Say what is being done from now on, in a few words."""
        self._doing = doing

    def add(self, rows: int) -> None:
        """Count rows that have been written."""
        self._rows += rows

    def text(self) -> str:
        """The line as it would be shown now, without what is being done."""
        seconds = time.monotonic() - self._started
        rate = self._rows / max(seconds, 0.1)
        megabytes = self._size() / 2**20
        return f"{self._rows:,} rows, {rate:,.0f} rows/s, {megabytes:,.0f} MB, {seconds:.1f} s"

    def _follow(self) -> None:
        while not self._ended.wait(self._seconds):
            line = f"  {self._doing}: {self.text()}"
            self._stream.write(f"{_CLEAR}{line}" if self._terminal else f"{line}\n")
            self._stream.flush()
