# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plots of the comparisons: every figure as a dot, and the ratios beside their targets. SVG, written as text.

The axes are logarithmic: a lock of milliseconds and a deploy of minutes stand in one picture, and half as long looks as
much better as twice as long looks worse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from xml.sax.saxutils import escape, quoteattr

from benchmarks.speed.figures import UNITS, Comparison

__all__ = ["Axis", "plot_of_figures", "plot_of_ratios"]

# Lengths in the picture's own unit, at its natural size a pixel.
LABELS, PLOT, RIGHT = 330, 520, 30
TOP, ROW, BOTTOM = 54, 30, 34
OWN, PEER, QUIET, BAD = "#1f5fa8", "#8a5a00", "#888888", "#b00020"
LEAST = 1e-4  # of a figure that is nothing, which no logarithm has


class Axis:
    """A logarithmic axis that holds these figures, from one power of ten to another.

    Args:
        figures: at least one.
    """

    def __init__(self, figures: Iterable[float]) -> None:
        logarithms = [math.log10(max(figure, LEAST)) for figure in figures]
        self.first = math.floor(min(logarithms))
        self.last = max(math.ceil(max(logarithms)), self.first + 1)

    def place(self, figure: float) -> float:
        """Where a figure stands, from the picture's left edge."""
        share = (math.log10(max(figure, LEAST)) - self.first) / (self.last - self.first)
        return round(LABELS + share * PLOT, 1)

    def ticks(self) -> list[float]:
        return [10.0**power for power in range(self.first, self.last + 1)]


def plot_of_figures(comparisons: Sequence[Comparison], title: str, unit: str = "s") -> str:
    """Each figure of both as a dot, the medians as lines; comparisons in another unit are left out."""
    shown = [one for one in comparisons if one.unit == unit]
    scale = UNITS[unit]
    axis = Axis([figure / scale for one in shown for figure in (*one.own, *one.peer)] or [1.0])
    parts = [*_frame(shown, axis, title, unit), *_key()]
    for number, one in enumerate(shown):
        for series, colour, shift in ((one.own, OWN, 10), (one.peer, PEER, 20)):
            y = TOP + number * ROW + shift
            parts += [_dot(axis.place(figure / scale), y, colour) for figure in series]
            parts.append(_line(axis.place(median(series) / scale), y, colour))
    return _picture(shown, title, parts)


def plot_of_ratios(comparisons: Sequence[Comparison], title: str) -> str:
    """The ratio of the medians of each, and where its target lies; those without a ratio are left out."""
    shown = [(one, one.ratio) for one in comparisons if one.ratio is not None]
    allowed = {
        one.name: one.target.bound(median(one.peer)) / median(one.peer) for one, _ in shown if one.target
    }
    axis = Axis([*(ratio for _, ratio in shown), *allowed.values(), 1.0])
    parts = [*_frame([one for one, _ in shown], axis, title, "times as much as what is beside it")]
    parts.append(f'<text x="10" y="42" fill="{QUIET}">the black line is the target; red is beyond it</text>')
    for number, (one, ratio) in enumerate(shown):
        y = TOP + number * ROW + 8
        begin, end = sorted((axis.place(1.0), axis.place(ratio)))
        colour = BAD if one.met is False else OWN
        parts.append(
            f'<rect x="{begin}" y="{y}" width="{max(end - begin, 1):.1f}" height="14" fill="{colour}">'
            f"<title>{escape(one.what)}: {ratio:.2f}</title></rect>"
        )
        if one.name in allowed:
            parts.append(_line(axis.place(allowed[one.name]), y + 7, "#000000"))
    return _picture([one for one, _ in shown], title, parts)


def _frame(shown: Sequence[Comparison], axis: Axis, title: str, unit: str) -> Iterator[str]:
    """Title, ticks and labels."""
    foot = TOP + len(shown) * ROW
    yield f'<text x="10" y="20" font-weight="bold">{escape(title)}</text>'
    for tick in axis.ticks():
        x = axis.place(tick)
        yield f'<path d="M{x} {TOP}V{foot}" stroke="#dddddd"/>'
        yield f'<text x="{x}" y="{foot + 16}" text-anchor="middle" fill="{QUIET}">{tick:g}</text>'
    yield f'<text x="{LABELS}" y="{foot + 30}" fill="{QUIET}">{escape(unit)}</text>'
    for number, one in enumerate(shown):
        y = TOP + number * ROW + 19
        yield f'<text x="{LABELS - 10}" y="{y}" text-anchor="end">{escape(one.name)}</text>'


def _key() -> Iterator[str]:
    for x, colour, words in ((10, OWN, "runbook"), (110, PEER, "beside it")):
        yield _dot(x, 38, colour) + f'<text x="{x + 10}" y="42">{words}</text>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}" fill-opacity="0.5"/>'


def _line(x: float, y: float, colour: str) -> str:
    return f'<path d="M{x} {y - 9}V{y + 9}" stroke="{colour}" stroke-width="2"/>'


def _picture(shown: Sequence[Comparison], title: str, parts: Iterable[str]) -> str:
    width, height = LABELS + PLOT + RIGHT, TOP + len(shown) * ROW + BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' font-family="sans-serif" font-size="12" role="img" aria-label={quoteattr(title)}>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
