# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The comparisons as a table: for the screen, and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measurement import columns
from benchmarks.speed.figures import Comparison, Spread, in_words

__all__ = ["markdown", "on_screen", "rows_of"]

HEADINGS = ("what, and beside what", "runbook", "beside it", "ratio", "target", "met")
MET = {True: "yes", False: "NO", None: ""}


def rows_of(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """The cells of each: medians with the least and the greatest figure, and the ratio of the medians likewise."""
    return [
        (
            f"{one.what}; {one.beside}",
            _series(one.own, one.unit),
            _series(one.peer, one.unit),
            _ratio(one),
            one.target.in_words(one.unit) if one.target else "",
            MET[one.met],
        )
        for one in comparisons
    ]


def on_screen(comparisons: Sequence[Comparison]) -> str:
    return columns(HEADINGS, rows_of(comparisons))


def markdown(comparisons: Sequence[Comparison]) -> str:
    """The table in Markdown, with a line end."""
    lines = [HEADINGS, ("---", *("---:" for _ in HEADINGS[1:-1]), "---"), *rows_of(comparisons)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _series(series: Sequence[float], unit: str) -> str:
    middle, least, greatest = Spread.of(series)
    shown = in_words(middle, unit)
    if len(series) == 1:
        return shown
    return f"{shown} ({_bare(least, unit)} to {_bare(greatest, unit)})"


def _ratio(one: Comparison) -> str:
    if one.ratio is None:
        return ""
    if len(one.ratios) < 2:
        return f"{one.ratio:.2f}"
    return f"{one.ratio:.2f} ({min(one.ratios):.2f} to {max(one.ratios):.2f})"


def _bare(figure: float, unit: str) -> str:
    return in_words(figure, unit).removesuffix(f" {unit}")
