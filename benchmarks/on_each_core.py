# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work on one server by as many processes as the machine has cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from demo.local_server import LocalServer

__all__ = ["on_each_core"]

T = TypeVar("T")
R = TypeVar("R")

#: A process is ended after so many pieces: modules keep what they know of their one run in globals.
PIECES = 20

# In each process: a server cannot be sent to one, and a copy of this process has it.
_server: list[LocalServer] = []
_work: list[Callable[[LocalServer, Any], Any]] = []


def on_each_core(
    server: LocalServer, work: Callable[[LocalServer, T], R], pieces: Iterable[T]
) -> Iterator[R]:
    """What ``work`` gives for each piece, in their order.

    Args:
        work: a function of a module.

    Raises:
        Exception: as ``work`` does.
    """
    processes = multiprocessing.get_context("fork").Pool(
        os.cpu_count(), initializer=_begin, initargs=(server, work), maxtasksperchild=PIECES
    )
    with processes:
        yield from processes.imap(_do, pieces)


def _begin(server: LocalServer, work: Callable[[LocalServer, Any], Any]) -> None:
    # The pool ends its processes by a signal for which the command line may have a handler.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _server.append(server)
    _work.append(work)


def _do(piece: Any) -> Any:
    return _work[-1](_server[-1], piece)
