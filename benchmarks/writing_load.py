# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An application that never stops writing: sessions that insert, update and delete files of the library."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any

import psycopg2
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row

from demo.local_server import LocalServer

__all__ = ["WritingLoad", "writing"]

INSERT = """
    INSERT INTO files (filename, filepath, original_filename, content_hash, file_size_bytes)
    VALUES (%(name)s, '/written/' || %(name)s, %(name)s, sha256(%(name)s::bytea), 1) RETURNING id"""
UPDATE = "UPDATE files SET file_size_bytes = file_size_bytes + 1, manufacturer = %(name)s WHERE id = %(id)s"
# One of the files that were there before; which of them wanders with the number of writes.
UPDATE_OLD = "UPDATE files SET manufacturer = %(name)s WHERE id = 1 + %(number)s %% %(old)s"
DELETE = "DELETE FROM files WHERE id = %(id)s"
SLOTS = 4


class WritingLoad:
    """Writers that are running.

    Args:
        counters: one shared counter of committed transactions a writer.
        processes: the writers.
    """

    def __init__(self, counters: Sequence[Synchronized[int]], processes: Sequence[SpawnProcess]) -> None:
        self._counters = counters
        self._processes = processes

    def committed(self) -> int:
        """Transactions committed until now.

        Raises:
            RuntimeError: a writer has died.
        """
        dead = [process.exitcode for process in self._processes if not process.is_alive()]
        if dead:
            raise RuntimeError(f"a writer ended with status {dead[0]}")
        return sum(counter.value for counter in self._counters)


@contextlib.contextmanager
def writing(
    server: LocalServer, database: str, writers: int = 2, pause: float = 0.0
) -> Iterator[WritingLoad]:
    """Write until the end of the block, each statement a transaction of its own.

    Args:
        server: LocalServer.
        database: with the library; ids from 1 upwards.
        pause: seconds that a writer rests after each transaction.
    """
    # Not forked: a child would share this process's connections.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    counters = [context.Value("q", 0) for _ in range(writers)]
    where = {"host": server.host, "port": server.port, "user": server.user, "dbname": database}
    processes = [
        context.Process(target=_write, args=(where, number, counter, stop, pause), daemon=True)
        for number, counter in enumerate(counters)
    ]
    for process in processes:
        process.start()
    load = WritingLoad(counters, processes)
    try:
        while not all(counter.value for counter in counters):
            load.committed()
            time.sleep(0.05)
        yield load
    finally:
        stop.set()
        for process in processes:
            process.join(20)
            if process.is_alive():
                process.terminate()
                process.join()


def _write(where: dict[str, Any], writer: int, counter: Synchronized[int], stop: Event, pause: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which then says stop
    parent = multiprocessing.parent_process()
    with contextlib.closing(psycopg2.connect(**where)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT max(id) FROM files")
        values = {"old": one_row(cursor)[0], "number": writer}
        mine: list[int] = []
        while not stop.is_set() and parent is not None and parent.is_alive():
            values["number"] += 1
            values["name"] = f"{writer}-{values['number']}.mid"
            cursor.execute(INSERT, values)
            mine.append(one_row(cursor)[0])
            changed = 1
            for statement in (UPDATE, UPDATE_OLD):
                cursor.execute(statement, {**values, "id": mine[-1]})
                changed += cursor.rowcount
            if len(mine) > SLOTS:
                cursor.execute(DELETE, {"id": mine.pop(0)})
                changed += cursor.rowcount
            counter.value += changed  # only what changed a row
            time.sleep(pause)
