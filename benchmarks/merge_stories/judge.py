# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a database holds, against what the merge rule says: what is lost, overwritten, risen, doubled, misplaced."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from benchmarks.merge_stories.model import Record, State, Table, thing_of
from benchmarks.merge_stories.rule import Merged, Place
from benchmarks.merge_stories.values import MADE, Ref, holds, needle

__all__ = [
    "DOUBLED",
    "LOST",
    "MISPLACED",
    "OVERWRITTEN",
    "REFUSED",
    "RISEN",
    "UNLIKE_THE_SCRIPT",
    "Judge",
    "Verdict",
]

LOST = "a value of a user is in no place"
OVERWRITTEN = "now was overwritten"
RISEN = "a deleted row is there again"
DOUBLED = "a row is there twice"
MISPLACED = "a value is at another thing's row"
REFUSED = "a deploy or rollback ended with an error"
UNLIKE_THE_SCRIPT = "there is something else than the script makes"


@dataclass
class Verdict:
    """What is wrong, as (what, sentence), and how much of what has nothing in its way is back.

    Attributes:
        due, returned: rows and values of users.
        numbers_due, numbers_returned: values that the database had made up, and nobody wrote.
    """

    findings: list[tuple[str, str]] = field(default_factory=list)
    due: int = 0
    returned: int = 0
    numbers_due: int = 0
    numbers_returned: int = 0
    not_back: list[str] = field(default_factory=list)


@dataclass
class Judge:
    """One deploy after a rollback.

    Args:
        tables: of the new schema.
        merged: what must be there.
        theirs, now: as the rule was given them.
        found: what is there.
        kept: the text of all rows that wait in the salvage.
        deleted: likewise, with those whose deletion waits.
        waiting: how many rows wait.
        written: whether a value is a user's.
        cells: (thing, column) that users wrote.
        earlier: what waited after earlier deploys.
        one_place: tables of which a thing is in one.
        doubtful: things that nobody can know again.
    """

    tables: tuple[Table, ...]
    merged: Merged
    theirs: State
    now: State
    found: State
    kept: str
    deleted: str
    waiting: int
    written: Callable[[Any], bool]
    cells: set[tuple[str, str]]
    earlier: dict[Place, Any]
    one_place: tuple[tuple[str, ...], ...] = ()
    doubtful: Container[str] = ()
    verdict: Verdict = field(default_factory=Verdict)

    def judge(self) -> Verdict:
        self.owners = self._owners_of_values()
        self.found = {name: _aligned(rows, self.merged.state[name]) for name, rows in self.found.items()}
        for table in self.tables:
            expected, found = self.merged.state[table.name], self.found[table.name]
            for thing in {**expected, **found, **self.theirs[table.name]}:
                self._row(table, thing, expected.get(thing), found.get(thing))
        self._earlier_waits_on()
        for names in self.one_place:
            for thing in {thing for name in names for thing in self.found[name]}:
                if sum(thing in self.found[name] for name in names) > 1:
                    self._say(DOUBLED, (names[-1], thing, None), f"it is in each of {', '.join(names)}")
        return self.verdict

    # Rows ----------------------------------------------------------------------------------------------------

    def _row(self, table: Table, thing: str, expected: Record | None, found: Record | None) -> None:
        place: Place = (table.name, thing, None)
        if place in self.merged.back:
            self._row_that_is_due(table, place, found)
        elif place in self.merged.obstructed:
            self._obstructed_row(table, place, found)
        elif expected is None and found is not None:
            twin = "#" in thing and thing_of(thing) in self.merged.state[table.name]
            if not self._waited(place):
                self._say(DOUBLED if twin else RISEN, place, f"found {found}")
        elif expected is None:
            if place in self.merged.conflicts:
                self._must_wait(place, self.merged.conflicts[place])
        elif found is None:
            self._say(OVERWRITTEN, place, f"the row is gone, expected {expected}")
        else:
            self._columns(table, place, expected, found)

    def _row_that_is_due(self, table: Table, place: Place, found: Record | None) -> None:
        theirs = self.merged.back[place]
        self.verdict.due += 1
        if theirs is None and found is not None and holds(self.deleted, thing_of(place[1])):
            self.verdict.not_back.append(f"{_named(place)}: deleted")
        elif theirs is None and found is not None:
            self.verdict.not_back.append(f"{_named(place)}: deleted")
            self._say(RISEN, place, f"users deleted it on the new schema; found {found}")
        elif theirs is not None and found is None:
            self.verdict.not_back.append(f"{_named(place)}: {theirs}")
            self._must_wait(place, theirs)
        else:
            back = found is None or self._as_theirs(table, place, theirs, found)
            self.verdict.returned += back
            self.verdict.not_back += [] if back else [f"{_named(place)}: {theirs}, found {found}"]

    def _obstructed_row(self, table: Table, place: Place, found: Record | None) -> None:
        theirs = self.merged.obstructed[place]
        if theirs is not None and found is None:
            elsewhere = self._in_its_other_place(place)
            self._must_wait(place, {c: v for c, v in theirs.items() if elsewhere.get(c) != v})
        elif theirs is not None and found is not None:
            self._as_theirs(table, place, theirs, found)

    def _in_its_other_place(self, place: Place) -> Record:
        names = next((names for names in self.one_place if place[0] in names), ())
        return next((self.found[name][place[1]] for name in names if place[1] in self.found[name]), {})

    def _as_theirs(self, table: Table, place: Place, theirs: Record, found: Record) -> bool:
        """Whether a row that came back is as it was; but for its own number, which nobody wrote.

        A value of it that waits is not back, and nothing is wrong.
        """
        right = True
        for column in table.columns:
            users, there = theirs[column.name], found[column.name]
            if users != there and (self.written(users) or self._users_cell(place[1], column.name)):
                right = False
                if self.written(users) and holds(self.kept, users) and not self.written(there):
                    continue  # the row came back without it, and it waits
                self._say(
                    self._sort_of(place[1], there, OVERWRITTEN),
                    place,
                    f"{column.name} was {users}, found {there}",
                )
        return right

    # Columns -------------------------------------------------------------------------------------------------

    def _columns(self, table: Table, row: Place, expected: Record, found: Record) -> None:
        fresh = self.now[table.name].get(row[1], {})
        for column in table.columns:
            place = (row[0], row[1], column.name)
            there, now = found[column.name], fresh.get(column.name, MADE)
            if place in self.merged.back:
                self._value_that_is_due(table, place, self.merged.back[place], now, there)
            elif place in self.merged.obstructed:
                if there != self.merged.obstructed[place]:
                    self._now_stands(place, now, there)
                    self._must_wait(place, self.merged.obstructed[place])
            else:
                self._now_stands(place, expected[column.name], there)
                if place in self.merged.conflicts:
                    self._must_wait(place, self.merged.conflicts[place])

    def _value_that_is_due(self, table: Table, place: Place, theirs: Any, now: Any, there: Any) -> None:
        back = there == theirs
        if not back and now is MADE and self._taken(table, place, theirs):
            return
        if now is MADE and not self.written(theirs):
            self.verdict.numbers_due += 1
            self.verdict.numbers_returned += back
        else:
            self.verdict.due += 1
            self.verdict.returned += back
        if not back:
            self.verdict.not_back.append(f"{_named(place)}: {theirs}, found {there}")
            self._now_stands(place, now, there)
            self._must_wait(place, theirs)

    def _now_stands(self, place: Place, now: Any, there: Any) -> None:
        if now is MADE or there == now:
            return
        if not self.written(now) and self._waited(place, there):
            return  # what waited since an earlier deploy went back where nobody had written
        self._say(self._sort_of(place[1], there, OVERWRITTEN), place, f"now is {now}, found {there}")

    def _taken(self, table: Table, place: Place, number: Any) -> bool:
        """Whether a row that came on the old schema has the number, or one that cannot leave it."""
        column = str(place[2])
        if not any(column in unique for unique in (table.key, *table.uniques)):
            return False
        holders = {row[column]: thing for thing, row in self.found[table.name].items()}
        seen = set()
        while number in holders and number not in seen:
            seen.add(number)
            holder = holders[number]
            if holder not in self.theirs[table.name] or thing_of(holder) in self.doubtful:
                return True
            number = self.theirs[table.name][holder][column]
        return False

    # Values --------------------------------------------------------------------------------------------------

    def _must_wait(self, place: Place, theirs: Any) -> None:
        """Theirs is not in its place: each value that a user wrote is in the salvage."""
        values = theirs.items() if isinstance(theirs, dict) else [(place[2], theirs)]
        for column, value in values:
            if self.written(value):
                if not holds(self.kept, value):
                    self._say(LOST, place, f"{column} was {value}")
            elif column is not None and self._users_cell(place[1], column) and not self.waiting:
                self._say(LOST, place, f"{column} was {value}, and nothing waits")

    def _users_cell(self, thing: str, column: str) -> bool:
        return (thing_of(thing), column) in self.cells

    def _owners_of_values(self) -> dict[str, set[str]]:
        owners: dict[str, set[str]] = {}
        for state in (self.theirs, self.now):
            for rows in state.values():
                for thing, row in rows.items():
                    for value in row.values():
                        owners.setdefault(needle(value), set()).add(thing_of(thing))
        return owners

    def _sort_of(self, thing: str, there: Any, otherwise: str) -> str:
        """MISPLACED where what was found is another thing's."""
        if isinstance(there, Ref):
            return MISPLACED
        owners = self.owners.get(needle(there), set())
        return MISPLACED if self.written(there) and owners and thing_of(thing) not in owners else otherwise

    # Earlier deploys -----------------------------------------------------------------------------------------

    def _waited(self, place: Place, value: Any = None) -> bool:
        if place in self.earlier:
            return place[2] is None or self.earlier[place] == value
        row = self.earlier.get((place[0], place[1], None))
        return isinstance(row, dict) and row.get(str(place[2])) == value

    def _earlier_waits_on(self) -> None:
        """What waited is still there, or has found its place."""
        there = {needle(v) for rows in self.found.values() for row in rows.values() for v in row.values()}
        for place, theirs in self.earlier.items():
            for value in theirs.values() if isinstance(theirs, dict) else [theirs]:
                if self.written(value) and not holds(self.kept, value) and needle(value) not in there:
                    self._say(LOST, place, f"{value} had waited since an earlier deploy")

    def _say(self, what: str, place: Place, sentence: str) -> None:
        self.verdict.findings.append((what, f"{_named(place)}: {sentence}"))


def _aligned(found: dict[str, Record], expected: dict[str, Record]) -> dict[str, Record]:
    """Copies of one row have no order: each that is as expected has the number under which it is expected."""
    twins: dict[str, list[str]] = {}
    for thing in found:
        twins.setdefault(thing_of(thing), []).append(thing)
    aligned = dict(found)
    for things in twins.values():
        rows = [found[thing] for thing in things] if len(things) > 1 else []
        for thing in things if rows else []:
            same = [row for row in rows if row == expected.get(thing)]
            others = [row for row in rows if row not in [expected.get(other) for other in things]]
            aligned[thing] = (same or others or rows)[0]
            rows.remove(aligned[thing])
    return aligned


def _named(place: Place) -> str:
    table, thing, column = place
    return f"{table} {thing}" + (f".{column}" if column else "")
