# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that a table may take, and what else to try where it does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from .expressions import understood
from .partitions import conditions
from .scalars import NUMBERS, TIMES
from .tables import Column, ForeignKey, Table
from .types import DataType
from .values import Wanted, value
from .wishes import Relation, Wish, Wishes, number_of

__all__ = ["DEFAULT", "Candidates", "Row"]


class _Default:
    """In the place of a value: the column's own default."""

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT = _Default()

#: A value for each column that may be given one, as text; None is NULL.
Row = dict

# Of a hundred values of a column that takes NULL, and how many rows refer to nothing.
NULLS_PERCENT = 12


class Candidates:
    """Makes rows for one table.

    Args:
        table: Table.
        chance: where chance comes from.
        ascii_only: whether the database's encoding has no other letters.
    """

    def __init__(self, table: Table, chance: Random, ascii_only: bool = False) -> None:
        self.table = table
        self.chance = chance
        self.ascii_only = ascii_only
        #: Of each foreign key, by its name, the rows that there are to refer to.
        self.parents: dict[str, Sequence[tuple[str, ...]]] = {}
        #: Of columns whose values must differ, the number after which new ones begin.
        self.begin: dict[str, int] = {}
        #: Keys that were given out before their rows, where tables refer to each other in a ring.
        self.planned: Sequence[Mapping[str, str]] = ()
        self.trees = [understood(check.text) for check in table.checks]
        self.bounds = [conditions(partition) for partition in table.partitions]
        self.differing = _differing_columns(table)
        self.by_name = {column.name: column for column in table.columns}

    def row(self, place: int) -> Row:
        """One row; with the same seed the same.

        Args:
            place: which one it is of its table, from 0.
        """
        wishes = self._wishes(place)
        row: Row = {column.name: self._value(column, wishes, place) for column in self.table.columns}
        self._refer(row, wishes, place)
        for relation in wishes.relations:
            _arrange(row, relation)
        if self.planned:
            row.update(self.planned[place % len(self.planned)])
        return row

    def minimal(self, place: int) -> Row:
        """A row with nothing in it but what has to be."""
        row = self.row(place)
        for column in self.table.columns:
            if column.default is not None or column.identity:
                row[column.name] = DEFAULT
            elif not (column.not_null or column.type.takes_no_null()):
                row[column.name] = None
        return row

    def changed(
        self, row: Row, columns: Collection[str], constants: Sequence[str], attempt: int, good: Row | None
    ) -> Row:
        """Another row to try, after one was not taken.

        Args:
            row: the one that was not.
            columns: those that are to blame; empty where nobody knows.
            constants: those of the condition that was not met.
            attempt: which one it is, from 1.
            good: a row that was taken, if there is one.
        """
        # A number that no other row has.
        place = (
            self.chance.randint(10**3, 10**4) if attempt > 1 else attempt * 100 + self.chance.randint(0, 99)
        )
        if not columns or attempt % 6 == 0:
            return self.minimal(place) if attempt % 2 else self.row(place)
        if good is not None and attempt % 3 == 0:
            fresh = self.row(place)
            return {name: fresh[name] if name in self._told_apart() else good[name] for name in row}
        made = dict(row)
        wishes = self._wishes(place)
        for name in columns:
            if name in self.by_name:
                made[name] = self._another(self.by_name[name], wishes, constants, place)
        self._refer(made, wishes, place, columns)
        for relation in wishes.relations:
            _arrange(made, relation)
        return made

    def _told_apart(self) -> set[str]:
        return {name for rule in (*self.table.unique, *self.table.others) for name in rule.columns}

    def _wishes(self, place: int) -> Wishes:
        wishes = Wishes(self.chance)
        for tree in self.trees:
            wishes.add(tree)
        if self.bounds:
            for tree in self.bounds[place % len(self.bounds)]:
                wishes.add(tree)
        return wishes

    def _value(self, column: Column, wishes: Wishes, place: int) -> object:
        wish = wishes.columns.get(column.name, Wish())
        nullable = not (column.not_null or column.type.takes_no_null())
        if column.numbered() or self._left_to_default(column, wish, place):
            return DEFAULT
        if nullable and wish.null is True:
            return None
        # The first row has all of its values.
        if nullable and wish.null is None and place and self.chance.randint(1, 100) <= NULLS_PERCENT:
            return None
        return self._made(column, wish, place if column.name in self.differing else None)

    def _made(self, column: Column, wish: Wish, place: int | None) -> str:
        shifted = None if place is None else place + self.begin.get(column.name, 0)
        wanted = Wanted(column.name, self.chance, wish, shifted, self.ascii_only)
        return value(column.type, column.typmod, wanted)

    def _left_to_default(self, column: Column, wish: Wish, place: int) -> bool:
        """Every other row has the default of a column; a time or a uuid would be another one in each run."""
        if column.default is None or wish.low or wish.high or wish.choices:
            return False
        if column.type.without_domains().name in (*TIMES, "uuid"):
            return False
        return column.name in self.differing or place % 2 == 1

    def _another(self, column: Column, wishes: Wishes, constants: Sequence[str], place: int) -> object:
        """A value from wherever one may be that the database takes."""
        if column.numbered():
            return DEFAULT
        ways: list[object] = [self._made(column, wishes.of(column.name), place)] * 2
        ways.append(self._made(column, Wish(), place))
        ways += constants
        ways += [
            str(number + step)
            for one in constants
            if (number := number_of(one)) is not None
            for step in (-1, 1)
        ]
        if not (column.not_null or column.type.takes_no_null()):
            ways += [None, None]
        if column.default is not None:
            ways.append(DEFAULT)
        return self.chance.choice(ways)

    def _refer(self, row: Row, wishes: Wishes, place: int, only: Collection[str] = ()) -> None:
        """Let the row refer to rows that there are."""
        settled: dict[str, str] = {}
        for key in self.table.foreign_keys:
            if only and not set(key.columns) & set(only):
                settled.update({name: row[name] for name in key.columns if isinstance(row[name], str)})
                continue
            chosen = self._parent(key, wishes, settled, place)
            optional = [name for name in key.columns if self._optional(name) and name not in settled]
            if chosen is None or (optional and place and self.chance.randint(1, 100) <= NULLS_PERCENT):
                row.update(dict.fromkeys(optional))
            else:
                row.update(zip(key.columns, chosen))
                settled.update(zip(key.columns, chosen))

    def _optional(self, name: str) -> bool:
        column = self.by_name.get(name)
        return column is not None and not (column.not_null or column.type.takes_no_null())

    def _parent(
        self, key: ForeignKey, wishes: Wishes, settled: Mapping[str, str], place: int
    ) -> tuple[str, ...] | None:
        """A row to refer to, which agrees with what another foreign key has settled."""
        options = self.parents.get(key.name, ())
        if any(name in settled or _limited(wishes.columns.get(name)) for name in key.columns):
            options = [
                one
                for one in options
                if all(settled.get(name, found) == found for name, found in zip(key.columns, one))
                and all(_allowed(wishes.columns.get(name), found) for name, found in zip(key.columns, one))
            ]
        if not options:
            return None
        alone = any(set(rule.columns) <= set(key.columns) for rule in self.table.unique)
        return options[place % len(options)] if alone else self.chance.choice(options)


def _limited(wish: Wish | None) -> bool:
    return wish is not None and wish.choices is not None


def _allowed(wish: Wish | None, found: str) -> bool:
    return wish is None or wish.choices is None or found in wish.choices


def _differing_columns(table: Table) -> set[str]:
    """Of each unique key one column whose values are made to differ; none where a column of it differs already."""
    referring = {name for key in table.foreign_keys for name in key.columns}
    types = {column.name: column.type.without_domains() for column in table.columns}
    differing: set[str] = {column.name for column in table.columns if column.numbered()}
    for rule in sorted(table.unique, key=lambda one: len(one.columns)):
        if differing & set(rule.columns):
            continue
        free = [name for name in rule.columns if name in types and name not in referring]
        # Numbers and times have room for many values, words nearly so; an enum has not.
        free.sort(key=lambda name: _room(types[name]))
        differing.update(free[:1])
    return differing


def _room(of: DataType) -> int:
    if of.name in (*NUMBERS, *TIMES, "uuid"):
        return 0
    return 2 if of.kind == "enum" or of.name in ("bool", "char") else 1


def _arrange(row: Row, relation: Relation) -> None:
    """Let two values of a row compare as they must, by letting them change places."""
    left, right = row.get(relation.left), row.get(relation.right)
    if not (isinstance(left, str) and isinstance(right, str)):
        return
    numbers = number_of(left), number_of(right)
    less = left < right if None in numbers else numbers[0] < numbers[1]  # type: ignore[operator]  # neither is None here
    if relation.sign == "=":
        row[relation.right] = left
    elif left != right and less != (relation.sign in ("<", "<=")) and relation.sign in ("<", "<=", ">", ">="):
        row[relation.left], row[relation.right] = right, left
