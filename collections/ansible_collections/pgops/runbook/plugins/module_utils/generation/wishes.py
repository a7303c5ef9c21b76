# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What check constraints ask of the values of a row, as far as they are understood.

A wish only makes it likely that a row is taken: PostgreSQL decides. What is not understood is left to trying.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from random import Random

from .expressions import (
    AllOf,
    AnyOf,
    Call,
    Column,
    Compared,
    Constant,
    Listed,
    Not,
    Nothing,
    Tree,
    Unknown,
)

__all__ = ["Relation", "Wish", "Wishes", "number_of"]

FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "<>", "<>": "="}
LENGTHS = ("length", "char_length", "character_length", "octet_length", "cardinality", "array_length")
TRIMMED = ("btrim", "ltrim", "rtrim", "TRIM")
JSON_OF_TYPE = {
    "object": '{"key": "value"}',
    "array": "[1, 2]",
    "string": '"text"',
    "number": "1",
    "boolean": "true",
    "null": "null",
}


@dataclass
class Wish:
    """What is asked of one value.

    Attributes:
        choices: the values of a list, if there is one.
        excluded: values that it must not have.
        low, high: bounds as SQL writes them, with whether they are excluded themselves.
        shortest, longest: length of a text, or number of items of an array.
        patterns: (operator, pattern), of regular expressions and LIKE.
        case: "lower" or "upper".
        null: whether it must be NULL, or must not; None: either.
    """

    choices: list[str] | None = None
    excluded: list[str] = field(default_factory=list)
    low: tuple[str, bool] | None = None
    high: tuple[str, bool] | None = None
    shortest: int = 0
    longest: int | None = None
    patterns: list[tuple[str, str]] = field(default_factory=list)
    case: str | None = None
    null: bool | None = None

    def among(self, values: Iterable[str]) -> None:
        """The value is one of these."""
        found = list(dict.fromkeys(values))
        self.choices = found if self.choices is None else [one for one in self.choices if one in found]

    def bounded(self, sign: str, value: str) -> None:
        """The value is below or above another."""
        if sign in (">", ">=") and (self.low is None or _less(self.low[0], value)):
            self.low = (value, sign == ">")
        if sign in ("<", "<=") and (self.high is None or _less(value, self.high[0])):
            self.high = (value, sign == "<")

    def long(self, sign: str, length: int) -> None:
        """Its length compares so."""
        if sign in (">", ">=", "="):
            self.shortest = max(self.shortest, length + (sign == ">"))
        if sign in ("<", "<=", "="):
            longest = length - (sign == "<")
            self.longest = longest if self.longest is None else min(self.longest, longest)
        if sign == "<>" and length == 0:
            self.shortest = max(self.shortest, 1)


@dataclass(frozen=True)
class Relation:
    """Two columns of one row that compare so."""

    sign: str
    left: str
    right: str


@dataclass
class Wishes:
    """What constraints ask of a row: for each column, and between columns."""

    chance: Random
    columns: dict[str, Wish] = field(default_factory=dict)
    relations: list[Relation] = field(default_factory=list)

    def of(self, column: str) -> Wish:
        """The wish for a column, which may still be empty."""
        return self.columns.setdefault(column, Wish())

    def add(self, tree: Tree, true: bool = True) -> None:
        """Ask that a condition be true (or false)."""
        if isinstance(tree, Not):
            self.add(tree.inner, not true)
        elif isinstance(tree, (AllOf, AnyOf)):
            if isinstance(tree, AllOf) == true:
                for part in tree.parts:
                    self.add(part, true)
            else:
                self.add(self._one_of(tree.parts), true)
        elif isinstance(tree, Nothing) and isinstance(tree.inner, Column):
            self.of(tree.inner.name).null = tree.null == true
        elif isinstance(tree, Column):
            self.of(tree.name).among(["true" if true else "false"])
        elif isinstance(tree, Listed):
            self._listed(tree, true)
        elif isinstance(tree, Compared):
            self._compared(tree, true)

    def _one_of(self, parts: tuple[Tree, ...]) -> Tree:
        """Any one of several, of which one that is understood is rather met."""
        known = [part for part in parts if not isinstance(part, Unknown)]
        return self.chance.choice(known or list(parts))

    def _listed(self, tree: Listed, true: bool) -> None:
        items = [one.text for one in tree.items if isinstance(one, Constant) and one.text is not None]
        if len(items) != len(tree.items) or not items:
            return
        if not tree.all and tree.sign != "=":
            items = [self.chance.choice(items)]
        if not tree.all and tree.sign == "=" and true and isinstance(tree.left, Column):
            self.of(tree.left.name).among(items)
            return
        for item in items:
            self._compared(Compared(tree.sign, tree.left, Constant(item)), true)

    def _compared(self, tree: Compared, true: bool) -> None:
        sign, left, right = ("<>" if tree.sign == "!=" else tree.sign), tree.left, tree.right
        if not true:
            if sign not in CONTRARY:
                return
            sign = CONTRARY[sign]
        if isinstance(left, Constant) and sign in FLIPPED:
            sign, left, right = FLIPPED[sign], right, left
        if isinstance(left, Column) and isinstance(right, Column):
            self.relations.append(Relation(sign, left.name, right.name))
        elif isinstance(left, Column) and isinstance(right, Constant) and right.text is not None:
            self._value(self.of(left.name), sign, right.text)
        elif isinstance(left, Call) and left.arguments and isinstance(left.arguments[0], Column):
            self._call(left.name, left.arguments[0], sign, right)
        elif isinstance(right, Call) and sign == "=" and isinstance(left, Column):
            self._compared(Compared(sign, right, left), True)

    def _value(self, wish: Wish, sign: str, value: str) -> None:
        if sign == "=":
            wish.among([value])
        elif sign == "<>":
            wish.excluded.append(value)
            wish.shortest = max(wish.shortest, 1 if value == "" else 0)
        elif sign in ("<", "<=", ">", ">="):
            wish.bounded(sign, value)
        elif sign in ("~", "~*", "~~", "~~*"):
            wish.patterns.append((sign, value))

    def _call(self, name: str, column: Column, sign: str, right: Tree) -> None:
        wish = self.of(column.name)
        constant = right.text if isinstance(right, Constant) else None
        if name in LENGTHS and constant is not None and number_of(constant) is not None:
            wish.long(sign, int(Decimal(constant)))
        elif name in TRIMMED and constant == "" and sign in ("<>", ">"):
            wish.shortest = max(wish.shortest, 1)
        elif name in ("lower", "upper") and sign == "=" and right == column:
            wish.case = name
        elif name in ("jsonb_typeof", "json_typeof") and sign == "=" and constant in JSON_OF_TYPE:
            wish.among([JSON_OF_TYPE[constant]])


def number_of(text: str) -> Decimal | None:
    """The number that a text is, or None; neither infinity nor NaN is one."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _less(first: str, second: str) -> bool:
    numbers = number_of(first), number_of(second)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] < numbers[1]
    return first < second
