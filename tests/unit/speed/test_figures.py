# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Medians, spreads, ratios and targets of what make bench measures, and in which order it is measured."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.speed.figures import Comparison, Spread, Target, in_words
from benchmarks.speed.turns import orders

MEGABYTE = 2.0**20


def comparison(own: list[float], peer: list[float], target: Target | None = None) -> Comparison:
    return Comparison("name", "what", "beside", own, peer, target=target)


def test_one_slow_turn_moves_the_spread_and_not_the_median() -> None:
    assert Spread.of([2.0, 1.0, 90.0]) == (2.0, 1.0, 90.0)
    assert Spread.of([4.0, 1.0]).median == 2.5
    with pytest.raises(ValueError, match="no median"):
        Spread.of([])


def test_the_ratio_is_of_the_medians_and_its_spread_of_the_turns() -> None:
    one = comparison([2.0, 4.0, 90.0], [1.0, 2.0, 3.0])
    assert one.ratio == 2.0
    assert one.ratios == [2.0, 2.0, 30.0]
    swapped = comparison([1.0, 2.0, 3.0], [2.0, 4.0, 90.0])
    assert swapped.ratio == 0.5


def test_nothing_is_so_many_times_as_long_as_nothing() -> None:
    one = comparison([1.0], [0.0], Target(plus=2))
    assert (one.ratio, one.ratios, one.met) == (None, [], True)


def test_a_turn_that_one_of_them_did_not_end_has_no_ratio() -> None:
    assert comparison([2.0, 4.0], [1.0]).ratios == [2.0]


@pytest.mark.parametrize(
    ("target", "own", "met"),
    [
        (None, 9.0, None),
        (Target(1.5), 3.0, True),
        (Target(1.5), 3.001, False),
        (Target(1.2, 0.03), 2.42, True),
        (Target(1.2, 0.03), 2.44, False),
        (Target(plus=2.5), 4.5, True),
        (Target(plus=2.5), 4.51, False),
        (Target(0, 8), 8.0, True),
        (Target(0, 8), 8.1, False),
        (Target(0.1, where="at 1,000,000 files"), 0.2, True),
        (Target(0.1, where="at 1,000,000 files"), 0.21, False),
    ],
)
def test_a_target_is_met_up_to_its_bound(target: Target | None, own: float, met: bool | None) -> None:
    assert comparison([own], [2.0], target).met is met


@pytest.mark.parametrize(
    ("target", "unit", "words"),
    [
        (Target(1.0), "s", "1 times"),
        (Target(1.25), "s", "1.25 times"),
        (Target(1.2, 0.03, "at 1,000,000 files"), "s", "1.2 times + 0.03 s at 1,000,000 files"),
        (Target(plus=2.5), "s", "+ 2.5 s"),
        (Target(0, 8), "s", "8 s"),
        (Target(0, 400 * MEGABYTE), "MB", "400 MB"),
    ],
)
def test_a_target_in_words(target: Target, unit: str, words: str) -> None:
    assert target.in_words(unit) == words


@pytest.mark.parametrize(
    ("figure", "unit", "words"),
    [
        (0.0, "s", "0.000 s"),
        (0.0123, "s", "0.012 s"),
        (1.234, "s", "1.23 s"),
        (30.14, "s", "30.1 s"),
        (84.4 * MEGABYTE, "MB", "84 MB"),
    ],
)
def test_three_digits_say_enough(figure: float, unit: str, words: str) -> None:
    assert in_words(figure, unit) == words


def test_each_turn_goes_the_other_way_round_and_a_seed_says_who_begins() -> None:
    first, second, third = orders(["own", "peer"], 3, Random(1))
    assert sorted(first) == ["own", "peer"]
    assert second == first[::-1]
    assert third == first
    assert list(orders(["own", "peer"], 3, Random(1))) == [first, second, third]
    begin = {next(orders(["own", "peer"], 1, Random(seed))) for seed in range(20)}
    assert len(begin) == 2
