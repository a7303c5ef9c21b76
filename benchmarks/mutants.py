#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the code wrong in one place after the other and see whether a test of its room fails: `make mutants`.

It works on copies of the checkout, never in it. The same tests are run on the unchanged code first: tests that fail
anyway would find everything.
"""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks.measurement import columns  # noqa: E402 - as a script, the path has to be set first
from benchmarks.mutation import ROOMS, Mutation, StaleMutation, mutated, read_mutations  # noqa: E402
from benchmarks.trees import Trees, Verdict  # noqa: E402

__all__ = ["Tried", "main", "report", "try_all"]

HEADINGS = ("room", "tried", "killed", "listed", "survived")
QUICK = 10


@dataclass(frozen=True)
class Tried:
    """One mutation and what its tests said."""

    mutation: Mutation
    verdict: Verdict

    @property
    def outcome(self) -> str:
        """ "killed"; "listed": survived as its entry says; "survived"; "wrong": neither, or its entry is."""
        if self.verdict.status == "passed":
            return "listed" if self.mutation.survives else "survived"
        return "killed" if self.verdict.status == "failed" and not self.mutation.survives else "wrong"

    def line(self) -> str:
        """For the person who waits."""
        what = f"{self.mutation.room}: {self.mutation.means}"
        if self.outcome == "killed":
            return f"killed    {what}: {self.verdict.first} ({self.verdict.seconds:.0f} s)"
        if self.outcome == "wrong":
            listed = " though its entry says that it survives" if self.verdict.status == "failed" else ""
            return f"WRONG     {what}: {self.verdict.status}{listed}: {self.verdict.first}"
        return f"{self.outcome:<9} {what}" + (f": {self.mutation.survives}" if self.mutation.survives else "")


def try_all(
    mutations: Sequence[Mutation], trees: Trees, jobs: int, say: Callable[[str], None]
) -> tuple[list[Tried], list[str]]:
    """Run the tests of each mutation with it, room by room, after the unchanged code has passed them.

    Returns:
        what was tried, and sentences on rooms whose tests do not pass on the unchanged code (nothing was tried there).
    """
    with ThreadPoolExecutor(jobs) as pool:
        try:
            places = _places(mutations)
            unchanged = dict(_in_order(pool, lambda room: (room, trees.run(places[room])), places))
            failing = [
                f"Tests of {room} do not pass on the unchanged code: {verdict.status} {verdict.first}"
                for room, verdict in unchanged.items()
                if verdict.status != "passed"
            ]
            sound = [one for one in mutations if unchanged[one.room].status == "passed"]
            for sentence in failing:
                say(sentence)
            done = []
            for one in _in_order(pool, lambda mutation: _try(mutation, trees), sound):
                say(one.line())
                done.append(one)
            return done, failing
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            trees.stop()
            raise


def _in_order(pool: ThreadPoolExecutor, work: Callable, items: Iterable) -> Iterable:
    for future in [pool.submit(work, item) for item in items]:
        yield future.result()


def _places(mutations: Iterable[Mutation]) -> dict[str, list[str]]:
    """Room -> every place of tests, once."""
    places: dict[str, dict[str, None]] = {}
    for mutation in mutations:
        places.setdefault(mutation.room, {}).update(dict.fromkeys(mutation.tests))
    return {room: list(found) for room, found in places.items()}


def _try(mutation: Mutation, trees: Trees) -> Tried:
    # Of the copy: the checkout may be edited meanwhile.
    return Tried(mutation, trees.run(mutation.tests, {mutation.path: mutated(mutation, trees.original)}))


def report(tried: Sequence[Tried]) -> str:
    """The table, and below it everything that was not killed, by name."""
    counts = Counter((one.mutation.room, one.outcome) for one in tried)
    rooms = dict.fromkeys(one.mutation.room for one in tried)
    rows = [
        _row(room, [counts[room, outcome] for outcome in ("killed", "listed", "survived", "wrong")])
        for room in rooms
    ]
    total = Counter(one.outcome for one in tried)
    rows.append(_row("all", [total[outcome] for outcome in ("killed", "listed", "survived", "wrong")]))
    named = [one.line() for one in tried if one.outcome != "killed"]
    return "\n".join([columns(HEADINGS, rows), *(["", *named] if named else [])])


def _row(name: str, counts: Sequence[int]) -> tuple[str, ...]:
    killed, listed, survived, wrong = counts
    return (name, str(sum(counts)), str(killed), str(listed), str(survived + wrong))


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when every mutation was killed, or survived as its entry says."""
    parser = argparse.ArgumentParser(description="See whether the tests notice wrong code.")
    parser.add_argument("--room", action="append", choices=ROOMS, help="only this room (may be given again)")
    parser.add_argument(
        "--means", action="append", help="only what means this, in its words (may be given again)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="tests at the same time (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} of the mutations, chosen by the seed")
    parser.add_argument("--seed", type=int, help="of an earlier run (default: a new one)")
    options = parser.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    mutations = read_mutations(rooms=[room for room in ROOMS if room in (options.room or ROOMS)])
    if options.means:
        mutations = [one for one in mutations if any(words in one.means for words in options.means)]
    if options.quick:
        chosen = Random(seed).sample(range(len(mutations)), min(QUICK, len(mutations)))  # noqa: S311 - repeatable
        mutations = [mutations[number] for number in sorted(chosen)]
        print(f"Seed {seed}: python benchmarks/mutants.py --quick --seed {seed} repeats the same choices.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for mutation in mutations:
            mutated(mutation)  # a stale one is said now, not after an hour
        with Trees(PROJECT, options.jobs) as trees:
            tried, failing = try_all(mutations, trees, options.jobs, lambda text: print(text, flush=True))
    except StaleMutation as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mutants: interrupted; the copies and their servers are removed", file=sys.stderr)
        return 130
    print("\n".join(["", report(tried), *failing]))
    return 0 if tried and not failing and all(one.outcome in ("killed", "listed") for one in tried) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
