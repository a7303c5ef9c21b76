#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure how far the runbook's proofs hold, on a server of its own, and print one table: `make proof`.

Nothing in it is a test of time. Every choice made by chance follows from the seed, which is printed.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import ModuleType

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks import (  # noqa: E402 - as a script, the path has to be set first
    proof_of_backup_under_load,
    proof_of_damage_detection,
    proof_of_data_fingerprint,
    proof_of_rollback_mutations,
    proof_of_rollback_safeguards,
    proof_of_schema_fingerprint,
    proof_of_verify_scripts,
)
from benchmarks.measurement import Measurement, table  # noqa: E402
from benchmarks.rollback_faults import LibraryUnderTest  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402

__all__ = ["main", "run"]

# Rows of the table: what is counted apart has its own.
Rows = Measurement | list[Measurement]
Measure = Callable[[LocalServer, argparse.Namespace, Random, Callable[[str], None]], Rows]


def _of_library(module: ModuleType) -> Measure:
    def measure(
        server: LocalServer, sizes: argparse.Namespace, chance: Random, say: Callable[[str], None]
    ) -> Rows:
        library = LibraryUnderTest(server)
        try:
            return module.measure(library, sizes.faults, chance, say)
        finally:
            library.databases.drop_all()

    return measure


MEASUREMENTS: dict[str, Measure] = {
    "pairs": lambda server, sizes, chance, say: proof_of_schema_fingerprint.measure(
        server, sizes.pairs, chance, say
    ),
    "changes": lambda server, sizes, chance, say: proof_of_data_fingerprint.measure(
        server, sizes.changes, chance, say
    ),
    "bits": lambda server, sizes, chance, say: proof_of_damage_detection.measure(
        server, sizes.bits, chance, say
    ),
    "backups": lambda server, sizes, chance, say: proof_of_backup_under_load.measure(
        server, sizes.backups, chance, say
    ),
    "faults": _of_library(proof_of_rollback_mutations),
    "safeguards": _of_library(proof_of_rollback_safeguards),
    "verify": _of_library(proof_of_verify_scripts),
}


def run(
    sizes: argparse.Namespace,
    seed: int,
    names: Sequence[str],
    measurements: dict[str, Measure] = MEASUREMENTS,
) -> list[Measurement]:
    """Start a server, measure, remove the server, however this ends.

    Raises:
        LocalServerError: the server cannot be started.
    """
    done: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        server = LocalServer(folder, fsync=False)
        try:
            server.start()
            for name in names:
                print(f"{name} ...", flush=True)
                # From the name too: each can be repeated without the others.
                chance = Random(f"{seed} {name}")  # noqa: S311 - to be repeatable, not secret
                try:
                    rows = measurements[name](server, sizes, chance, _say)
                    done += [rows] if isinstance(rows, Measurement) else rows
                except Exception as error:
                    traceback.print_exc()
                    done.append(Measurement(name, 0, 0, 0, notes=[f"ended with an error: {error}"]))
        finally:
            server.remove()
    return done


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when nothing misses a bar but what is known to, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Measure how far the runbook's proofs hold.")
    parser.add_argument("--pairs", type=int, default=300, help="pairs of schemas (default: %(default)s)")
    parser.add_argument("--changes", type=int, default=1000, help="changed values (default: %(default)s)")
    parser.add_argument("--bits", type=int, default=500, help="flipped bits (default: %(default)s)")
    parser.add_argument("--backups", type=int, default=20, help="backups under load (default: %(default)s)")
    parser.add_argument(
        "--faults", type=float, default=1.0, help="share of the faults to plant (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--seed", type=int, help="of an earlier run (default: a new one)")
    parser.add_argument(
        "--only", nargs="+", choices=list(MEASUREMENTS), default=list(MEASUREMENTS), help="measurements to do"
    )
    options = parser.parse_args(arguments)
    if min(options.pairs, options.changes, options.bits, options.backups) < 1 or not 0 < options.faults <= 1:
        parser.error("numbers must be at least 1, and --faults above 0 and up to 1")
    if options.quick:
        for name in ("pairs", "changes", "bits", "backups"):
            setattr(options, name, max(1, getattr(options, name) // 10))
        options.faults /= 10
    seed = secrets.randbits(32) if options.seed is None else options.seed
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Seed {seed}: python benchmarks/proof.py --seed {seed} repeats the same choices.", flush=True)
    try:
        done = run(options, seed, options.only)
    except LocalServerError as error:
        print(f"proof: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("proof: interrupted; the server is removed", file=sys.stderr)
        return 130
    print(f"\n{table(done)}")
    return 0 if all(one.as_known for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
