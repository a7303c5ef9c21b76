#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations of strangers, played through the chain: how often a good one is refused, and a careless one passes."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks.measurement import Measurement, table  # noqa: E402
from benchmarks.migration_stories.playing import Played, lacks, play  # noqa: E402
from benchmarks.migration_stories.story import DEPLOYED, REFUSED, Story, read_stories  # noqa: E402
from benchmarks.on_each_core import on_each_core  # noqa: E402
from benchmarks.strangers import guests  # noqa: E402
from demo.local_server import LocalServer, LocalServerError  # noqa: E402

__all__ = ["measure", "play_all"]

WANTED = 120  # at least so many


def play_all(server: LocalServer, stories: Sequence[Story], say: Callable[[str], None]) -> list[Played]:
    """Play stories, one after the other on each core; the roles that they name must be there."""
    played = []
    for one in on_each_core(server, _play, enumerate(stories, 1)):
        say(f"  {one.story.name}: {'; '.join(one.wrong) or 'right'}")
        played.append(one)
    return played


def _play(server: LocalServer, task: tuple[int, Story]) -> Played:
    number, story = task
    try:
        return play(server, story, number)
    except Exception as error:
        # Without the name nobody would know which.
        return Played(story, [f"it could not be played: {type(error).__name__}: {error}"])


def measure(
    played: Sequence[Played], left_out: Sequence[Story] = (), wanted: int = WANTED
) -> list[Measurement]:
    """Rows of the table: all verdicts, good migrations that were refused, careless ones that passed."""
    right = [one for one in played if not one.wrong]
    to_deploy = [one for one in played if one.story.verdict.kind != REFUSED]
    to_refuse = [one for one in played if one.story.verdict.kind != DEPLOYED]
    return [
        Measurement(
            "migrations of strangers with the right verdict",
            len(played),
            len(right),
            max(len(played), wanted),
            notes=[
                *(f"{one.story.name}: {'; '.join(one.wrong)}" for one in played if one.wrong),
                *(
                    f"{one.name} was left out: the server has no extension {one.extension}"
                    for one in left_out
                ),
            ],
        ),
        Measurement("good ones that are refused", len(to_deploy), sum(one.refused for one in to_deploy), 0),
        Measurement("careless ones that pass", len(to_refuse), sum(one.deployed for one in to_refuse), 0),
    ]


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when each verdict is right."""
    parser = argparse.ArgumentParser(description="Deploy the migrations of strangers, and take them back.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of stories (default: all)")
    options = parser.parse_args(arguments)
    stories = [one for one in read_stories() if not options.only or one.name in options.only]
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="strangers-server-") as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            left_out = [one for one in stories if lacks(one, server)]
            with guests(server):
                done = play_all(server, [one for one in stories if one not in left_out], _say)
        except LocalServerError as error:
            print(f"migrations of strangers: {error}", file=sys.stderr)
            return 1
        finally:
            server.remove()
    rows = measure(done, left_out, 0 if options.only else WANTED)
    print(f"\n{table(rows)}")
    return 0 if all(one.passed for one in rows if one.tried) else 1


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
