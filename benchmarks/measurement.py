# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one measurement of the proof found, and the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Measurement", "columns", "first_of", "table"]

HEADINGS = ("what", "tried", "found", "bar", "passed")


@dataclass(frozen=True)
class Measurement:
    """One row of the table.

    Attributes:
        what: what was tried and what counts as found.
        tried: how often.
        found: how often it was found.
        bar: how often it must have been found.
        at_least: more than the bar is as good.
        holds: what else must be true for the bar to be met, such as a rate of writing.
        notes: sentences below the table: figures, and what was not found, by name.
        known_misses: how many of those not found are listed with their reason; they miss the bar all the same.
    """

    what: str
    tried: int
    found: int
    bar: int
    holds: bool = True
    notes: Sequence[str] = field(default=())
    known_misses: int = 0
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """The bar is met exactly, or at least, something was tried, and what else must hold does."""
        met = self.found == self.bar or (self.at_least and self.found > self.bar)
        return self.tried > 0 and met and self.holds

    @property
    def as_known(self) -> bool:
        """The bar is met, or missed by exactly what is known to miss it: a new miss is a defect."""
        return self.tried > 0 and self.found + self.known_misses == self.bar and self.holds


def table(measurements: Sequence[Measurement]) -> str:
    """The table, with the notes of each measurement below it."""
    rows = [
        (one.what, str(one.tried), str(one.found), str(one.bar), "yes" if one.passed else "NO")
        for one in measurements
    ]
    lines = [columns(HEADINGS, rows)]
    for one in measurements:
        if one.notes:
            lines += ["", f"{one.what}:", *(f"  {note}" for note in one.notes)]
    return "\n".join(lines)


def columns(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text below their headings; all but the first column to the right."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = []
    for row in [headings, tuple("-" * width for width in widths), *rows]:
        figures = [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *figures]))
    return "\n".join(lines)


def first_of(sentences: Sequence[str], shown: int = 5) -> list[str]:
    """The first few of them, and how many there are besides."""
    more = len(sentences) - shown
    return [*sentences[:shown], *([f"and {more} more"] if more > 0 else ())]
