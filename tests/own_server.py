# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An embedded PostgreSQL server that is removed however its use ends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from demo.local_server import LocalServer

__all__ = ["own_server"]


@contextlib.contextmanager
def own_server(folder: Path) -> Iterator[LocalServer]:
    """A running server with its state in ``folder``; removed at the end, on Ctrl-C and SIGTERM too."""
    # Without a handler SIGTERM ends pytest before any fixture is torn down; now it acts like Ctrl-C.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = LocalServer(folder, fsync=False)
    try:
        server.start()
        yield server
    finally:
        server.remove()
        signal.signal(signal.SIGTERM, before)
