# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration does to a database, measured: locks, rewrites, rows and WAL.

Everything is read inside the migration's own transaction: pg_locks still has every lock that it took, since locks
are held until its end (manual, "Explicit Locking"), and pg_stat_xact_* counts its own rows only.
"""

from __future__ import annotations

import time
from typing import Any

from ..postgres.answers import one_row
from ..postgres.application_tables import (
    INCLUDED,
    NAME,
    RELATIONS,
    STORED,
    TABLES,
    in_schemas,
    of_application,
)
from ..postgres.connection import sql
from ..postgres.routed_rows import read_routed, routed_names
from ..postgres.script_session import on_our_path
from ..shapes import Cursor, Impact, Json, Timing

__all__ = [
    "HARMLESS_MODE",
    "LOCK_MODES",
    "ImpactMeter",
    "held_locks",
    "rows_written",
    "table_files",
    "table_sizes",
    "wal_position",
]

# Strongest last; the order of the manual's table "Conflicting Lock Modes".
LOCK_MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)

# Reads and writes of the application go on under this one and all weaker ones.
HARMLESS_MODE = "ShareUpdateExclusiveLock"

# Locks on catalogs come with every DDL and end nobody's wait; those on an extension's tables may. What a serializable
# transaction notes of its reading is listed among the locks, and keeps nobody waiting.
HELD_LOCKS = f"""
    SELECT l.relation, {NAME}, l.mode
    FROM {RELATIONS} JOIN pg_catalog.pg_locks l ON l.relation = c.oid
    WHERE l.pid = coalesce(%s, pg_catalog.pg_backend_pid()) AND l.locktype = 'relation' AND l.granted
      AND l.mode <> 'SIReadLock'
      AND {of_application(TABLES + STORED, members=INCLUDED)}"""

# The file of a table changes when it is rewritten: by ALTER TABLE, VACUUM FULL, CLUSTER and TRUNCATE alike.
TABLE_FILES = f"""
    SELECT c.oid, {NAME}, c.relfilenode
    FROM {RELATIONS} WHERE {of_application(STORED, members=INCLUDED)}"""

# Each of these takes ACCESS EXCLUSIVE, and keeps it (manual, "Explicit Locking"): no other table has to be looked at.
REWRITES = "AccessExclusiveLock"

FILES_OF = f"{TABLE_FILES} AND c.oid = ANY (%s::oid[])"

SIZES = f"""
    SELECT {NAME}, pg_catalog.pg_table_size(c.oid)
    FROM {RELATIONS} WHERE {of_application(STORED, members=INCLUDED)}"""

ROWS = f"""
    SELECT pg_catalog.quote_ident(schemaname) || '.' || pg_catalog.quote_ident(relname), n_tup_ins, n_tup_upd, n_tup_del
    FROM pg_catalog.pg_stat_xact_user_tables
    WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND {in_schemas(name="schemaname")}"""

# Materialized views are rewritten as well, and have no rows of their own.
ROWS_OF_TABLES = f"""
    SELECT {NAME}, n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY (%s::oid[])
      AND (c.relkind = 'r' OR c.oid = ANY (%s::oid[]))"""

WAL_POSITION = "SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"

# The statistics of other sessions reach us late, up to 10 s after the session went idle (manual, "The Cumulative
# Statistics System"). A write from before the backup that looks new only makes the comparison milder. One of the last
# seconds that is not seen yet can make it too strict: then the deploy ends unchanged, and goes through when repeated.
ROWS_WRITTEN = f"""
    SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_catalog.pg_stat_user_tables
    WHERE {in_schemas(name="schemaname")}"""


def _rows(cursor: Cursor, query: str, values: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
    cursor.execute(query, values)
    return cursor.fetchall()


#: OID and name of a table, and the mode.
HeldLock = tuple[int, str, str]


def held_locks(cursor: Cursor, pid: int | None = None) -> list[HeldLock]:
    """(oid, table, mode) of each lock on a table that a session holds; by default the cursor's own."""
    return _rows(cursor, HELD_LOCKS, (pid,))


def table_files(cursor: Cursor) -> list[tuple[int, str, int]]:
    """(oid, table, file node) of each table."""
    return _rows(cursor, TABLE_FILES)


def table_sizes(cursor: Cursor) -> dict[str, int]:
    """dict table -> bytes; waits for each table's ACCESS SHARE lock."""
    return dict(_rows(cursor, SIZES))


def wal_position(cursor: Cursor) -> int:
    """Bytes of WAL that the whole server has ever written."""
    return _rows(cursor, WAL_POSITION)[0][0]


class ImpactMeter:
    """Measures one migration in one transaction, statement by statement.

    Usage: build it before the first statement, call ``statement_done`` after each, ``result`` before COMMIT.

    Args:
        cursor: of the migration's transaction.
        with_sizes: whether to measure the tables first. On the copy only: it takes a short lock on each, and in
            production that could wait for somebody who has nothing to do with the migration.
    """

    def __init__(self, cursor: Cursor, with_sizes: bool = False) -> None:
        self.cursor = cursor
        self._size_before = table_sizes(cursor) if with_sizes else {}
        files = table_files(cursor)
        self._nodes = {oid: node for oid, _, node in files}
        self._names = {oid: name for oid, name, _ in files}
        self._known = set(self._nodes)
        # On the copy the rows of these are in other partitions than in production.
        self._routed = routed_names(cursor)
        self._rows_before = self._rows()
        self._locks: dict[tuple[int, str], Json] = {}
        self._wal = wal_position(cursor)
        self._wal_begin = self._wal
        self._rewritten: dict[str, int | None] = {}
        self._note_locks(None)
        # Taken by our own reading, not by the migration.
        self._ours = set(self._locks)

    def _note_locks(self, line: int | None) -> list[Json]:
        taken = []
        held = held_locks(self.cursor)
        self._may_be_rewritten = [oid for oid, _, mode in held if mode == REWRITES and oid in self._known]
        for oid, name, mode in held:
            if (oid, mode) not in self._locks:
                self._locks[(oid, mode)] = {
                    "table": name,
                    "mode": mode,
                    "line": line,
                    "since": time.monotonic(),
                }
                taken.append({"table": name, "mode": mode})
        return taken

    def statement_done(self, timing: Timing) -> None:
        """Add to a statement's timing what it did: WAL, locks newly taken, tables rewritten.

        May be told again of the last one, for what it had left to be done later.
        """
        with on_our_path(self.cursor):
            self._statement_done(timing)

    def _statement_done(self, timing: Timing) -> None:
        position = wal_position(self.cursor)
        timing["wal_bytes"] = timing.get("wal_bytes", 0) + position - self._wal
        self._wal = position
        timing["locks"] = timing.get("locks", []) + [
            lock
            for lock in self._note_locks(timing["line"])
            if LOCK_MODES.index(lock["mode"]) > LOCK_MODES.index("AccessShareLock")
        ]
        timing.setdefault("rewritten", [])
        if not self._may_be_rewritten:
            return
        for oid, name, node in _rows(self.cursor, FILES_OF, (self._may_be_rewritten,)):
            if self._nodes[oid] != node:
                timing["rewritten"].append(name)
                self._rewritten[name] = self._size_before.get(name)
                self._nodes[oid] = node

    def result(self) -> Impact:
        """The whole migration.

        Returns:
            dict: locks (strongest mode of each table that was there before, with its size in bytes before and
            the seconds held until now), rewritten (table -> bytes before), rows (table -> inserted, updated,
            deleted), emptied (tables that lost rows, or were rewritten, and have none now), written and inserted
            (tables that were there and that statements wrote to, or inserted into; one that was renamed under both of
            its names), wal_bytes (of the whole server meanwhile).
        """
        now = time.monotonic()
        strongest: dict[str, Json] = {}
        for (oid, mode), lock in self._locks.items():
            if oid not in self._known or (oid, mode) in self._ours:
                continue
            rank = LOCK_MODES.index(mode)
            best = strongest.get(lock["table"])
            if best is None or rank > best["rank"]:
                strongest[lock["table"]] = {
                    "rank": rank,
                    "table": lock["table"],
                    "mode": mode,
                    "line": lock["line"],
                    "held_seconds": round(now - lock["since"], 3),
                    "table_bytes": self._size_before.get(lock["table"]),
                }
        rows = {}
        for name, counts in self._rows().items():
            before = self._rows_before.get(name, [0, 0, 0])
            done = [count - earlier for count, earlier in zip(counts, before)]
            if any(done):
                rows[name] = dict(zip(("inserted", "updated", "deleted"), done))
        return {
            "locks": [
                {key: value for key, value in lock.items() if key != "rank"}
                for lock in sorted(strongest.values(), key=lambda lock: lock["table"])
            ],
            "rewritten": dict(self._rewritten),
            "rows": rows,
            "emptied": self._emptied(rows),
            "written": self._written(),
            "wal_bytes": wal_position(self.cursor) - self._wal_begin,
        }

    def _rows(self) -> dict[str, list[int]]:
        """Rows inserted, updated and deleted of each table since the transaction began."""
        counted: dict[str, list[int]] = {}
        for name, *counts in _rows(self.cursor, ROWS):
            table = self._routed.get(name, name)
            counted[table] = [one + more for one, more in zip(counted.get(table, [0, 0, 0]), counts)]
        return counted

    def _emptied(self, rows: dict[str, dict[str, int]]) -> list[str]:
        lost = {*self._rewritten, *(name for name, counts in rows.items() if counts["deleted"])}
        lost = {self._routed.get(name, name) for name in lost}
        routed = read_routed(self.cursor) if self._routed else {}
        known = (sorted({*self._known, *routed}), list(routed))
        emptied = []
        for table, *names in _rows(self.cursor, ROWS_OF_TABLES, known):
            if table in lost:
                source = "{}" if table in self._routed.values() else "ONLY {}"
                self.cursor.execute(
                    sql.SQL(f"SELECT NOT EXISTS (SELECT FROM {source})").format(sql.Identifier(*names))
                )
                if one_row(self.cursor)[0]:
                    emptied.append(table)
        return sorted(emptied)

    def _written(self) -> list[str]:
        now = {oid: name for oid, name, _ in table_files(self.cursor)}
        # INSERT, UPDATE and DELETE take this lock, and no ALTER does; on an empty table too.
        written = {oid for oid, mode in self._locks if mode == "RowExclusiveLock"} & self._known
        return sorted({names[oid] for names in (self._names, now) for oid in written if oid in names})

    def held_until_now(self, impact: Impact) -> None:
        """Count the checks before COMMIT too: until it, the locks that the migration took are held on."""
        now = time.monotonic()
        since = {(lock["table"], lock["mode"]): lock["since"] for lock in self._locks.values()}
        for lock in impact["locks"]:
            lock["held_seconds"] = round(now - since[(lock["table"], lock["mode"])], 3)


def rows_written(cursor: Cursor) -> int:
    """How many rows were ever written to the tables of users in this database, by transactions that have ended."""
    cursor.execute(ROWS_WRITTEN)
    return one_row(cursor)[0]
