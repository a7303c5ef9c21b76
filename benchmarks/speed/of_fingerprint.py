# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fingerprint of all rows, beside COPY of every table to nowhere, with as many workers."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import stored_tables
from ansible_collections.pgops.runbook.plugins.module_utils.content.workers import content_of_snapshot
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import one_row

from benchmarks.library_database import target_of
from benchmarks.speed.bench import Bench
from benchmarks.speed.library import LIBRARY
from benchmarks.speed.programs import JOBS
from benchmarks.speed.turns import orders

__all__ = ["copy_everything", "fingerprint", "fingerprint_everything"]


def fingerprint_everything(bench: Bench) -> None:
    """As the backup reads it: one snapshot, shared by the workers."""
    with contextlib.closing(bench.server.connect(LIBRARY)) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_export_snapshot()")
            (snapshot,) = one_row(cursor)
            content_of_snapshot(cursor, target_of(bench.server, LIBRARY), snapshot, JOBS)


def copy_everything(bench: Bench) -> None:
    """COPY in the server to /dev/null, the largest table first."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    with contextlib.closing(bench.server.connect(LIBRARY)) as connection, connection.cursor() as cursor:
        for table in stored_tables(cursor):
            waiting.put(table.name)  # quoted

    def work(_number: int) -> None:
        connection = bench.server.connect(LIBRARY)
        with contextlib.closing(connection), connection.cursor() as cursor, contextlib.suppress(queue.Empty):
            while True:
                cursor.execute(f"COPY (SELECT * FROM {waiting.get_nowait()}) TO '/dev/null'")

    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(work, range(JOBS)))


def fingerprint(
    bench: Bench,
    own: Callable[[Bench], None] = fingerprint_everything,
    peer: Callable[[Bench], None] = copy_everything,
) -> None:
    """Args: own, peer: what is measured as the runbook's, and what beside it."""
    sides = {"runbook": own, "copy": peer}
    _warm_up(bench, list(sides.values()))
    for order in orders(sides, bench.sizes.turns, bench.chance):
        for side in order:
            started = time.perf_counter()
            sides[side](bench)
            bench.add({f"fingerprint/{side}": time.perf_counter() - started})


def _warm_up(bench: Bench, sides: Sequence[Callable[[Bench], None]]) -> None:
    """Whoever reads a table first after it was loaded writes hint bits into it, and that is no part of either."""
    for side in sides:
        side(bench)
