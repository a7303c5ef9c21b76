# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which combinations of a test's parameters are enough to have each pair of values once.

Of faults that a combination of values brings out, nearly all need one value or two (D. R. Kuhn, D. R. Wallace and
A. M. Gallo, "Software Fault Interactions and Implications for Software Testing", IEEE TSE 30, 2004).  A test that is
marked ``pairs`` is tried with so many of its combinations in ``make test``, and with all in ``make combinations``.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence

__all__ = ["covering"]

Pair = frozenset[tuple[str, Hashable]]


def covering(combinations: Sequence[Mapping[str, Hashable]]) -> list[int]:
    """Places of combinations in which each pair of values that is in any of them is at least once.

    Greedy: the one that brings most new pairs is next, the first of those that bring as many. Where there is one
    parameter only, each of its values is a pair with nothing.

    Args:
        combinations: parameter -> value of each.
    """
    pairs = [_pairs(one) for one in combinations]
    missing = set().union(*pairs)
    chosen: list[int] = []
    while missing:
        best = max(range(len(pairs)), key=lambda place: (len(pairs[place] & missing), -place))
        chosen.append(best)
        missing -= pairs[best]
    return sorted(chosen)


def _pairs(combination: Mapping[str, Hashable]) -> set[Pair]:
    values = sorted(combination.items(), key=lambda item: item[0])
    return {frozenset(pair) for pair in itertools.combinations(values, min(2, len(values)))}
