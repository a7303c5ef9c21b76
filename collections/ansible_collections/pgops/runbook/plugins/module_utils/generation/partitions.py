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
    trees: list[Tree] = []
    for bound in partition:
        in_list, in_range = LIST.fullmatch(bound.text), RANGE.fullmatch(bound.text)
        if in_list and bound.columns:
            values = tuple(Constant(one) for one in _values(in_list[1]) if one is not None)
            trees += [Listed("=", False, Column(bound.columns[0]), values)] if values else []
        elif in_range:
            trees += _within(bound.columns, _values(in_range[1]), _values(in_range[2]))
    return trees


def _within(columns: Sequence[str], low: Sequence[str | None], high: Sequence[str | None]) -> list[Tree]:
    """Ranges compare column by column: a row that has the lower bound's values in all but the last is within."""
    trees: list[Tree] = []
    for column, begin, end in zip(columns, low, high):
        if begin is not None and begin == end:
            trees.append(Compared("=", Column(column), Constant(begin)))
            continue
        if begin is not None:
            trees.append(Compared(">=", Column(column), Constant(begin)))
        if end is not None:
            trees.append(Compared("<", Column(column), Constant(end)))
        break
    return trees


def _values(text: str) -> list[str | None]:
    """The values of a bound; None for MINVALUE, MAXVALUE and NULL."""
    values: list[str | None] = []
    for match in VALUE.finditer(text):
        written = match[1]
        if written.startswith(("'", "E'")):
            inner = written[written.index("'") + 1 : -1].replace("''", "'")
            values.append(inner.replace("\\\\", "\\") if written.startswith("E") else inner)
        else:
            values.append(None if written in ("MINVALUE", "MAXVALUE", "NULL") else written.strip("()"))
    return values
