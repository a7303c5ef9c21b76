# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fingerprint of the data, read by several connections that share one snapshot."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ..activity import begin
from ..postgres.connection import connect
from ..postgres.session import pin_session, restore_session
from ..shapes import Content, Cursor, Json, Target
from .fingerprint import StoredTable, content_fingerprint, stored_tables, table_fingerprints

__all__ = ["content_of_snapshot"]

# What one connection has done by then, a second one would have made no sooner: making it takes a third of that.
SOON_SECONDS = 0.02


def content_of_snapshot(cursor: Cursor, target: Target, snapshot: str, workers: int) -> Content:
    """What content_fingerprint(cursor) gives, with the tables shared among ``workers`` connections.

    Args:
        cursor: of the transaction that exported the snapshot, which stays open.
        target: connection options of the same database.
        snapshot: its name (manual, "Snapshot Synchronization Functions").
        workers: number of connections.

    Raises:
        ServerUnreachable: a further connection was not to be had.
        psycopg2.Error: as content_fingerprint does.
    """
    tables: queue.SimpleQueue[StoredTable] = queue.SimpleQueue()
    previous = pin_session(cursor, local=True)
    found = stored_tables(cursor)  # the largest first, so that none is left for the end
    for table in found:
        tables.put(table)
    begin("reading and dumping tables", len(found))
    restore_session(cursor, previous, local=True)

    emptied = threading.Event()

    def those_left() -> Iterator[StoredTable]:
        with contextlib.suppress(queue.Empty):
            while True:
                yield tables.get_nowait()
        emptied.set()

    def work(number: int) -> Json:
        if number and emptied.wait(number * SOON_SECONDS):
            return {}
        connection = connect(target)
        try:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as own:
                own.execute("SET TRANSACTION SNAPSHOT %s", (snapshot,))
                pin_session(own, local=True)
                return dict(table_fingerprints(own, those_left()))
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(work, range(workers)))
    rest = content_fingerprint(cursor, only_columns={"tables": {}})
    return {**rest, "tables": {name: facts for part in parts for name, facts in part.items()}}
