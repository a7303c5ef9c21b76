# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults planted in the library's rollback scripts, told apart by when they do any harm.

Some change what the script does right after its migration: statements left out, names changed, rows forgotten. Others
take a safeguard out of the script: it then does the same as before, until somebody has built on the migration or
used it. An oracle of the SQL tests, which shares nothing with the runbook's rehearsal, tells which is which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

import psycopg2
from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Migration
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.library import read_sql_library

from demo.local_server import LocalServer
from tests.integration.sql.database_state import State, contents, state_within
from tests.integration.sql.midi_library import PROJECT, STEMS, Databases, Undone, script
from tests.integration.sql.test_rollback_mutations import mutants, outcome

__all__ = ["Fault", "LibraryUnderTest", "Planting", "effect_of", "lines_left_out"]

# The faults of a stem: (label, faulty script).
Planting = Callable[[str], Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Fault:
    """One faulty rollback script.

    Attributes:
        name: the migration's stem and what was done to the script.
        migration: as the runbook executes it; None when the runbook's parser refuses the script.
        effect: right after the migration, with nothing else done since: "same" as that of the sound script,
            "sequence" where nothing but the next value of a sequence is another, "other", or it "fails".
    """

    stem: str
    name: str
    text: str
    migration: Migration | None
    effect: str


class LibraryUnderTest:
    """The library's migrations as the runbook reads them, and databases at their stages.

    Args:
        server: LocalServer.
    """

    def __init__(self, server: LocalServer, stems: Sequence[str] = STEMS) -> None:
        self.stems = stems
        self.databases = Databases(server)
        self._library = read_sql_library(PROJECT / "sql")
        self.smoke = self._library.smoke_payload()
        self.index = self._library.index()

    def faults(
        self, stem: str, effects: Collection[str], share: float, chance: Random, planted: Planting = mutants
    ) -> list[Fault]:
        """The faults of one rollback that have one of these effects, or a random share of them."""
        with self.databases.undone(self.databases.before(stem)) as transaction:
            transaction.execute(script("migrations", stem))
            right = right_outcome(transaction, stem)
            found = [
                Fault(
                    stem=stem,
                    name=f"{stem}: {' '.join(label.split())}",
                    text=text,
                    migration=self._parsed(stem, text),
                    effect=_effect_in_the_runbook(transaction, text, right, self._library.find(stem).version),
                )
                for label, text in planted(stem)
            ]
        found = [fault for fault in found if fault.effect in effects]
        return chance.sample(found, math.ceil(share * len(found)))

    def sound(self, stem: str) -> Migration:
        """The migration with its own rollback."""
        return self._library.payload([stem])[0]

    def _parsed(self, stem: str, text: str) -> Migration | None:
        migration = self._library.find(stem)
        assert migration.rollback is not None
        faulty = replace(migration, rollback=replace(migration.rollback, text=text))
        try:
            return replace(self._library, migrations=(faulty,)).payload([migration.version])[0]
        except RunbookError:
            return None


def right_outcome(transaction: Undone, stem: str) -> State | str:
    """What the sound rollback leads to."""
    right = outcome(transaction, script("rollback", stem))
    assert right is not None  # nothing to differ from was given
    return right


def effect_of(transaction: Undone, text: str, right: State | str) -> str:
    """What a script does compared with the right one, which leads to a state or to the name of an error.

    Returns:
        "same" state, or both end with an error; "other": another state, or no error where there must be one;
        "fails" where it must not.
    """
    result = outcome(transaction, text, right)
    if isinstance(result, str):
        return "same" if isinstance(right, str) else "fails"
    if isinstance(result, State) and isinstance(right, State) and not right.differences(result):
        return "same"
    return "other"


def _effect_in_the_runbook(transaction: Undone, text: str, right: State | str, version: str) -> str:
    """As ``effect_of``; or "sequence" where nothing but next values of sequences would be others.

    The runbook takes the version out of schema_migrations itself, where the script forgets to.
    """
    effect = effect_of(transaction, text, right)
    if effect != "other" or not isinstance(right, State):
        return effect
    transaction.cursor.execute("SAVEPOINT start")
    try:
        transaction.execute(text)
        transaction.execute(f"DELETE FROM schema_migrations WHERE version = '{version}'")
        rows, next_values = contents(transaction.cursor)
        if rows != right.rows or next_values.keys() != right.next_values.keys():
            return effect
        lines = right.differences(state_within(transaction))
        return "sequence" if lines and all(line.startswith("sequence ") for line in lines) else effect
    except psycopg2.errors.UndefinedTable:
        return effect  # the rollback of the first migration takes schema_migrations along
    finally:
        transaction.cursor.execute("ROLLBACK TO start")


def lines_left_out(stem: str) -> list[tuple[str, str]]:
    """The rollback without each of its lines of code."""
    lines = script("rollback", stem).split("\n")
    found = []
    for number, line in enumerate(lines):
        code = line.strip()
        # Without these two it is not one transaction any more, which psql would mind, and the runbook does not.
        if code and not code.startswith("--") and code not in ("BEGIN;", "COMMIT;"):
            without = "\n".join([*lines[:number], *lines[number + 1 :]])
            found.append((f"without line {number + 1}, {code[:60]}", without))
    return found
