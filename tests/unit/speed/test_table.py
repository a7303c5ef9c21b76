# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of make bench, on the screen and in Markdown, and which rows it has."""

from __future__ import annotations

from benchmarks.speed.figures import Comparison, Target
from benchmarks.speed.rows import ROWS, comparisons
from benchmarks.speed.table import markdown, on_screen

SLOW = Comparison("slow", "deploy", "psql | by hand", [2.0, 4.0, 6.0], [1.0, 2.0, 2.0], target=Target(1.5))
QUICK = Comparison("quick", "rollback", "psql", [0.5], [1.0], target=Target(1.5))
SIZE = Comparison("size", "memory", "a tenth", [2.0**30], [2.0**30], unit="MB")


def test_the_screen_has_median_spread_ratio_and_whether_the_target_is_met() -> None:
    _, _, slow, quick, size = on_screen([SLOW, QUICK, SIZE]).splitlines()
    assert slow.split("  ")[0] == "deploy; psql | by hand"
    for cell in ("4.00 s (2.00 to 6.00)", "2.00 s (1.00 to 2.00)", "2.00 (2.00 to 3.00)", "1.5 times", "NO"):
        assert cell in slow
    assert quick.endswith("yes")
    assert quick.split()[2:] == ["0.500", "s", "1.00", "s", "0.50", "1.5", "times", "yes"]
    assert size.split()[3:] == ["1024", "MB", "1024", "MB", "1.00"]


def test_markdown_has_as_many_cells_in_each_row() -> None:
    lines = markdown([SLOW, QUICK]).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {7}
    assert lines[2].startswith("| deploy; psql \\| by hand | 4.00 s (2.00 to 6.00) |")


def test_nothing_measured_is_an_empty_table() -> None:
    assert len(on_screen([]).splitlines()) == len(markdown([]).splitlines()) == 2


def test_a_row_is_there_when_both_sides_are() -> None:
    samples = {
        "fingerprint/runbook": [2.0],
        "fingerprint/copy": [1.0],
        "migrations/sqitch": [1.0],
        "tables/x": [],
    }
    (one,) = comparisons(samples)
    assert (one.name, one.ratio, one.met) == ("data fingerprint", 2.0, False)
    (swapped,) = comparisons({"fingerprint/runbook": [1.0], "fingerprint/copy": [2.0]})
    assert (swapped.ratio, swapped.met) == (0.5, True)


def test_names_of_rows_are_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len({(row.what, row.beside) for row in ROWS}) == len(ROWS)
    assert all(row.own != row.peer for row in ROWS)
