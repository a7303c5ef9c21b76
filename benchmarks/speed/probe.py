# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long an application waits for a table: a reader and a writer that ask every five milliseconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from demo.local_server import LocalServer

__all__ = ["SECONDS_BETWEEN", "Probe", "Statements", "probing"]

SECONDS_BETWEEN = 0.005
SECONDS_TO_END = 60
# How long another thread of this process may keep a probe from reading its answer; Python's own is 5 ms.
SECONDS_OF_A_THREAD = 0.0005


@dataclass(frozen=True)
class Statements:
    """What the reader and the writer ask; what the writer writes is always rolled back."""

    reader: str
    writer: str


class Probe(threading.Thread):
    """One connection that sends a statement every few milliseconds, a transaction each, and rolls it back.

    A thread is enough: whoever starts one does nothing but wait for the command that is measured.

    Attributes:
        longest: the longest that one transaction took, in seconds.
        asked: how many there were.
        error: what ended it before its time.
    """

    def __init__(self, connect: Callable[[], Any], statement: str) -> None:
        super().__init__(daemon=True)
        self._connect = connect
        self._statement = statement
        self.longest = 0.0
        self.asked = 0
        self.error: Exception | None = None
        self.begun = threading.Event()
        self.end = threading.Event()

    def run(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection, connection.cursor() as cursor:
                self._ask(connection, cursor)  # the first one reads catalogs, and counts for nothing
                self.begun.set()
                while not self.end.wait(SECONDS_BETWEEN):
                    self.longest = max(self.longest, self._ask(connection, cursor))
                    self.asked += 1
        except Exception as error:  # told to whoever has started it, in another thread
            self.error = error
        finally:
            self.begun.set()

    def _ask(self, connection: Any, cursor: Any) -> float:
        started = time.perf_counter()
        cursor.execute(self._statement)
        connection.rollback()
        return time.perf_counter() - started


@contextlib.contextmanager
def probing(server: LocalServer, database: str, statements: Statements) -> Iterator[dict[str, Probe]]:
    """A reader and a writer at work until the end of the block: {"reader": ..., "writer": ...}.

    Raises:
        RuntimeError: one of them has failed, or got no answer to the end; its figure would say nothing.
    """
    probes = {
        who: Probe(lambda: server.connect(database), statement)
        for who, statement in (("reader", statements.reader), ("writer", statements.writer))
    }
    before = sys.getswitchinterval()
    sys.setswitchinterval(SECONDS_OF_A_THREAD)
    for probe in probes.values():
        probe.start()
    try:
        for probe in probes.values():
            probe.begun.wait()
        yield probes
    finally:
        for probe in probes.values():
            probe.end.set()
        for probe in probes.values():
            probe.join(SECONDS_TO_END)
        sys.setswitchinterval(before)
    for who, probe in probes.items():
        if probe.error or probe.is_alive():
            raise RuntimeError(f"the {who} of {database} failed: {probe.error or 'it still waits'}")
