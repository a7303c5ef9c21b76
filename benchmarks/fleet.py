#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure a deploy in many small databases of one server, together and one after the other, and one that fails.

``python benchmarks/fleet.py --databases 64 --forks 4`` starts a server of its own, deploys the same migration twice
over, each time in new databases, and prints both times, their ratio and what the controller takes of memory. Nothing in
it is a test of time. What else the machine does is in the figures: the load before and the number of cores are printed.

``--fails 17`` does something else: it plants rows that the migration fails on in the 17th database, deploys in batches
of a quarter, and looks into every database for what the deploy has left there. It ends with an error where a later
batch was touched, or the 17th is not as it was.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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

# One that rows can stand in the way of, and what tells whether a database has it, and whether it was looked at at all.
PICKY = {
    "migrations/020_short.sql": """-- Requires: 001
ALTER TABLE notes ADD CONSTRAINT short CHECK (length(body) < 100);
""",
    "rollback/020_short_rollback.sql": "ALTER TABLE notes DROP CONSTRAINT short;\n",
}
IN_ITS_WAY = "INSERT INTO notes (body) VALUES (repeat('x', 200))"
STANDS = """
    SELECT EXISTS (SELECT FROM pg_constraint WHERE conname = 'short'), to_regnamespace('runbook') IS NOT NULL"""

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


def fail(server: LocalServer, folder: Path, count: int, rows: int, forks: int, failing: int) -> list[str]:
    """One deploy in batches of a quarter that fails in one database; returns what became of the others.

    Args:
        failing: which one, from 1.

    Raises:
        SystemExit: a later batch was touched, or that database is not as it was.
    """
    size = max(1, count // 4)
    with _databases(server, count, rows) as names:
        with contextlib.closing(server.connect(names[failing - 1])) as one, one, one.cursor() as cursor:
            cursor.execute(IN_ITS_WAY)
        scripts = write_scripts(folder / "sql")
        for name, text in PICKY.items():
            (scripts / name).write_text(text, encoding="utf-8")
        application = Application(server, folder, scripts, names)
        run = application.deploy("020", "--forks", str(forks), fleet_batches=[size])
        (record,) = folder.glob("artifacts/*-fleet-*/fleet.json")
        entries = json.loads(record.read_text(encoding="utf-8"))["databases"]
        stands: list[Any] = []
        for name in names:
            with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
                cursor.execute(STANDS)
                stands += cursor.fetchall()
    wrong = wrong_in(entries, stands, failing)
    if run.status == 0 or wrong:
        raise SystemExit(f"A failure in the {failing}th did not stop there: {wrong}\n{run.output[-3000:]}")
    return by_batch(entries, stands)


def wrong_in(
    entries: Sequence[dict[str, Any]], stands: Sequence[tuple[bool, bool]], failing: int
) -> list[str]:
    """Names of the databases that are not as they have to be after a failure in one.

    Args:
        entries: databases of fleet.json.
        stands: of each whether it has the migration, and a ledger.
        failing: which one failed, from 1.
    """
    batch = entries[failing - 1]["batch"]
    wrong = []
    for number, (entry, (has_it, has_ledger)) in enumerate(zip(entries, stands, strict=True), 1):
        right = has_it == (entry["status"] == "deployed")
        if number == failing:
            right = right and entry["status"] in ("failed", "refused", "unchanged") and not has_it
        elif entry["batch"] < batch:
            right = right and has_it
        elif entry["batch"] > batch:
            right = right and entry["status"] == "untouched" and not has_ledger
        if not right:
            wrong.append(f"{entry['target']} ({entry['status']})")
    return wrong


def by_batch(entries: Sequence[dict[str, Any]], stands: Sequence[tuple[bool, bool]]) -> list[str]:
    """A line a batch: how many ended how, and how many have the migration."""
    lines = []
    for batch in sorted({one["batch"] for one in entries}):
        here = [(one, stand) for one, stand in zip(entries, stands, strict=True) if one["batch"] == batch]
        statuses = Counter(one["status"] for one, _ in here)
        said = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        lines.append(f"batch {batch}: {said}; {sum(has_it for _, (has_it, _) in here)} have the migration")
    return lines


def measure(server: LocalServer, folder: Path, count: int, rows: int, batches: str, forks: int) -> Found:
    """One deploy in new databases."""
    with _databases(server, count, rows) as names:
        application = Application(server, folder, write_scripts(folder / "sql"), names)
        before, started = os.times(), time.monotonic()
        # By the environment, so that it is a process of its own and not one that was forked from a larger one.
        process = application.start(
            *("deploy.yml", "-e", f"migration={MIGRATION}"),
            env={"ANSIBLE_FORKS": str(forks)},
            fleet_batches=batches,
        )
        memory = Memory(process.pid)
        memory.start()
        # Without the limit that tests have: beside other work 64 databases take their time.
        output, _ = process.communicate()
        seconds, after = time.monotonic() - started, os.times()
        memory.ended.set()
        memory.join()
    if process.returncode != 0:
        raise SystemExit(f"The deploy with batches {batches} and {forks} forks failed:\n{output}")
    used = sum(after[kind] - before[kind] for kind in (2, 3))
    return Found(f"{batches}, {forks} forks", seconds, used, memory.controller, memory.together)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", type=int, default=64, help="how many (64)")
    parser.add_argument("--rows", type=int, default=1000, help="rows in each (1000)")
    parser.add_argument("--forks", type=int, default=4, help="how many at work together (4)")
    parser.add_argument(
        "--fails", type=int, help="plant a failure in this one instead, and look what it leaves"
    )
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
        if options.fails:
            size, forks = (options.databases, options.rows), options.forks
            print("\n".join(fail(server, Path(scratch) / "fails", *size, forks, options.fails)))
            return 0
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
