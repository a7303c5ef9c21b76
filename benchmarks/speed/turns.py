# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""In which order those that are compared have their turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

__all__ = ["orders"]


def orders(names: Iterable[str], turns: int, chance: Random) -> Iterator[tuple[str, ...]]:
    """One order a turn: by chance in the first, and each the other way round than the one before.

    So nobody always comes first, and what slows the machine down for a while meets both.
    """
    order = list(names)
    chance.shuffle(order)
    for _ in range(turns):
        yield tuple(order)
        order.reverse()
