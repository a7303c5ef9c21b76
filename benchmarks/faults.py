#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let everything go wrong that can, and see that every word is true afterwards, as one table: `make faults`.

Every choice made by chance follows from the seed, which is printed. What is judged: fault_stories/judge.py.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import queue
import secrets
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from benchmarks.fault_stories.commands import STARTS, count_statements, prepare  # noqa: E402 - as a script, the path has to be set first
from benchmarks.fault_stories.connection import cut_connections  # noqa: E402
from benchmarks.fault_stories.failover import failovers  # noqa: E402
from benchmarks.fault_stories.hostile import hostile_names, names_by_chance  # noqa: E402
from benchmarks.fault_stories.judge import Command, Verdict  # noqa: E402
from benchmarks.fault_stories.kills import Case, kills  # noqa: E402
from benchmarks.fault_stories.stage import Stage  # noqa: E402
from benchmarks.fault_stories.surroundings import surroundings  # noqa: E402
from benchmarks.measurement import columns  # noqa: E402
from demo.local_server import LocalServerError  # noqa: E402

__all__ = ["Row", "choose", "main", "play_all"]

# For a minute's look.
QUICK_CASES = 2


@dataclass
class Row:
    """One row of the table: a kind of fault, and what its cases have shown."""

    kind: str
    cases: int = 0
    not_reached: int = 0
    untrue: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def take(self, case: Case, verdict: Verdict | None) -> None:
        if verdict is None:
            self.not_reached += 1
            return
        self.cases += 1
        self.untrue += [f"{case.name}: {text}" for text in verdict.untrue]
        self.left += [f"{case.name}: {text}" for text in verdict.left]


@contextlib.contextmanager
def stages(folder: Path, wanted: int, sent: int) -> Iterator[list[tuple[Stage, dict[str, Command]]]]:
    """So many stages, prepared; they are removed however this ends.

    Args:
        sent: in how many of them steps are sent to a Python of their own, and not forked.
    """
    made: list[Stage] = []
    try:
        for number in range(wanted):
            made.append(Stage(folder / f"stage{number}", forks=number < wanted - sent))
        with concurrent.futures.ThreadPoolExecutor(wanted) as pool:
            yield list(zip(made, pool.map(prepare, made), strict=True))
    finally:
        for stage in made:
            stage.remove()


def play_all(
    cases: Sequence[Case],
    ready: Sequence[tuple[Stage, dict[str, Command]]],
    say: Callable[[str], None],
    rows: dict[str, Row] | None = None,
) -> list[Row]:
    """Play all cases on the stages that there are.

    Args:
        rows: filled while cases end, so that whoever interrupts has what was found until then.
    """
    rows = {} if rows is None else rows
    free: queue.Queue[tuple[Stage, dict[str, Command]]] = queue.Queue()
    for one in ready:
        free.put(one)
    rows.update({case.kind: Row(case.kind) for case in cases})

    def play(case: Case) -> tuple[Case, Verdict | None]:
        stage, commands = free.get()
        try:
            return case, case.play(stage, commands[case.command], lambda text: None)
        except Exception as error:
            traceback.print_exc()
            return case, Verdict([f"the case ended with an error: {error!r}"])
        finally:
            free.put((stage, commands))

    with concurrent.futures.ThreadPoolExecutor(len(ready)) as pool:
        for number, (case, verdict) in enumerate(pool.map(play, cases), start=1):
            rows[case.kind].take(case, verdict)
            say(_told(number, len(cases), case, verdict))
    return list(rows.values())


def _told(number: int, of: int, case: Case, verdict: Verdict | None) -> str:
    if verdict is None:
        return f"{number}/{of} {case.name}: not reached"
    found = [*verdict.untrue, *(f"left behind: {text}" for text in verdict.left)]
    return f"{number}/{of} {case.name}: {'; '.join(found) or 'true'}"


def table(rows: Sequence[Row]) -> str:
    """The table, and below it what was found."""
    shown = [(row.kind, str(row.cases), str(len(row.untrue)), str(len(row.left))) for row in rows]
    total = [str(sum(int(row[column]) for row in shown)) for column in (1, 2, 3)]
    lines = [columns(("what happens", "cases", "untrue words", "left-overs"), [*shown, ("all", *total)])]
    for row in rows:
        lines += [
            "",
            *([f"{row.kind}: {row.not_reached} cases whose moment never came"] * bool(row.not_reached)),
        ]
        lines += [*(f"  UNTRUE {text}" for text in row.untrue), *(f"  LEFT {text}" for text in row.left)]
    return "\n".join(lines)


def all_cases(stage: Stage, commands: dict[str, Command], names: Sequence[str], chance: Random) -> list[Case]:
    """Every case of these commands."""
    for name in names:
        if name not in stage.counts:
            stage.begin(STARTS[name])
            count_statements(stage, name, commands[name].arguments)
    counts = {name: stage.counts[name] for name in names}
    found = [
        *kills(counts, stage.seconds, chance),
        *surroundings(counts, chance),
        *failovers(counts, chance),
        *cut_connections(counts, chance),
    ]
    return [*found, *hostile_names()] if "deploy" in names else found


def choose(cases: list[Case], options: argparse.Namespace, chance: Random) -> list[Case]:
    """The cases that the command line asks for, in the order in which they are played."""
    chosen = [case for case in cases if all(word in f"{case.kind}: {case.name}" for word in options.only)]
    chance.shuffle(chosen)
    if not options.cases:
        return chosen[options.skip :]
    # Of as many kinds as there is room for.
    turns: dict[str, int] = {}
    by_turn = []
    for case in chosen:
        turns[case.kind] = turns.get(case.kind, 0) + 1
        by_turn.append((turns[case.kind], case))
    in_turn = [case for _, case in sorted(by_turn, key=lambda one: one[0])]
    return in_turn[options.skip : options.skip + options.cases]


def _sent(options: argparse.Namespace) -> int:
    return options.workers // 2 if options.sent is None else min(options.sent, options.workers)


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 0 when every word is true and nothing is left behind, 1 otherwise."""
    parser = argparse.ArgumentParser(description="See that after any fault every word is true.")
    parser.add_argument("--cases", type=int, default=0, help="how many of the cases (default: all)")
    parser.add_argument(
        "--names", type=int, default=0, help="so many hostile names by chance, and nothing else"
    )
    parser.add_argument(
        "--skip", type=int, default=0, help="leave out so many, which an earlier run has played"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CASES} cases")
    parser.add_argument("--seed", type=int, help="of an earlier run (default: a new one)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--sent",
        type=int,
        help="of these, to how many steps are sent, which takes twice as long (default: half)",
    )
    parser.add_argument(
        "--commands", nargs="+", choices=list(STARTS), default=list(STARTS), help="to which it happens"
    )
    parser.add_argument("--list", action="store_true", help="only say how many cases of which kind there are")
    parser.add_argument("--only", nargs="+", default=[], help="words that kind and name of a case must have")
    options = parser.parse_args(arguments)
    if options.workers < 1:
        parser.error("--workers must be at least 1")
    if options.quick:
        options.cases, options.commands = options.cases or QUICK_CASES, ["deploy"]
    seed = secrets.randbits(32) if options.seed is None else options.seed
    # Without a handler SIGTERM would leave the servers behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"Seed {seed}: python benchmarks/faults.py --seed {seed} repeats the same choices.", flush=True)
    chance = Random(seed)  # noqa: S311 - to be repeatable, not secret
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    found: dict[str, Row] = {}
    try:
        with stages(folder, options.workers, _sent(options)) as ready:
            cases = (
                names_by_chance(seed, options.names)
                if options.names
                else all_cases(*ready[0], options.commands, chance)
            )
            if options.list:
                kinds = [case.kind for case in cases]
                print(
                    "\n".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys([*kinds])), len(kinds)
                )
                return 0
            chosen = choose(cases, options, chance)
            rows = play_all(chosen, ready, lambda text: print(text, flush=True), found)
    except LocalServerError as error:
        print(f"faults: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{table(list(found.values()))}")
        print("faults: interrupted; the servers are removed", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table(rows)}")
    return 1 if any(row.untrue or row.left for row in rows) or not any(row.cases for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
