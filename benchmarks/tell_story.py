#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell one story of `make lossless` again, as statements: the command that the table names for it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks.merge_stories.databases import LEVELS, Databases  # noqa: E402 - the path has to be set first
from benchmarks.merge_stories.kinds import KINDS  # noqa: E402
from benchmarks.proof_of_merges import story_as_text, tell  # noqa: E402
from demo.local_server import LocalServer  # noqa: E402

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when the story ends well, 1 otherwise."""
    names = {one.__name__: one for one in KINDS}
    parser = argparse.ArgumentParser(description="Tell one story of a rollback and the next deploy.")
    parser.add_argument("kind", choices=list(names), help="of migration")
    parser.add_argument("seed", type=int, help="of the story; with --many, of the first")
    parser.add_argument(
        "--level", type=int, choices=range(len(LEVELS)), default=0, help=f"0: {LEVELS[0]}, 1: {LEVELS[1]}"
    )
    parser.add_argument("--many", type=int, default=1, help="how many at most, until one goes wrong")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="story-") as folder:
        server = LocalServer(folder, fsync=False)
        try:
            server.start()
            with Databases(server) as databases:
                for seed in range(options.seed, options.seed + options.many):
                    outcome = tell(databases, names[options.kind], seed, options.level)
                    if outcome.findings:
                        break
        finally:
            server.remove()
    print(f"-- {options.kind}, seed {seed}", *story_as_text(outcome), sep="\n")
    print(
        f"-- {outcome.returned} of {outcome.due} that had nothing in their way are back",
        *outcome.not_back,
        sep="\n--   ",
    )
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
