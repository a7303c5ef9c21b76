# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no rollback can take back is told from what it should have given back."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import Difference, difference
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.residue import (
    beyond_residue,
    header_line,
    undeclared,
)

ORDER = "column order public.orders"
MOOD = "enum public.mood"


@pytest.mark.parametrize(
    ("before", "after", "residue"),
    [
        ({ORDER: {"columns": ["a", "b"]}}, {ORDER: {"columns": ["b", "a"]}}, [ORDER]),
        (
            {MOOD: {"labels": ["sad", "glad"]}},
            {MOOD: {"labels": ["sad", "so", "glad", "so-so"]}},
            ["enum label public.mood.so", "enum label public.mood.so-so"],
        ),
    ],
)
def test_what_is_residue(before: dict, after: dict, residue: list[str]) -> None:
    found, left = beyond_residue(difference(before, after))
    assert not found
    assert left == residue


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A column more, a column less, another one: no order.
        ({ORDER: {"columns": ["a", "b"]}}, {ORDER: {"columns": ["b", "a", "c"]}}),
        ({ORDER: {"columns": ["a", "b"]}}, {ORDER: {"columns": ["a"]}}),
        ({ORDER: {"columns": ["a", "b"]}}, {ORDER: {"columns": ["b", "c"]}}),
        # Labels that are gone, renamed or in another order can be given back.
        ({MOOD: {"labels": ["sad", "glad"]}}, {MOOD: {"labels": ["sad"]}}),
        ({MOOD: {"labels": ["sad", "glad"]}}, {MOOD: {"labels": ["sad", "joyful"]}}),
        ({MOOD: {"labels": ["sad", "glad"]}}, {MOOD: {"labels": ["glad", "sad"]}}),
        ({MOOD: {"owner": "a"}}, {MOOD: {"owner": "b"}}),
        ({}, {ORDER: {"columns": ["a"]}}),
        ({ORDER: {"columns": ["a"]}}, {}),
    ],
)
def test_what_is_none(before: dict, after: dict) -> None:
    whole = difference(before, after)
    assert beyond_residue(whole) == (whole, [])


def test_of_one_object_the_rest_is_still_told() -> None:
    before = {MOOD: {"labels": ["sad"], "owner": "a"}}
    after = {MOOD: {"labels": ["sad", "glad"], "owner": "b"}}
    found, left = beyond_residue(difference(before, after))
    assert found == Difference(changed={MOOD: {"owner": ("a", "b")}})
    assert left == ["enum label public.mood.glad"]


@pytest.mark.parametrize(
    ("residue", "declared", "silent"),
    [
        ("column order public.orders", ["column order orders"], False),
        ("column order public.orders", ["column order public.orders"], False),
        ("column order shop.orders", ["column order orders"], False),
        ("column order shop.orders", ["column order public.orders"], True),
        ("column order public.orders", ["column order order"], True),
        ("column order public.orders", ["enum label orders"], True),
        ('column order "my.shop"."Orders"', ['column order "Orders"'], False),
        ("enum label public.mood.trial", ["enum label mood.trial"], False),
        ("enum label public.mood.trial", ["enum label mood.error"], True),
        ("enum label public.mood.in. two", ["enum label mood.in. two"], False),
        ("enum label public.mood.trial", [], True),
    ],
)
def test_a_name_without_schema_is_one_in_any(residue: str, declared: list[str], silent: bool) -> None:
    assert undeclared([residue], declared) == ([residue] if silent else [])


def test_the_line_that_is_offered_declares_it() -> None:
    for residue, line in {
        "column order public.orders": "-- Leaves: column order orders",
        "column order shop.orders": "-- Leaves: column order shop.orders",
        "enum label public.mood.trial": "-- Leaves: enum label mood.trial",
    }.items():
        assert header_line(residue) == line
        assert undeclared([residue], [line.removeprefix("-- Leaves: ")]) == []
