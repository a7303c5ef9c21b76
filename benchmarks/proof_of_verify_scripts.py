# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes planted in what each of the library's migrations has made: does its verify script notice them?"""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import psycopg2

from benchmarks.measurement import Measurement, first_of
from benchmarks.rollback_faults import LibraryUnderTest
from benchmarks.verify_faults import Made, changes_of, objects
from tests.integration.sql.midi_library import Databases, Undone, script

__all__ = ["measure", "missed_by", "planted_in"]

WHAT = "changes planted in what a migration made, and noticed by its verify script"


def measure(
    library: LibraryUnderTest,
    share: float,
    chance: Random,
    say: Callable[[str], None],
    verify: Callable[[str], str] = lambda stem: script("verify", stem),
) -> Measurement:
    """Plant all changes, or a random share of them, one at a time.

    Args:
        library: whose migrations are looked at.
        share: of the changes.
        verify: gives the verify script of a stem.
    """
    tried = 0
    missed: list[str] = []
    for stem in library.stems:
        planted = planted_in(library.databases, stem)
        planted = chance.sample(planted, math.ceil(share * len(planted)))
        possible, unnoticed = missed_by(library.databases, stem, verify(stem), planted)
        tried += possible
        missed += [f"{stem}: {statement}" for statement in unnoticed]
        say(f"{stem}: {possible} changes")
    return Measurement(WHAT, tried, tried - len(missed), tried, notes=first_of(missed, 20))


def planted_in(databases: Databases, stem: str) -> list[str]:
    """The changes of all objects that are there after the migration and not before it."""
    before = {(one.kind, one.facts[0]) for one in _objects(databases, databases.before(stem))}
    made = [
        one for one in _objects(databases, databases.after(stem)) if (one.kind, one.facts[0]) not in before
    ]
    return [statement for one in made for statement in changes_of(one)]


def missed_by(databases: Databases, stem: str, text: str, planted: list[str]) -> tuple[int, list[str]]:
    """(how many of the changes PostgreSQL allows, those of them with which the verify script passes)."""
    possible, unnoticed = 0, []
    with databases.undone(databases.after(stem)) as transaction:
        for statement in planted:
            transaction.execute("SAVEPOINT planting")
            try:
                transaction.execute(statement)
            except psycopg2.Error:
                # A view needs the column, a row has NULL, a default is in its way.
                transaction.execute("ROLLBACK TO planting")
                continue
            possible += 1
            if _passes(transaction, text):
                unnoticed.append(statement)
            transaction.execute("ROLLBACK TO planting")
    return possible, unnoticed


def _passes(transaction: Undone, text: str) -> bool:
    """Whether the verify script neither fails nor says false."""
    try:
        transaction.execute(text)
    except psycopg2.Error:
        return False
    if transaction.cursor.description is None:
        return True
    return all(row[0] is not False for row in transaction.cursor)


def _objects(databases: Databases, name: str) -> list[Made]:
    with databases.undone(name) as transaction:
        return objects(transaction.cursor)
