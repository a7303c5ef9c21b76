# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollback scripts with a statement left out, a name changed or a row forgotten, and whether rehearsal finds it.

Each faulty script goes through what a deploy does with it before production: it is parsed, rehearsed on a copy of
the library as it stood before the migration, with sample rows, and judged by the policy on impact.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.module_utils.impact.policy import POLICY_SPEC, refuse_by_policy
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearsal import Rehearsal
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Migration

from benchmarks.measurement import Measurement
from benchmarks.rollback_faults import LibraryUnderTest, Planting, lines_left_out
from tests.integration.sql.test_rollback_mutations import EQUIVALENT, mutants

__all__ = ["measure", "rehearse"]

WHAT = "faults planted in rollback scripts and refused by rehearsal"
WHAT_MOVES = "faults that only move a sequence, named in the rehearsal's evidence"
POLICY = {name: option["default"] for name, option in POLICY_SPEC.items()}

# A sequence that goes on elsewhere breaks nothing, and sound rollbacks leave some so: it is named, not refused.
NAMED = "named in the rehearsal's evidence (sequences_moved)"


def rehearse(library: LibraryUnderTest, stem: str, migration: Migration) -> str | None:
    """What the rehearsal says against a migration; None when nothing."""
    with (
        library.databases.copy(library.databases.before(stem)) as name,
        contextlib.closing(library.databases.server.connect(name)) as connection,
    ):
        try:
            evidence = Rehearsal(connection, library.smoke).rehearse([migration])["migrations"]
            refuse_by_policy([migration], evidence, POLICY)
        except RunbookError:
            return "refused by the rehearsal"
    return NAMED if evidence[0]["sequences_moved"] else None


def measure(
    library: LibraryUnderTest,
    share: float,
    chance: Random,
    say: Callable[[str], None],
    planted: Planting = mutants,
    lines: Planting = lines_left_out,
    examine: Callable[[LibraryUnderTest, str, Migration], str | None] = rehearse,
) -> list[Measurement]:
    """Plant the faults one by one, a database of its own for each.

    Whether a fault only moves a sequence is told by the oracle of the SQL tests, so that a rehearsal which sees no
    more than that of another fault has missed it.

    Args:
        share: which part of the faults of each rollback to plant, above 0 and up to 1.
        planted: the faulty scripts.
        lines: more of them, of which only those count that run through: one that fails is found by anybody.
        examine: what says something against a faulty migration.

    Returns:
        the faults that have to be refused, and apart from them those that only move a sequence.
    """
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    missed: dict[bool, list[str]] = {True: [], False: []}
    unsound = []
    for stem in library.stems:
        # What refuses everything would find every fault.
        complaint = examine(library, stem, library.sound(stem))
        if complaint:
            unsound.append(f"the sound rollback of {stem} is not accepted: {complaint}")
        faults = library.faults(stem, ("other", "fails", "sequence"), share, chance, planted)
        faults += library.faults(stem, ("other", "sequence"), share, chance, lines)
        for fault in faults:
            moves = fault.effect == "sequence"
            if fault.migration is None:
                by: str | None = "refused by the parser, in preflight"
            else:
                by = examine(library, stem, fault.migration)
            if by and (moves or by != NAMED):
                counts[moves][by] += 1
            else:
                missed[moves].append(f"MISSED in {fault.name}{f': only {by}' if by else ''}")
        say(f"{stem}: {len(faults)} faults")
    left_out = [f"not planted, {name} left out: {reason}" for name, reason in EQUIVALENT.items()]
    return [
        _measurement(
            WHAT, counts[False], [*left_out, *unsound, *missed[False]], len(missed[False]), not unsound
        ),
        _measurement(WHAT_MOVES, counts[True], missed[True], len(missed[True]), not unsound),
    ]


def _measurement(what: str, found: Counter[str], notes: list[str], missed: int, holds: bool) -> Measurement:
    tried = found.total() + missed
    by = [f"{count} {way}" for way, count in sorted(found.items())]
    return Measurement(what, tried, found.total(), tried, holds=holds, notes=[*by, *notes])
