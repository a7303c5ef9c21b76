#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure what the runbook takes, beside what bare client programs take for the same work: `make bench`.

It asserts nothing about time: figures, ratios and targets are printed, and the exit status is 0 whether a target is met
or not. What else the machine does is in the figures; the load before is printed and written down.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

import psycopg2  # noqa: E402 - as a script, the path has to be set first

from benchmarks.speed.bench import Bench, Sizes  # noqa: E402
from benchmarks.speed.library import library  # noqa: E402
from benchmarks.speed.machine import machine  # noqa: E402
from benchmarks.speed.of_commands import commands, waits  # noqa: E402
from benchmarks.speed.of_fingerprint import fingerprint  # noqa: E402
from benchmarks.speed.of_migrations import migrations  # noqa: E402
from benchmarks.speed.of_tables import tables  # noqa: E402
from benchmarks.speed.plot import plot_of_figures, plot_of_ratios  # noqa: E402
from benchmarks.speed.rows import comparisons  # noqa: E402
from benchmarks.speed.table import markdown, on_screen  # noqa: E402
from demo.load_library import LoadError  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402

__all__ = ["MEASUREMENTS", "main"]

MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    "commands": commands,
    "waits": waits,
    "tables": tables,
    "fingerprint": fingerprint,
    "migrations": migrations,
}
FILES, TABLES, TURNS = 10_000, 800, 5
QUICK = Sizes(300, 20, 1)


def measure(
    sizes: Sizes, seed: int, names: Sequence[str], measurements: dict[str, Callable[[Bench], None]]
) -> tuple[Bench, list[str]]:
    """Start a server, measure, remove the server, however this ends.

    Returns:
        what was found, and the names of those that ended with an error.

    Raises:
        LocalServerError, LoadError: the server cannot be started, or the library not be loaded.
    """
    failed = []
    with tempfile.TemporaryDirectory(prefix="pgops-bench-") as folder:
        server = LocalServer(Path(folder) / "server")
        bench = Bench(server, Path(folder), sizes, Random(seed), _say)  # noqa: S311 - to be repeatable, not secret
        try:
            server.start()
            with contextlib.closing(server.connect()) as connection:
                bench.release = connection.info.parameter_status("server_version") or ""
            with library(bench, sizes.files):
                for name in names:
                    print(f"{name} ...", flush=True)
                    started = time.monotonic()
                    try:
                        measurements[name](bench)
                    except Exception as error:  # what others have found stays worth having
                        if isinstance(error, RuntimeError):
                            print(f"  {error}", file=sys.stderr)  # a program has said why
                        else:
                            traceback.print_exc()
                        failed.append(name)
                    _say(f"{time.monotonic() - started:.0f} s")
        finally:
            server.remove()
    return bench, failed


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def write(folder: Path, bench: Bench, about: dict[str, object]) -> None:
    """results.json, table.md and the plots, over those of an earlier run."""
    found = comparisons(bench.samples)
    results = {
        **about,
        "samples": bench.samples,
        "rows": [
            {
                "what": one.what,
                "beside": one.beside,
                "unit": "seconds" if one.unit == "s" else "bytes",
                "ratio": one.ratio,
                "target": one.target.in_words(one.unit) if one.target else None,
                "met": one.met,
            }
            for one in found
        ],
    }
    title = f"make bench: {bench.sizes.files:,} files, medians of {bench.sizes.turns}"
    for name, text in {
        "results.json": json.dumps(results, indent=1) + "\n",
        "table.md": markdown(found),
        "figures.svg": plot_of_figures(found, title),
        "ratios.svg": plot_of_ratios(found, title),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Measure what the runbook takes, beside what bare client programs take for the same work."
    )
    parser.add_argument("--files", type=int, default=FILES, help="of the library (default: %(default)s)")
    parser.add_argument(
        "--tables", type=int, default=TABLES, help="of the schema that gets a column (default: %(default)s)"
    )
    parser.add_argument("--turns", type=int, default=TURNS, help="of each measurement (default: %(default)s)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK.files} files, {QUICK.tables} tables, one turn: whether it works; its figures say nothing",
    )
    parser.add_argument("--seed", type=int, help="of an earlier run: who begins (default: a new one)")
    parser.add_argument(
        "--only", nargs="+", choices=list(MEASUREMENTS), default=list(MEASUREMENTS), help="measurements to do"
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=PROJECT / "bench",
        help="folder for table, plots and results.json (bench)",
    )
    options = parser.parse_args(arguments)
    if min(options.files, options.tables, options.turns) < 1:
        parser.error("numbers must be at least 1")
    try:
        options.into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--into: {error.strerror}: {options.into}")
    return options


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 1 when a measurement ended with an error, 0 otherwise."""
    options = _options(arguments)
    sizes = QUICK if options.quick else Sizes(options.files, options.tables, options.turns)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    about = {**machine(), "seed": seed, **sizes._asdict()}
    print(
        f"{sizes.files:,} files, {sizes.tables:,} tables, {sizes.turns} turns, seed {seed}; {about['cores']} cores,"
        f" {about['memory']}, {about['system']}; load before {about['load_before']}",
        flush=True,
    )
    started = time.monotonic()
    try:
        bench, failed = measure(sizes, seed, options.only, MEASUREMENTS)
    except (LocalServerError, LoadError, psycopg2.Error) as error:
        print(f"bench: {str(error).strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the server is removed, and nothing is written", file=sys.stderr)
        return 130
    about |= {
        "postgresql": bench.release,
        "seconds": round(time.monotonic() - started),
        "load_after": round(os.getloadavg()[0], 2),
    }
    print(f"\n{on_screen(comparisons(bench.samples))}\n")
    write(options.into, bench, about)
    print(f"{about['seconds']} s, load after {about['load_after']}; table and plots: {options.into}")
    if failed:
        print(f"bench: ended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
