# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which values a row needs, so that it falls into a partition that is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .expressions import Column, Compared, Constant, Listed, Tree

__all__ = ["Bound", "Partition", "conditions"]

RANGE = re.compile(r"FOR VALUES FROM \((.*)\) TO \((.*)\)", re.DOTALL)
LIST = re.compile(r"FOR VALUES IN \((.*)\)", re.DOTALL)
# One value of a bound: a string, or a word such as MINVALUE, NULL or a number.
VALUE = re.compile(r"\s*(E?'(?:[^']|'')*'|\([^()]*\)|[^,\s]+)[^,]*(?:,|$)")


class Bound(NamedTuple):
    """One level of partitions: the key of the table above, and what pg_get_expr() says of the partition's bound."""

    columns: tuple[str, ...]
    text: str


#: A leaf: the bounds from the topmost table down to it.
Partition = Sequence[Bound]


def conditions(partition: Partition) -> list[Tree]:
    """What is asked of the columns of a row that belongs into a partition; nothing where chance has to find it."""
    found: list[Tree] = []
    for bound in partition:
        in_list, in_range = LIST.fullmatch(bound.text), RANGE.fullmatch(bound.text)
        if in_list and bound.columns:
            values = tuple(Constant(one) for one in _values(in_list[1]) if one is not None)
            found += [Listed("=", False, Column(bound.columns[0]), values)] if values else []
        elif in_range:
            found += _within(bound.columns, _values(in_range[1]), _values(in_range[2]))
    return found


def _within(columns: Sequence[str], low: Sequence[str | None], high: Sequence[str | None]) -> list[Tree]:
    """Ranges compare column by column: a row that has the lower bound's values in all but the last is within."""
    found: list[Tree] = []
    for column, begin, end in zip(columns, low, high):
        if begin is not None and begin == end:
            found.append(Compared("=", Column(column), Constant(begin)))
            continue
        if begin is not None:
            found.append(Compared(">=", Column(column), Constant(begin)))
        if end is not None:
            found.append(Compared("<", Column(column), Constant(end)))
        break
    return found


def _values(text: str) -> list[str | None]:
    """The values of a bound; None for MINVALUE, MAXVALUE and NULL."""
    found: list[str | None] = []
    for match in VALUE.finditer(text):
        one = match[1]
        if one.startswith(("'", "E'")):
            inner = one[one.index("'") + 1 : -1].replace("''", "'")
            found.append(inner.replace("\\\\", "\\") if one.startswith("E") else inner)
        else:
            found.append(None if one in ("MINVALUE", "MAXVALUE", "NULL") else one.strip("()"))
    return found
