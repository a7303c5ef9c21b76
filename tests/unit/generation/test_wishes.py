# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What checks ask of values."""

from __future__ import annotations

from random import Random

from ansible_collections.pgops.runbook.plugins.module_utils.generation.expressions import understood
from ansible_collections.pgops.runbook.plugins.module_utils.generation.wishes import (
    Relation,
    Wish,
    Wishes,
    number_of,
)


def asked(text: str) -> Wishes:
    wishes = Wishes(Random(1))
    wishes.add(understood(text))
    return wishes


def test_bounds_are_the_narrowest() -> None:
    wish = asked("((a > 1) AND (a >= 10) AND (100 >= a) AND (a < 1000))").of("a")
    assert (wish.low, wish.high) == (("10", False), ("100", False))


def test_the_contrary_of_a_comparison() -> None:
    assert asked("(NOT (a > 5))").of("a").high == ("5", False)


def test_a_list_and_what_it_leaves_out() -> None:
    wish = asked("((a = ANY (ARRAY['x'::text, 'y'::text])) AND (a <> 'x'::text))").of("a")
    assert (wish.choices, wish.excluded) == (["x", "y"], ["x"])
    assert asked("(a <> ALL (ARRAY[1, 2]))").of("a").excluded == ["1", "2"]


def test_lengths() -> None:
    wish = asked("((length(a) >= 3) AND (char_length((a)::text) < 8))").of("a")
    assert (wish.shortest, wish.longest) == (3, 7)
    assert asked("(length(TRIM(BOTH FROM a)) > 0)").columns == {}
    assert asked("(btrim(a) <> ''::text)").of("a").shortest == 1
    assert asked("(a <> ''::text)").of("a").shortest == 1


def test_one_way_of_several_is_taken_and_rather_one_that_is_understood() -> None:
    wishes = asked("((strange(a) IS TRUE) OR (a IS NULL))")
    assert wishes.of("a").null is True


def test_columns_among_each_other_case_and_json() -> None:
    wishes = asked(
        "((a < b) AND (c = lower(c)) AND (jsonb_typeof(d) = 'array'::text) AND e AND (NOT f) AND (g IS NOT NULL))"
    )
    assert wishes.relations == [Relation("<", "a", "b")]
    assert wishes.of("c").case == "lower"
    assert wishes.of("d").choices == ["[1, 2]"]
    assert (wishes.of("e").choices, wishes.of("f").choices) == (["true"], ["false"])
    assert wishes.of("g").null is False


def test_what_is_not_understood_asks_nothing() -> None:
    assert asked("((a)::text IS DISTINCT FROM 'x'::text)").columns == {}
    assert asked("(a = ANY (ARRAY[b, 1]))").columns == {}
    assert Wish() == Wishes(Random(1)).of("a")


def test_numbers() -> None:
    assert number_of("1e3") == 1000
    assert (number_of("x"), number_of("NaN"), number_of("Infinity")) == (None, None, None)
