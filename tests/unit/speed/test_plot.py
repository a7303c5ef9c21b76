# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plots of make bench: well-formed, every figure in its place, none outside of the picture."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.speed.figures import Comparison, Target
from benchmarks.speed.plot import LABELS, PLOT, Axis, plot_of_figures, plot_of_ratios

SVG = "{http://www.w3.org/2000/svg}"
SLOW = Comparison('a <slow> & "odd" one', "deploy", "psql", [20.0, 40.0], [1.0, 2.0], target=Target(1.5))
QUICK = Comparison("quick", "rollback", "psql", [0.001], [0.1], target=Target(plus=2.5))
SIZE = Comparison("size", "memory", "a tenth", [2.0**27], [2.0**27], unit="MB")
NOTHING = Comparison("nothing", "wait", "psql", [0.0], [0.0], target=Target(1.2, 0.03))


def test_a_decade_is_as_wide_everywhere() -> None:
    axis = Axis([0.02, 30.0])
    assert axis.ticks() == [0.01, 0.1, 1.0, 10.0, 100.0]
    assert [axis.place(tick) for tick in axis.ticks()] == [LABELS + PLOT * n / 4 for n in range(5)]
    assert Axis([1.0]).ticks() == [1.0, 10.0]


def test_every_figure_is_a_dot_within_the_picture() -> None:
    picture = ElementTree.fromstring(plot_of_figures([SLOW, QUICK, SIZE, NOTHING], "a <title>"))
    dots = [float(dot.attrib["cx"]) for dot in picture.iter(f"{SVG}circle")]
    assert len(dots) == 2 + 6 + 2  # of the key, of figures, and those that are nothing
    assert all(LABELS <= place <= LABELS + PLOT for place in dots[2:])
    labels = [text.text for text in picture.iter(f"{SVG}text")]
    assert {SLOW.name, "quick", "nothing", "a <title>"} <= set(labels)
    assert "size" not in labels


def test_a_ratio_is_a_bar_from_one_and_its_target_a_line() -> None:
    picture = ElementTree.fromstring(plot_of_ratios([SLOW, QUICK, SIZE, NOTHING], "ratios"))
    bars = [bar for bar in picture.iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None]
    ends = [(float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])) for bar in bars]
    one = Axis([20.0, 0.01, 26.0, 1.5]).place(1.0)
    assert [ends[0][0], ends[1][1], ends[2][0]] == [one, pytest.approx(one, abs=0.1), one]
    assert ends[0][1] > one > ends[1][0]
    assert [bar.attrib["fill"] for bar in bars[:2]] == ["#b00020", "#1f5fa8"]
    lines = [path for path in picture.iter(f"{SVG}path") if path.attrib["stroke"] == "#000000"]
    assert len(lines) == 2


def test_nothing_measured_is_an_empty_picture() -> None:
    for text in (plot_of_figures([], "title"), plot_of_ratios([], "title")):
        ElementTree.fromstring(text)
