# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Somebody who looks on from a thread of its own while a session works."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TypeVar

__all__ = ["Watch"]

AnyWatch = TypeVar("AnyWatch", bound="Watch")


class Watch:
    """A context manager, inside which it looks on; it may be entered again.

    What derives from it has ``_watch``, which ends soon when ``_stop`` is set.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self: AnyWatch) -> AnyWatch:
        if self._looks():
            self._stop.clear()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _looks(self) -> bool:
        """Whether there is anything to look at; without it there is no thread."""
        return True

    def _watch(self) -> None:
        """What the thread does."""
        raise NotImplementedError
