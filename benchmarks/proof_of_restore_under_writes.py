# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups put back while an application writes, with the rows since: none that was confirmed may be missing."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from psycopg2 import sql

from benchmarks.library_database import library_database
from benchmarks.measurement import Measurement, first_of
from benchmarks.module_runs import ModuleRun
from benchmarks.reconnecting_writers import Writer, reconnecting_writers
from demo.local_server import LocalServer

__all__ = ["measure"]

WHAT = "rows written while a backup is put back, and there afterwards"
FILES_OF_THE_LIBRARY = 2000
WRITES_BEFORE = 500
WRITES_AFTER = 50
WAIT_SECONDS = 120

# The migration before which the backup is taken; it has made what the restored schema does not have.
SCRIPTS = {
    "migrations/012_since.sql": "-- Requires: none\nALTER TABLE files ADD COLUMN since text DEFAULT 'x';\n",
    "rollback/012_since_rollback.sql": "ALTER TABLE files DROP COLUMN since;\n",
}


def measure(
    server: LocalServer,
    restores: int,
    chance: Random,
    say: Callable[[str], None],
    carry_over: bool = True,
    writers: int = 2,
    pause: float = 0.0,
    files: int = FILES_OF_THE_LIBRARY,
) -> Measurement:
    """Put a proven backup back, while writers insert and update files and come back when they are sent away.

    Args:
        server: LocalServer.
        restores: how many, each in a database of its own.
        chance: decides how long the writers write before the swap.
        carry_over: whether the rows since the backup are brought over; without, they must be found missing.
        writers, pause: see reconnecting_writers().
        files: of the library.
    """
    written, lost, held_off, problems = 0, 0, [], []
    for number in range(restores):
        with (
            tempfile.TemporaryDirectory(prefix="proof-restore-") as folder,
            library_database(server, f"restored_{number}", files) as name,
        ):
            try:
                rows, missing, seconds = _one_restore(
                    server, name, Path(folder), chance, carry_over, (writers, pause)
                )
            except RuntimeError as error:
                problems.append(f"{name}: {error}")
                continue
            finally:
                _drop_replaced(server, name)
        written += rows
        lost += len(missing)
        held_off.append(seconds)
        problems += [f"{name}: file {row} is missing or old" for row in missing]
        say(f"{number + 1} restores, {written} rows")
    notes = []
    if held_off:
        notes.append(
            f"seconds for which the application was held off: {min(held_off):.2f} to {max(held_off):.2f}"
            f" ({files} files, {writers} writers)"
        )
    # A restore that failed has shown nothing: the bar is not met then.
    return Measurement(
        WHAT,
        written,
        written - lost,
        written,
        holds=len(held_off) == restores,
        notes=[*notes, *first_of(problems)],
    )


def _one_restore(
    server: LocalServer, name: str, folder: Path, chance: Random, carry_over: bool, load: tuple[int, float]
) -> tuple[int, list[int], float]:
    """(confirmed rows, ids of those that are not there, seconds for which the application was held off)."""
    for script, text in SCRIPTS.items():
        path = folder / "sql" / script
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    source = ModuleRun(server, name, folder, "20260101T000000Z-source", "deploy", "012")
    for step in ("preflight", "maintenance_window", "backup", "verify_restore"):
        source.step(step)
    source.step("announce", outcome="failed")
    _execute(server, name, SCRIPTS["migrations/012_since.sql"])
    with reconnecting_writers(server, name, *load) as sessions:
        restore = ModuleRun(server, name, folder, "20260102T000000Z-restore", "restore")
        restore.step("preflight", source_run_id=source.run_id)
        restore.step("restore")
        restore.step("count_rows")
        _wait(sessions, chance.randrange(WRITES_BEFORE))
        swap = restore.step("swap", carry_over=carry_over)
        _wait(sessions, WRITES_AFTER)
    found = dict(_execute(server, name, "SELECT id, manufacturer FROM files"))
    missing = [row for session in sessions for row in session.lost(found)]
    return sum(len(session.confirmed) for session in sessions), missing, swap["held_off_seconds"]


def _wait(sessions: list[Writer], writes: int) -> None:
    """Until each writer has written so often again."""
    begun = [session.writes for session in sessions]
    deadline = time.monotonic() + WAIT_SECONDS
    while any(session.writes < first + writes for session, first in zip(sessions, begun, strict=True)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the writers did not write within {WAIT_SECONDS} s")
        time.sleep(0.02)


def _execute(server: LocalServer, database: str, statement: str) -> list[tuple]:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _drop_replaced(server: LocalServer, name: str) -> None:
    """The replaced database, and one that a failed restore has left."""
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(
            "SELECT datname FROM pg_database WHERE pg_catalog.starts_with(datname, %s)"
            " OR pg_catalog.starts_with(datname, 'runbook_restore_')",
            (f"{name}_before_",),
        )
        for (replaced,) in cursor.fetchall():
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(replaced)))
