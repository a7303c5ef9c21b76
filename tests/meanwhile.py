# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Somebody who is at work in a database while something else happens."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from demo.local_server import LocalServer

__all__ = ["over_and_over"]


@contextlib.contextmanager
def over_and_over(
    server: LocalServer, database: str, seconds: float, work: Callable[[Any], object]
) -> Iterator[None]:
    """Inside, a session of its own does the same every so many seconds.

    Args:
        work: what it does, with a cursor that commits each statement.
    """
    stop = threading.Event()

    def run() -> None:
        with contextlib.closing(server.connect(database)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not stop.wait(seconds):
                    work(cursor)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
