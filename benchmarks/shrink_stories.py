#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leave one thing out of the merge, and let hypothesis find the smallest story that then goes wrong.

What it prints stands in merge_stories/shrunk.py as an ordinary test: a story that no author thought of.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[:0] = [str(PROJECT), str(PROJECT / "collections")]

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping import (  # noqa: E402 - the path comes first
    base,
    keeper,
    notes,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning import (  # noqa: E402
    decision,
    returner,
    waiting,
)
from hypothesis import HealthCheck, Phase, find, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.errors import NoSuchExample  # noqa: E402

from benchmarks.merge_stories.databases import Databases  # noqa: E402
from benchmarks.merge_stories.examples import Example, kept, play  # noqa: E402
from benchmarks.merge_stories.kinds import KINDS  # noqa: E402
from benchmarks.merge_stories.stories import MakeMigration, Outcome, Story  # noqa: E402
from demo.local_server import LocalServer  # noqa: E402
from tests.integration.salvage.deployment import Deployment  # noqa: E402

__all__ = ["WEAKENED", "main", "smallest"]


WORD = re.compile(r"Q[A-Za-z0-9]{7}z")  # as values.py makes them up

NOTHING = "SELECT 1"


class Weakened(NamedTuple):
    """Something left out of the merge: ``name`` in ``owner`` does ``instead``."""

    owner: Any
    name: str
    instead: Callable[..., Any]


def _nothing(*_: object, **__: object) -> None:
    return None


WEAKENED = {
    "strangers": Weakened(waiting.WaitingRows, "_doubt_strangers", _nothing),
    "numbers": Weakened(waiting.WaitingRows, "_doubt_numbers", _nothing),
    "another": Weakened(waiting.WaitingRows, "_say_another", _nothing),
    "renumbered": Weakened(waiting.WaitingRows, "_find_renumbered", _nothing),
    "references": Weakened(waiting.WaitingRows, "_follow_references", _nothing),
    "parents": Weakened(returner, "follow_parents", _nothing),
    "doubted parents": Weakened(returner, "doubt_parents", _nothing),
    "held-back parents": Weakened(returner, "hold_back_with_parents", _nothing),
    "deletions": Weakened(returner, "hold_back_referred", _nothing),
    "moved rows": Weakened(returner, "hold_back_moved", _nothing),
    "gone rows": Weakened(decision, "_decide_on_gone", _nothing),
    "defaults": Weakened(decision, "_decide_on_defaults", _nothing),
    "changed deletions": Weakened(decision, "_decide_on_deleted", _nothing),
    "settling": Weakened(base, "settled_identity", lambda cursor, image, *_: image.identity),
    "records": Weakened(base.Difference, "forget_records", _nothing),
    "context": Weakened(base.Difference, "add_context", _nothing),
    "compared parents": Weakened(base.Difference, "compare_parents", _nothing),
    "names": Weakened(base.Difference, "_names", lambda rows: []),
    "content": Weakened(base.Difference, "_pair_by_content", _nothing),
    "written": Weakened(notes, "_add_written", _nothing),
    "noted parents": Weakened(notes, "_note_parents", _nothing),
    "made": Weakened(keeper.SalvageKeeper, "_note_made", _nothing),
}


def smallest(
    databases: Databases, weakened: Weakened, kinds: Sequence[MakeMigration], stories: int
) -> Outcome | None:
    """The smallest story of one rollback that ends wrong with something left out; None if none is found.

    Args:
        kinds: of migrations.
        stories: how many to try before the search is given up.
    """
    last: list[Outcome] = []

    def goes_wrong(made: tuple[Any, Any]) -> bool:
        make, chance = made
        beginning = chance.getstate()
        with mock.patch.object(*weakened):
            outcome = Story(databases.fresh(0), make, chance).tell()
        if not outcome.findings or outcome.cycles != 1:
            return False
        # Words that are made up need not differ from each other here: then nobody could tell what is right.
        chance.setstate(beginning)
        if Story(databases.fresh(0), make, chance).tell().findings:
            return False
        last[:] = [outcome]
        return True

    with contextlib.suppress(NoSuchExample):
        find(
            st.tuples(st.sampled_from(list(kinds)), st.randoms(use_true_random=False)),
            goes_wrong,
            settings=settings(
                max_examples=stories,
                deadline=None,
                database=None,
                derandomize=True,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    return last[0] if last else None


def as_example(databases: Databases, outcome: Outcome, name: str) -> Example:
    """The story with short words, and with what the whole merge makes of it as what is expected."""
    parts: dict[str, list[str]] = {}
    for step in outcome.steps:
        if step.startswith("-- "):
            part = parts.setdefault(step[3:], [])
        else:
            part.append(step)
    words: dict[str, str] = {}
    texts = {
        of: WORD.sub(lambda word: words.setdefault(word[0], f"w{len(words) + 1}"), "\n".join(lines))
        for of, lines in parts.items()
    }
    example = Example(
        name,
        before=texts["before"],
        apply=texts["apply"],
        rollback=texts["rollback"],
        on_new=texts.get("on the new schema") or NOTHING,
        on_old=texts.get("on the old schema") or NOTHING,
        expected={},
        waits=None,
        edited="" if texts.get("apply again") in (None, texts["apply"]) else texts["apply again"],
    )
    return played(databases, example)


def played(databases: Databases, example: Example) -> Example:
    """With the rows that there are after it, of columns that are the same each time, and with the words that wait."""
    seen = []
    for _ in range(2):
        deployment = Deployment(databases.fresh(0).ours, example.apply, example.rollback)
        play(deployment, example)
        tables = deployment.ask(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        seen.append(
            {
                (table, column): deployment.ask(
                    f'SELECT "{column}"::text FROM "{table}" AS t ORDER BY mark, t'
                )
                for (table,) in tables
                for (column,) in deployment.ask(
                    f"SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"
                    " AND NOT attisdropped ORDER BY attnum"
                )
            }
        )
    same: dict[str, list[str]] = {}
    for (table, column), values in seen[0].items():
        if seen[1].get((table, column)) == values:
            same.setdefault(table, []).append(column)
    queries = [
        f"SELECT {', '.join(f'{column}::text' for column in columns)} FROM {table} AS t ORDER BY mark, t"
        for table, columns in same.items()
    ]
    expected = {query: deployment.ask(query) for query in queries}
    left = " ".join(kept(deployment))
    there = {str(value) for rows in expected.values() for row in rows for value in row}
    waits = sorted({word for word in re.findall(r"\bw\d+\b", left) if word not in there})
    return replace(example, expected=expected, waits=waits or (None if left else ()))


@contextlib.contextmanager
def _databases() -> Iterator[Databases]:
    with tempfile.TemporaryDirectory() as folder:
        server = LocalServer(Path(folder), fsync=False)
        try:
            server.start()
            with Databases(server) as databases:
                yield databases
        finally:
            server.remove()


def main(arguments: list[str]) -> int:
    """Run the command line; exit status 1 when what was left out is missed by no story."""
    parser = argparse.ArgumentParser(
        description="Find the smallest story that goes wrong when something is left out."
    )
    parser.add_argument("what", nargs="*", help=f"of {', '.join(WEAKENED)} (default: each)")
    parser.add_argument(
        "--kinds", nargs="+", choices=[one.__name__ for one in KINDS], help="of migrations (default: all)"
    )
    parser.add_argument(
        "--stories", type=int, default=500, help="to try before giving up (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    unknown = [one for one in options.what if one not in WEAKENED]
    if unknown or options.stories < 1:
        parser.error(f"unknown: {', '.join(unknown)}" if unknown else "--stories must be at least 1")
    # Without a handler SIGTERM would leave the server behind; now it acts like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kinds = [one for one in KINDS if not options.kinds or one.__name__ in options.kinds]
    missed = False
    with _databases() as databases:
        for what in options.what or WEAKENED:
            outcome = smallest(databases, WEAKENED[what], kinds, options.stories)
            missed = missed or outcome is None
            if outcome is None:
                print(f"# {what}: no story goes wrong", flush=True)
                continue
            ((finding, sentence), *_) = outcome.findings
            print(f"# {what} left out, {outcome.kind}: {finding}: {sentence}")
            print(f"{as_example(databases, outcome, f'{outcome.kind}: {what}')},", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
