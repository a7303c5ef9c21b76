# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Execute statements side by side, in several sessions: what one needs of another keeps its order."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pglast
from pglast.visitors import referenced_relations
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

__all__ = ["SideBySide", "waves"]

SESSIONS = min(4, os.cpu_count() or 1)


class SideBySide:
    """Sessions that execute statements at the same time, each in a transaction of its own; for use in a ``with``.

    Args:
        connect: returns a new psycopg2 connection to the database.
        prepare: is given a cursor of each session before anything else.
    """

    def __init__(self, connect: Callable[[], Connection], prepare: Callable[[Cursor], None]) -> None:
        self._connect = connect
        self._prepare = prepare
        self._open = contextlib.ExitStack()
        self._idle: queue.Queue[Cursor] = queue.Queue()

    def __enter__(self) -> SideBySide:
        with contextlib.ExitStack() as opening:
            for _ in range(SESSIONS):
                connection = opening.enter_context(contextlib.closing(self._connect()))
                connection.autocommit = True
                cursor = connection.cursor()
                self._prepare(cursor)
                self._idle.put(cursor)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def execute(self, statements: list[str]) -> Iterator[int]:
        """Begin statements in their order, and yield how many rows each has written, as they end.

        Raises:
            psycopg2.Error: one failed; those that had not begun are left out.
        """
        with ThreadPoolExecutor(SESSIONS) as pool:
            futures = [pool.submit(self._execute_in_one, statement) for statement in statements]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _execute_in_one(self, statement: str) -> int:
        cursor = self._idle.get()
        try:
            cursor.execute(statement)
            return max(cursor.rowcount, 0)
        finally:
            self._idle.put(cursor)


def waves(script: str) -> list[list[str]]:
    """Part a script of INSERT, UPDATE and DELETE where a statement needs what one since the last part has written.

    Args:
        script: SQL whose tables are named without their schema, and whose functions read no table.
    Returns:
        Statements in their order; those of one list may be executed in any order, and at the same time.
    Raises:
        pglast.parser.ParseError: it is not SQL.
    """
    parts: list[list[str]] = []
    written: set[str] = set()
    read: set[str] = set()
    for statement in pglast.split(script):
        (parsed,) = pglast.parse_sql(statement)
        target = {parsed.stmt.relation.relname}
        # The target counts as read, too: two statements that write one table keep their order.
        mentioned = referenced_relations(statement) | target
        if not parts or mentioned & written or target & read:
            parts.append([])
            written, read = set(), set()
        parts[-1].append(statement)
        written |= target
        read |= mentioned
    return parts
