# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What statements do that commit one by one: measured one by one, and added up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..shapes import Cursor, Impact, Json, Timing
from .locks import LockSampler
from .meter import LOCK_MODES, ImpactMeter, table_files, table_sizes, wal_position

__all__ = ["ImpactOneByOne"]


class ImpactOneByOne:
    """Measures a script of which each statement commits by itself.

    Statements that may be in a transaction are measured in theirs, exactly. Of the others files and WAL are
    compared before and after, and locks are sampled.

    Args:
        with_sizes: as for ImpactMeter.
    """

    def __init__(self, with_sizes: bool = False) -> None:
        self.with_sizes = with_sizes
        self._locks: dict[tuple[str, str], Json] = {}
        self._rewritten: dict[str, int | None] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self._emptied: set[str] = set()
        self._wal_bytes = 0
        self._observed = True

    @contextmanager
    def in_transaction(self, cursor: Cursor, again: bool = False) -> Iterator[ImpactMeter]:
        """Measure the statements that are run inside; yields the ImpactMeter that is told of each.

        Args:
            again: whether it is the next batch of a statement, before which the tables were measured already.
        """
        meter = ImpactMeter(cursor, self.with_sizes and not again)
        yield meter
        impact = meter.result()
        for lock in impact["locks"]:
            self._take_lock(lock)
        self._rewritten.update(impact["rewritten"])
        self._emptied.update(impact["emptied"])
        for table, counts in impact["rows"].items():
            known = self._rows.setdefault(table, dict.fromkeys(counts, 0))
            for kind, count in counts.items():
                known[kind] += count
        self._wal_bytes += impact["wal_bytes"]

    @contextmanager
    def outside_transaction(self, cursor: Cursor) -> Iterator[list[Timing]]:
        """The same for a statement that cannot be in a transaction; the cursor is one of autocommit mode."""
        sizes = table_sizes(cursor) if self.with_sizes else {}
        files = {oid: node for oid, _, node in table_files(cursor)}
        position = wal_position(cursor)
        timings: list[Timing] = []
        with LockSampler(cursor.connection) as sampler:
            yield timings
        self._observed = self._observed and sampler.observed
        written = wal_position(cursor) - position
        rewritten = [name for oid, name, node in table_files(cursor) if oid in files and files[oid] != node]
        locks = [lock for lock in sampler.locks if lock["oid"] in files]
        for timing in timings:
            timing["wal_bytes"] = written
            timing["rewritten"] = rewritten
            timing["locks"] = [
                {"table": lock["table"], "mode": lock["mode"]}
                for lock in locks
                if LOCK_MODES.index(lock["mode"]) > LOCK_MODES.index("AccessShareLock")
            ]
            for lock in locks:
                self._take_lock(
                    {
                        "table": lock["table"],
                        "mode": lock["mode"],
                        "line": timing["line"],
                        "held_seconds": lock["held_seconds"],
                        "table_bytes": sizes.get(lock["table"]),
                        "sampled": True,
                    }
                )
        self._rewritten.update((table, sizes.get(table)) for table in rewritten)
        self._wal_bytes += written

    def _take_lock(self, lock: Json) -> None:
        """Of each table and mode the longest: after each statement the application had its turn."""
        key = (lock["table"], lock["mode"])
        if key not in self._locks or self._locks[key]["held_seconds"] < lock["held_seconds"]:
            self._locks[key] = lock

    def result(self) -> Impact:
        """As ImpactMeter.result, of what this run did, with ``locks_observed``: whether locks could be looked at."""
        return {
            "locks": [self._locks[key] for key in sorted(self._locks)],
            "locks_observed": self._observed,
            "rewritten": dict(self._rewritten),
            "rows": self._rows,
            "emptied": sorted(self._emptied),
            "wal_bytes": self._wal_bytes,
        }
