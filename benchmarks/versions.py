#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Try what the runbook promises on each release of PostgreSQL that it supports, and print one table: `make versions`.

On a server of each release, which is removed at the end: the main chain by a superuser and by the deploy role, random
migrations under users' rows, and backups of the schemas of strangers. Every choice made by chance follows from the
seed, which is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import secrets
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks import proof_of_lossless_rollback, strangers  # noqa: E402 - the path has to be set first
from benchmarks.measurement import Measurement, table  # noqa: E402
from benchmarks.releases.chain import ROLES, ShopChain  # noqa: E402
from benchmarks.releases.programs import SUPPORTED, ReleaseMissing, programs_of  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402

__all__ = ["main", "try_release"]

MIGRATIONS, QUICK_MIGRATIONS = 20, 10  # random ones of each release
QUICKLY = 10  # of the schemas QUICK=1 leaves out nine of ten

# What is tried on a server; each gives rows of the table whose names go behind the release's.
Trial = Callable[[LocalServer, Path], list[Measurement]]


def trials(quick: bool, seed: int, release: int) -> dict[str, Trial]:
    """All that is tried on a server of one release."""
    schemas = strangers.read_strangers()[:: QUICKLY if quick else 1]
    wanted = QUICK_MIGRATIONS if quick else MIGRATIONS
    chance = Random(f"{seed} {release}")  # noqa: S311 - to be repeatable, not secret
    return {
        "the main chain by a superuser": lambda server, folder: [_chain(server, folder / "super", True)],
        "the main chain by the deploy role": lambda server, folder: [_chain(server, folder / "role", False)],
        "random migrations": lambda server, folder: [
            proof_of_lossless_rollback.measure(server, wanted, chance, _say)
        ],
        "backups of strangers' schemas": lambda server, folder: strangers.measure(server, schemas),
    }


def _chain(server: LocalServer, folder: Path, by_superuser: bool) -> Measurement:
    who = "a superuser" if by_superuser else "the deploy role"
    return ShopChain(server, folder, by_superuser).measure(f"commands of the main chain by {who}")


def try_release(release: int, tried: dict[str, Trial]) -> list[Measurement]:
    """Rows of the table for one release; one that fails where there is no server of it."""
    name = f"PostgreSQL {release}"
    print(f"{name} ...", flush=True)
    done: list[Measurement] = []
    try:
        with _server(programs_of(release)) as (server, folder):
            for what, trial in tried.items():
                _say(what)
                done += _rows_of(what, trial, server, folder)
    except (ReleaseMissing, LocalServerError) as error:
        done.append(Measurement("is not tried", 0, 0, 0, notes=[str(error)]))
    return [dataclasses.replace(one, what=f"{name}: {one.what}") for one in done]


@contextlib.contextmanager
def _server(programs: Path | None) -> Iterator[tuple[LocalServer, Path]]:
    with tempfile.TemporaryDirectory(prefix="versions-") as folder:
        server = LocalServer(Path(folder, "server"), fsync=False, programs=programs, roles=ROLES)
        try:
            server.start()
            yield server, Path(folder)
        finally:
            server.remove()


def _rows_of(what: str, trial: Trial, server: LocalServer, folder: Path) -> list[Measurement]:
    """Whatever a trial ends with, the others are tried."""
    try:
        return trial(server, folder)
    except Exception as error:
        traceback.print_exc()
        return [Measurement(what, 0, 0, 0, notes=[f"ended with an error: {error}"])]


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when everything was tried on every release and was right."""
    parser = argparse.ArgumentParser(description="Try the runbook on each supported release of PostgreSQL.")
    parser.add_argument(
        "--only", nargs="+", type=int, choices=SUPPORTED, default=SUPPORTED, help="releases (default: all)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the schemas, and half the random migrations"
    )
    parser.add_argument("--seed", type=int, help="of an earlier run (default: a new one)")
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Seed {seed}: python benchmarks/versions.py --seed {seed} repeats the same choices.", flush=True)
    done: list[Measurement] = []
    try:
        for release in options.only:
            done += try_release(release, trials(options.quick, seed, release))
    except KeyboardInterrupt:
        print("versions: interrupted; the server is removed", file=sys.stderr)
        return 130
    print(f"\n{table(done)}")
    return 0 if all(one.passed for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
