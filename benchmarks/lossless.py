#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure whether rollbacks and restores lose anything, on a server of its own, and print one table: `make lossless`.

Nothing in it is a test of time. Every choice made by chance follows from the seed, which is printed.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks import (  # noqa: E402 - as a script, the path has to be set first
    proof_of_file_renames,
    proof_of_library_rollback,
    proof_of_lossless_rollback,
    proof_of_merges,
    proof_of_restore_under_writes,
    proof_of_salvage_speed,
)
from benchmarks.measurement import table  # noqa: E402
from benchmarks.proof import Measure, run  # noqa: E402
from demo.local_server import LocalServerError  # noqa: E402

__all__ = ["MEASUREMENTS", "main"]

MEASUREMENTS: dict[str, Measure] = {
    "library": lambda server, sizes, chance, say: proof_of_library_rollback.measure(
        server, sizes.library, say
    ),
    "rollbacks": lambda server, sizes, chance, say: proof_of_lossless_rollback.measure(
        server, sizes.rollbacks, chance, say
    ),
    "merges": lambda server, sizes, chance, say: proof_of_merges.measure(server, sizes.stories, chance, say),
    "speed": lambda server, sizes, chance, say: proof_of_salvage_speed.measure(server, sizes.rows, say),
    "renames": lambda server, sizes, chance, say: proof_of_file_renames.measure(
        server, sizes.renames, chance, say
    ),
    "restores": lambda server, sizes, chance, say: proof_of_restore_under_writes.measure(
        server, sizes.restores, chance, say
    ),
}
SIZES = {
    "library": (2000, "files of the library that is taken back and deployed again"),
    "rollbacks": (200, "random migrations"),
    "stories": (1000, "stories of writes on both sides of a rollback, against the merge rule"),
    "rows": (200_000, "rows kept and put back, against the time of copying them"),
    "renames": (200, "kills of the renaming of files"),
    "restores": (10, "restores while an application writes"),
}


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when every bar is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description="Measure whether rollbacks and restores lose anything.")
    for name, (size, what) in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"{what} (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--seed", type=int, help="of an earlier run (default: a new one)")
    parser.add_argument(
        "--only", nargs="+", choices=list(MEASUREMENTS), default=list(MEASUREMENTS), help="measurements to do"
    )
    options = parser.parse_args(arguments)
    if min(getattr(options, name) for name in SIZES) < 1:
        parser.error("numbers must be at least 1")
    if options.quick:
        for name in SIZES:
            setattr(options, name, max(1, getattr(options, name) // 10))
    seed = secrets.randbits(32) if options.seed is None else options.seed
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Seed {seed}: python benchmarks/lossless.py --seed {seed} repeats the same choices.", flush=True)
    try:
        done = run(options, seed, options.only, MEASUREMENTS)
    except LocalServerError as error:
        print(f"lossless: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lossless: interrupted; the server is removed", file=sys.stderr)
        return 130
    print(f"\n{table(done)}")
    return 0 if all(one.passed for one in done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
