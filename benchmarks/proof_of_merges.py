# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stories of users who write before and after a rollback: is each value where the merge rule says?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from benchmarks.measurement import Measurement
from benchmarks.merge_stories.databases import LEVELS, Databases
from benchmarks.merge_stories.examples import EXAMPLES, play
from benchmarks.merge_stories.judge import (
    DOUBLED,
    LOST,
    MISPLACED,
    OVERWRITTEN,
    REFUSED,
    RISEN,
    UNLIKE_THE_SCRIPT,
)
from benchmarks.merge_stories.kinds import KINDS
from benchmarks.merge_stories.shrunk import SHRUNK
from benchmarks.merge_stories.stories import MakeMigration, Outcome, Story
from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment

__all__ = ["measure", "measure_stories", "story_as_text", "tell"]

STORIES = (*EXAMPLES, *SHRUNK)
NEVER = (LOST, OVERWRITTEN, RISEN, DOUBLED, MISPLACED, REFUSED, UNLIKE_THE_SCRIPT)
TOLD = 95  # percent that must not end early
SHARE = 99  # percent that must be back by itself of what has nothing in its way


def tell(
    databases: Databases,
    make: MakeMigration,
    seed: int,
    level: int,
    deployment: type[Deployment] = Deployment,
) -> Outcome:
    """The one story of this seed."""
    chance = Random(f"{make.__name__} {seed}")  # noqa: S311 - to be repeatable, not secret
    return Story(databases.fresh(level), make, chance, deployment).tell()


def measure(
    server: LocalServer,
    wanted: int,
    chance: Random,
    say: Callable[[str], None],
) -> list[Measurement]:
    """Play the small stories, then tell others by chance; one row of the table for each thing.

    Args:
        server: LocalServer.
        wanted: how many by chance.
    """
    with Databases(server) as databases:
        return [_row_of_examples(databases), *measure_stories(databases, wanted, chance, say)]


def measure_stories(
    databases: Databases,
    wanted: int,
    chance: Random,
    say: Callable[[str], None],
    deployment: type[Deployment] = Deployment,
    kinds: Sequence[MakeMigration] = KINDS,
) -> list[Measurement]:
    """Tell stories of each kind in turn; one row of the table for each kind, and one for each thing that must not be.

    Args:
        databases: in which they happen.
        wanted: how many.
        deployment: what deploys and rolls back.
        kinds: of migrations.
    """
    of_kind: dict[str, list[tuple[str, Outcome]]] = {}
    for number in range(wanted):
        make = kinds[number % len(kinds)]
        level, seed = number // len(kinds) % 2, chance.getrandbits(32)
        outcome = tell(databases, make, seed, level, deployment)
        name = f"python benchmarks/tell_story.py {make.__name__} {seed} --level {level}"
        of_kind.setdefault(outcome.kind, []).append((name, outcome))
        if (number + 1) % 100 == 0:
            say(f"{number + 1} stories")
    rows = [_row_of_kind(kind, told) for kind, told in of_kind.items()]
    return [*rows, *_rows_of_all([one for told in of_kind.values() for _, one in told])]


def _row_of_examples(databases: Databases) -> Measurement:
    notes = []
    for one in STORIES:
        ours = databases.fresh(0).ours
        try:
            wrong = play(Deployment(ours, one.apply, one.rollback), one)
        except Exception as error:
            ours.rollback()
            wrong = [f"{type(error).__name__}: {str(error).strip()}"]
        if wrong:
            notes.append(f"{one.name}: {'; '.join(wrong)}")
    return Measurement(
        "small stories of one thing each",
        len(STORIES),
        len(STORIES) - len(notes),
        len(STORIES),
        notes=notes,
    )


def _row_of_kind(kind: str, told: list[tuple[str, Outcome]]) -> Measurement:
    wrong = [(name, outcome) for name, outcome in told if outcome.findings]
    notes = []
    if wrong:
        name, outcome = wrong[0]
        notes = [f"{len(wrong)} went wrong; the first is: {name}", *story_as_text(outcome)]
    held = [sentence for _, one in told for sentence in one.not_back]
    shares = [_share([one for _, one in told], numbers) for numbers in (False, True)]
    if any(returned * 100 < due * SHARE for due, returned in shares):
        (due, back), (numbers, same) = shares
        notes.append(
            f"back by themselves are {back} of {due} rows and values, and {same} of {numbers} numbers and uuids;"
        )
        notes.append(f"not, among others: {'; '.join(held[:3])}")
    return Measurement(f"stories of {kind}", len(told), len(told) - len(wrong), len(told), notes=notes)


def _rows_of_all(told: list[Outcome]) -> list[Measurement]:
    counted = Counter(what for one in told for what in {what for what, _ in one.findings})
    cycles, writes = sum(one.cycles for one in told), sum(one.writes for one in told)
    waited, stopped = sum(one.waited for one in told), sum(bool(one.stopped) for one in told)
    late = sum(one.kept_waiting for one in told)
    notes = [
        f"{cycles} rollbacks and deploys after them, {late} of which waited for users' COMMIT;"
        f" {writes} writes of users; {waited} rows that waited",
        f"half of the stories at {LEVELS[0]} and half at {LEVELS[1]}; {stopped} ended early, since what users wrote"
        " stops the migration itself",
    ]
    rows = [Measurement(f"stories in which {what}", len(told), counted[what], 0) for what in NEVER]
    # An oracle that takes every error for one of the bare migration would find nothing wrong.
    least = -(-len(told) * TOLD // 100)
    rows.append(
        Measurement("stories told to their end", len(told), len(told) - stopped, least, at_least=True)
    )
    for what, numbers in (
        ("rows and values of users with nothing in their way, back by themselves", False),
        ("numbers and uuids that nobody wrote, the same as they were with nothing in their way", True),
    ):
        due, returned = _share(told, numbers)
        least = -(-due * SHARE // 100)
        rows.append(Measurement(what, due, returned, least, notes=() if numbers else notes, at_least=True))
    return rows


def _share(told: list[Outcome], numbers: bool) -> tuple[int, int]:
    """What has nothing in its way, and how much of it is back."""
    if numbers:
        return sum(one.numbers_due for one in told), sum(one.numbers_returned for one in told)
    return sum(one.due for one in told), sum(one.returned for one in told)


def story_as_text(outcome: Outcome) -> list[str]:
    """The story as statements that a person can follow, and what is wrong with its end."""
    lines = [line for step in outcome.steps for line in step.split("\n")]
    return [*lines, *(f"-- {what}: {sentence}" for what, sentence in outcome.findings)]
