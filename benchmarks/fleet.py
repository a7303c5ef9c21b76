#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure a deploy in many small databases of one server, together and one after the other.

``python benchmarks/fleet.py --databases 64 --forks 4`` starts a server of its own, deploys the same migration twice
over, each time in new databases, and prints both times, their ratio and what the controller takes of memory. Nothing in
it is a test of time. What else the machine does is in the figures: the load before and the number of cores are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from psycopg2 import sql  # noqa: E402 - as a script, the path has to be set first

from benchmarks.measurement import columns  # noqa: E402
from benchmarks.memory import MEGABYTE, Memory  # noqa: E402
from demo.local_server import LocalServer  # noqa: E402
from tests.integration.stories.application import Application, prepare, write_scripts  # noqa: E402
from tests.own_server import own_server  # noqa: E402

__all__ = ["Found", "as_table", "main"]

MIGRATION = "003"

# Rows of each database, so that there is something to dump, to restore and to compare.
ROWS = "INSERT INTO notes (body) SELECT 'note ' || n FROM generate_series(1, {}) AS n"


class Found(NamedTuple):
    """One command.

    Attributes:
        how: its batches and forks.
        seconds: from its start to its end.
        processor_seconds: of it and all that it has started, the server not among them.
        controller: the most that ansible-playbook itself has held in memory, in bytes.
        together: likewise with the processes of tasks and modules, shared pages counted once.
    """

    how: str
    seconds: float
    processor_seconds: float
    controller: int
    together: int


def as_table(found: Iterable[Found]) -> str:
    """A row a command, and below it how much of the first one's time the others took."""
    found = list(found)
    rows = [
        (
            one.how,
            f"{one.seconds:.1f} s",
            f"{one.seconds / found[0].seconds:.2f}",
            f"{one.processor_seconds:.1f} s",
            f"{one.controller / MEGABYTE:.0f} MB",
            f"{one.together / MEGABYTE:.0f} MB",
        )
        for one in found
    ]
    return columns(("how", "time", "ratio", "processor", "ansible-playbook", "with its processes"), rows)


@contextlib.contextmanager
def _databases(server: LocalServer, count: int, rows: int) -> Iterator[list[str]]:
    """New databases of the application; they are dropped at the end."""
    names = [f"tenant_{number:03}" for number in range(1, count + 1)]
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for name in names:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            prepare(server, name)
            with contextlib.closing(server.connect(name)) as tenant, tenant, tenant.cursor() as inside:
                inside.execute(ROWS.format(rows))
        yield names
        for name in names:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def measure(server: LocalServer, folder: Path, count: int, rows: int, batches: str, forks: int) -> Found:
    """One deploy in new databases."""
    with _databases(server, count, rows) as names:
        application = Application(server, folder, write_scripts(folder / "sql"), names)
        before, started = os.times(), time.monotonic()
        process = application.start(
            *("deploy.yml", "-e", f"migration={MIGRATION}", "--forks", str(forks)), fleet_batches=batches
        )
        memory = Memory(process.pid)
        memory.start()
        run = application.finish(process)
        seconds, after = time.monotonic() - started, os.times()
        memory.ended.set()
        memory.join()
    if run.status != 0:
        raise SystemExit(f"The deploy with batches {batches} and {forks} forks failed:\n{run.output}")
    used = sum(after[kind] - before[kind] for kind in (2, 3))
    return Found(f"{batches}, {forks} forks", seconds, used, memory.controller, memory.together)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", type=int, default=64, help="how many (64)")
    parser.add_argument("--rows", type=int, default=1000, help="rows in each (1000)")
    parser.add_argument("--forks", type=int, default=4, help="how many at work together (4)")
    parser.add_argument("--results", type=Path, help="file for the figures as JSON")
    return parser.parse_args()


def main() -> int:
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="pgops-fleet-") as scratch,
        own_server(Path(scratch) / "server") as server,
    ):
        print(
            f"{options.databases} databases of {options.rows} rows; {os.cpu_count()} cores, load before"
            f" {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        found = []
        for batches, forks in (("1", 1), ("100%", options.forks)):
            folder = Path(scratch) / f"forks_{forks}"
            found.append(measure(server, folder, options.databases, options.rows, batches, forks))
            print(f"  {found[-1].how}: {found[-1].seconds:.1f} s", flush=True)
        print(as_table(found))
    if options.results:
        options.results.write_text(json.dumps([one._asdict() for one in found], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    # What a caller's shell may have set has each program that is started compile its own source again.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    sys.exit(main())
