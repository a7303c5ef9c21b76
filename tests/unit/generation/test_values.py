# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of types, by their names and by what is asked of them."""

from __future__ import annotations

import re
from random import Random

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.generation.scalars import number, time_value
from ansible_collections.pgops.runbook.plugins.module_utils.generation.types import DataType
from ansible_collections.pgops.runbook.plugins.module_utils.generation.values import Wanted, value
from ansible_collections.pgops.runbook.plugins.module_utils.generation.wishes import Wish
from ansible_collections.pgops.runbook.plugins.module_utils.generation.words import (
    number_by_name,
    text_by_name,
)

TEXT = DataType("text")
INTEGER = DataType("int4")


def made(
    of: DataType, name: str = "x", wish: Wish | None = None, typmod: int = -1, place: int | None = None
) -> str:
    return value(of, typmod, Wanted(name, Random(7), wish or Wish(), place))


def test_the_same_seed_gives_the_same_value_and_another_one_another() -> None:
    assert made(TEXT, "email") == made(TEXT, "email")
    assert text_by_name("email", Random(1)) != text_by_name("email", Random(2))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("contact_email", r"\w+\.\w+\d+@example\.com"),
        ("homepage_url", r"https://www\.example\.com/.*"),
        ("sha256", "[0-9a-f]{64}"),
        ("external_uuid", "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("country_code", "[A-Z]{2}"),
        ("client_ip", r"192\.0\.2\.\d+"),
    ],
)
def test_texts_are_believable_by_name(name: str, pattern: str) -> None:
    assert re.fullmatch(pattern, text_by_name(name, Random(3)))


def test_a_database_without_other_letters_gets_none() -> None:
    assert all(text_by_name("city", Random(seed), ascii_only=True).isascii() for seed in range(40))


def test_numbers_are_believable_by_name() -> None:
    assert number_by_name("birth_year") == (1970, 2030)
    assert 0 <= float(number("float8", -1, "ratio", Wish(), Random(1), None)) <= 1


@pytest.mark.parametrize(
    ("wish", "low", "high"),
    [
        (Wish(low=("5", True)), 6, None),
        (Wish(high=("5", True)), None, 4),
        (Wish(low=("10", False), high=("12", False)), 10, 12),
        (Wish(low=("-9", False), high=("-9", False)), -9, -9),
        (Wish(low=("now", False)), None, None),
    ],
)
@pytest.mark.parametrize("place", [None, 0, 1, 50])
def test_numbers_are_within_their_bounds(
    wish: Wish, low: int | None, high: int | None, place: int | None
) -> None:
    found = int(made(INTEGER, wish=wish, place=place))
    assert low is None or found >= low
    assert high is None or found <= high


def test_numbers_fit_their_columns() -> None:
    # numeric(3,1): 3 * 65536 + 1 + 4
    assert re.fullmatch(r"\d{1,2}\.\d", number("numeric", 196613, "price", Wish(), Random(1), None))
    assert int(number("int2", -1, "total", Wish(high=("1000000", False)), Random(1), None)) <= 32767


@pytest.mark.parametrize(
    "wish",
    [
        Wish(low=("1e400", True)),
        Wish(low=("9" * 60, False), high=("9" * 61, False)),
        Wish(high=("-1e131071", True)),
        Wish(low=("5", False), high=("1", False)),
    ],
)
def test_bounds_that_are_out_of_all_reason_are_no_error(wish: Wish) -> None:
    assert number("numeric", -1, "x", wish, Random(1), None)
    assert number("int4", -1, "x", wish, Random(1), 3)


@pytest.mark.parametrize(
    "bound", ["9999-12-31", "0001-01-01", "infinity", "4713-01-01 BC", "9999-12-31 23:59:59+00"]
)
@pytest.mark.parametrize("kind", ["date", "timestamptz"])
def test_times_at_the_ends_of_the_calendar_are_no_error(kind: str, bound: str) -> None:
    for wish in (
        Wish(low=(bound, True)),
        Wish(high=(bound, True)),
        Wish(low=(bound, False), high=(bound, False)),
    ):
        for place in (None, 5, 10**7):
            assert time_value(kind, "x", wish, Random(1), place)


def test_values_that_must_differ_differ() -> None:
    for of, typmod in ((TEXT, -1), (DataType("varchar"), 7), (INTEGER, -1), (DataType("date"), -1)):
        assert len({made(of, "code", typmod=typmod, place=place) for place in range(300)}) == 300
    assert {made(DataType("varchar"), typmod=5, place=place) for place in range(20)} == set(
        "0123456789abcdefghij"
    )


def test_texts_are_as_long_as_they_may_and_must_be() -> None:
    assert len(made(DataType("varchar"), "description", typmod=7)) <= 3
    assert len(made(TEXT, "city", Wish(shortest=40, longest=40))) == 40
    assert made(TEXT, "city", Wish(longest=0)) == ""
    assert made(TEXT, "title", Wish(case="upper")).isupper()
    assert re.fullmatch("[A-Z]{3}", made(TEXT, wish=Wish(patterns=[("~", "(?=x)"), ("~", "^[A-Z]{3}$")])))


def test_times_are_within_their_bounds_and_none_of_today() -> None:
    wish = Wish(low=("2031-05-01 00:00:00+00", False), high=("2031-06-01 00:00:00+00", True))
    assert time_value("timestamptz", "at", wish, Random(1), None).startswith("2031-05")
    assert time_value("date", "at", Wish(high=("2001-01-01", False)), Random(1), None) < "2001-01-01"
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d", time_value("time", "at", Wish(low=("08:00", False)), Random(1), None)
    )
    assert time_value("timetz", "at", Wish(), Random(1), None).endswith("+00")


def test_types_of_users_are_put_together() -> None:
    mood = DataType("mood", "enum", labels=("good", 'so "so"'))
    assert made(mood, wish=Wish(excluded=["good"])) == 'so "so"'
    assert re.fullmatch(
        r'\{"so \\\\"so\\\\""(,.*)?\}|\{"good".*\}', made(DataType("_mood", "array", inner=mood))
    )
    pair = DataType("pair", "composite", attributes=(("a", INTEGER, -1), ("b", mood, -1)))
    assert re.fullmatch(r'\("\d+",".*"\)', made(pair))
    share = DataType("share", "domain", inner=INTEGER, checks=("((VALUE >= 7) AND (VALUE <= 8))",))
    assert made(share) in ("7", "8")
    assert (
        made(DataType("share2", "domain", inner=share, checks=("(VALUE <> 7)",)), wish=Wish(low=("8", False)))
        == "8"
    )
    low, high = re.fullmatch(
        r'\["(-?\d+)","(-?\d+)"\)', made(DataType("int4range", "range", inner=INTEGER))
    ).groups()
    assert int(low) < int(high)
    assert made(DataType("textrange", "range", inner=mood)).startswith("[")
    assert (
        made(DataType("int4multirange", "multirange", inner=DataType("int4range", "range", inner=INTEGER)))[0]
        == "{"
    )
    assert made(DataType("_int4", "array", inner=INTEGER), wish=Wish(shortest=3, longest=3)).count(",") == 2
    assert made(DataType("vector"), typmod=3).count(",") == 2
    assert made(DataType("odd", samples=("1.2.3",))) == "1.2.3"
