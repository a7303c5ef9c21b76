# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two series of figures beside each other: median, spread, ratio, and what the one may be at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

__all__ = ["UNITS", "Comparison", "Spread", "Target", "in_words"]

#: How many of a unit's base there are in one, and how it is written.
UNITS = {"s": 1.0, "MB": float(2**20)}


class Spread(NamedTuple):
    """The median of a series, with its least and its greatest figure."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, series: Sequence[float]) -> Spread:
        """Of one figure at least.

        Raises:
            ValueError: there is none.
        """
        if not series:
            raise ValueError("a series without any figure has no median")
        return cls(median(series), min(series), max(series))


@dataclass(frozen=True)
class Target:
    """What a median may be at most: so many times the peer's, and so much more.

    Attributes:
        factor: of the peer's median; 0 for a bound that does not depend on it.
        plus: seconds or bytes besides.
        where: what the target is set for, where it is not for any size: "at 1,000,000 files".
    """

    factor: float = 1.0
    plus: float = 0.0
    where: str = ""

    def bound(self, peer: float) -> float:
        return self.factor * peer + self.plus

    def in_words(self, unit: str) -> str:
        """For example "1.2 times + 0.03 s"; the unit is one of UNITS."""
        parts = [f"{self.factor:g} times"] if self.factor and (self.factor != 1 or not self.plus) else []
        if self.plus:
            parts.append(f"{'+ ' if self.factor else ''}{self.plus / UNITS[unit]:g} {unit}")
        return " ".join([*parts, *([self.where] if self.where else [])])


@dataclass(frozen=True)
class Comparison:
    """What the runbook took beside what something else took for the same, in the same turns.

    Attributes:
        name: short, for plots.
        what: what was measured.
        beside: what the peer is.
        own: the runbook's figures, in seconds or bytes, one a turn.
        peer: the peer's.
        unit: in which they are shown, one of UNITS.
    """

    name: str
    what: str
    beside: str
    own: Sequence[float]
    peer: Sequence[float]
    unit: str = "s"
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """Of the medians; None where the peer's is nothing."""
        peer = median(self.peer)
        return median(self.own) / peer if peer else None

    @property
    def ratios(self) -> list[float]:
        """Turn by turn, as far as both have one."""
        return [own / peer for own, peer in zip(self.own, self.peer, strict=False) if peer]

    @property
    def met(self) -> bool | None:
        """Whether the median is within the target; None where there is none."""
        if self.target is None:
            return None
        return median(self.own) <= self.target.bound(median(self.peer))


def in_words(figure: float, unit: str) -> str:
    """With three digits that say something: "12.3 s", "1.23 s", "0.123 s", "150 MB"."""
    shown = figure / UNITS[unit]
    if unit != "s":
        return f"{shown:.0f} {unit}"
    digits = 1 if shown >= 10 else 2 if shown >= 1 else 3
    return f"{shown:.{digits}f} {unit}"
