# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollback scripts without one of their safeguards, and whether the runbook stops them all the same.

Such a script does what the sound one does until people have used or changed what the migration made. So it is put
into just those situations, and run there as an emergency rollback is: when no migration that is applied requires
it, and in one transaction, whose schema must be the one now without the migration's part. Scripts that the rehearsal
of the whole library (`-e migration=all`) refuses, with rows of users after the migration, never come that far.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TypeVar

import psycopg2
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import Difference, difference
from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Hooks, Work
from ansible_collections.pgops.runbook.plugins.module_utils.execution.recipe import (
    roll_back_in_one_transaction,
)
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.versions import VersionTable
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.selection import select_for_rollback
from ansible_collections.pgops.runbook.plugins.module_utils.production.rollback import (
    expected_after,
    must_give_back,
)
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearse_from_empty import (
    rehearse_from_empty,
)
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Catalog, Cursor, Migration

from benchmarks.measurement import Measurement
from benchmarks.rollback_faults import Fault, LibraryUnderTest, Planting, effect_of, right_outcome
from tests.integration.sql.midi_library import SAMPLE_FILES, Undone, script
from tests.integration.sql.test_rollback_mutations import REFUSALS, USED, mutants

__all__ = ["measure"]

T = TypeVar("T")

WHAT = "safeguards taken out of rollback scripts and made up for by the runbook"

ONLY_THE_SCRIPT_KNOWS = "what users made of rows that the migration brought, only the script knows"
A_TABLE_OF_OTHERS = "a table of others that is called favorites, and tied to nothing, stays: nothing is lost"
# (start of the stem, words of the fault): why the runbook does not make up for it; a miss all the same. The SQL tests
# ask the script for it.
BEYOND = {
    ("007", "WHERE t.parent_tag_id IS NOT NULL"): ONLY_THE_SCRIPT_KNOWS,
    ("007", "SELECT unnest(tags_to_add)"): ONLY_THE_SCRIPT_KNOWS,
    ("update", "AND f.filename = r.new_filename"): ONLY_THE_SCRIPT_KNOWS,
    ("001", "IF later IS NOT NULL"): A_TABLE_OF_OTHERS,
    ("001", "without DO $$ DECLARE later text"): A_TABLE_OF_OTHERS,
    ("001", "AND extname = ANY"): (
        "the situation only pretends that the extension was there before; where it was, the rehearsal refuses this"
    ),
}


def measure(
    library: LibraryUnderTest,
    share: float,
    chance: Random,
    say: Callable[[str], None],
    planted: Planting = mutants,
    compare: Callable[[dict, dict], Difference] = difference,
) -> Measurement:
    """Take the safeguards out one by one.

    Args:
        share: which part of the faults of each rollback to look at, above 0 and up to 1.
        planted: where the faulty scripts come from.
        compare: what compares the schema with the expected one before COMMIT.
    """
    found: Counter[str] = Counter()
    missed = []
    for stem in library.stems:
        catalogs = _before_and_after(library, stem)
        for fault in library.faults(stem, ("same",), share, chance, planted):
            by = _stopped_by(library, fault, catalogs, compare)
            if by:
                found[by] += 1
            else:
                missed.append(fault.name)
        say(f"{stem}: done")
    notes = [f"{count} {by}" for by, count in sorted(found.items())]
    notes += [f"MISSED in {name}{f': {reason}' if (reason := _beyond(name)) else ''}" for name in missed]
    tried = found.total() + len(missed)
    known = sum(_beyond(name) is not None for name in missed)
    return Measurement(WHAT, tried, found.total(), tried, notes=notes, known_misses=known)


def _stopped_by(
    library: LibraryUnderTest,
    fault: Fault,
    catalogs: tuple[dict, dict],
    compare: Callable[[dict, dict], Difference],
) -> str | None:
    if fault.migration is None:
        return "refused by the parser, in preflight"
    harmful = _situations_of_harm(library, fault)
    by = _rehearsed_with_rows_of_users(library, fault.stem, fault.migration)
    if not by and all(
        _stopped(library, fault.stem, fault.migration, one, catalogs, compare) for one in harmful
    ):
        by = "refused by preflight, or stopped by the comparison before COMMIT" if harmful else None
    return by


def _beyond(name: str) -> str | None:
    for (stem, words), reason in BEYOND.items():
        if name.startswith(stem) and words in name:
            return reason
    return None


def _before_and_after(library: LibraryUnderTest, stem: str) -> tuple[dict, dict]:
    """The schemas that the ledger has of a deploy."""
    with library.databases.undone(library.databases.before(stem)) as transaction:
        before = read_schema(transaction.cursor)
        transaction.execute(script("migrations", stem))
        return before, read_schema(transaction.cursor)


def _situations_of_harm(library: LibraryUnderTest, fault: Fault) -> list[list[str]]:
    """What others may have done since the migration, so that the fault makes a difference."""
    harmful = []
    for done in [[], *([one] for one in (*USED.get(fault.stem, ()), *REFUSALS[fault.stem]))]:
        with library.databases.undone(library.databases.after(fault.stem)) as transaction:
            for text in done:
                transaction.execute(text)
            right = right_outcome(transaction, fault.stem)
            if effect_of(transaction, fault.text, right) != "same":
                harmful.append(done)
    return harmful


def _rehearsed_with_rows_of_users(library: LibraryUnderTest, stem: str, migration: Migration) -> str | None:
    with (
        library.databases.copy(library.databases.before(stem)) as name,
        contextlib.closing(library.databases.server.connect(name)) as connection,
    ):
        try:
            rehearse_from_empty(connection, [migration], library.smoke, SAMPLE_FILES)
        except RunbookError:
            return "refused by the rehearsal of the whole library"
    return None


def _stopped(
    library: LibraryUnderTest,
    stem: str,
    migration: Migration,
    done: list[str],
    catalogs: tuple[dict, dict],
    compare: Callable[[dict, dict], Difference],
) -> bool:
    """Whether production_rollback would undo the script in this situation."""
    with library.databases.undone(library.databases.after(stem)) as transaction:
        for text in done:
            transaction.execute(text)
        return _refused(library, transaction, migration, catalogs, compare)


def _refused(
    library: LibraryUnderTest,
    transaction: Undone,
    migration: Migration,
    catalogs: tuple[dict, dict],
    compare: Callable[[dict, dict], Difference],
) -> bool:
    version = migration["version"]
    try:
        expected = expected_after(version, read_schema(transaction.cursor), *catalogs)
        applied = VersionTable(transaction.cursor).applied()
        select_for_rollback(library.index, version, applied, cascade=False)
        roll_back_in_one_transaction([migration], _Compared(transaction.cursor, expected, compare))
    except (RunbookError, psycopg2.Error):
        return True
    return False


class _Compared(Hooks):
    """An emergency rollback in the caller's transaction, of which only the comparison counts."""

    def __init__(self, cursor: Cursor, expected: Catalog, compare: Callable[[dict, dict], Difference]):
        self.cursor = cursor
        self.expected = expected
        self.compare = compare
        self.smoke = []
        self.run_id = "proof"

    def in_transaction(
        self, versions: list[str], direction: str, begins: bool, attempt: Callable[[Cursor], T]
    ) -> T:
        return attempt(self.cursor)

    def script_ran(self, cursor: Cursor, work: Work) -> None:
        must_give_back(work, self.expected, self.compare)
