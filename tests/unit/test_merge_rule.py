# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The merge rule of the stories of `make lossless`, row by row and column by column."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.merge_stories.model import Column, Record, State, Table, mark, ref, serial
from benchmarks.merge_stories.rule import Merged, merge
from benchmarks.merge_stories.values import MADE, Ref, holds

ITEM = Table("item", (serial(), mark(), Column("a"), Column("b")), uniques=(("b",),))
PART = Table("part", (serial(), mark(), ref("item", "item")))


def row(a: Any = "a", b: Any = "b", number: Any = 1) -> Record:
    return {"id": number, "mark": "x", "a": a, "b": b}


def merged(base: Record | None, theirs: Record | None, now: Record | None, **others: Any) -> Merged:
    states: list[State] = [{"item": {} if one is None else {"x": one}} for one in (base, theirs, now)]
    return merge(states[0], states[1], states[2], (ITEM,), lambda value: value != 7, **others)


@pytest.mark.parametrize(
    ("base", "theirs", "now", "expected"),
    [
        (row(), row(), row(), row()),
        (row(), row("user"), row(), row("user")),
        (row(), row(), row("old"), row("old")),
        (row(), row("user"), row(b="old"), row("user", "old")),
        (row(), row("user"), row("user"), row("user")),
        (row(), row(), None, None),
        (row(), None, row(), None),
        (row(), None, None, None),
        (None, row("user"), None, row("user")),
        (None, None, row("old"), row("old")),
    ],
)
def test_what_only_one_side_changed_is_there(
    base: Record | None, theirs: Record | None, now: Record | None, expected: Record | None
) -> None:
    found = merged(base, theirs, now)
    assert found.state["item"].get("x") == expected
    assert not found.conflicts
    assert not found.obstructed


@pytest.mark.parametrize(
    ("theirs", "now", "waits"),
    [
        (row("user"), row("old"), {("item", "x", "a"): "user"}),
        (row(None), row("old"), {("item", "x", "a"): None}),
        (row("user"), None, {("item", "x", None): {"a": "user"}}),
        (None, row("old"), {("item", "x", None): None}),
    ],
)
def test_where_both_changed_now_stands_and_theirs_waits(
    theirs: Record | None, now: Record | None, waits: dict[Any, Any]
) -> None:
    found = merged(row(), theirs, now)
    assert found.state["item"].get("x") == now
    assert found.conflicts == waits


def test_a_number_that_the_database_made_up_comes_back_and_is_no_change_of_a_user() -> None:
    made = row(number=MADE)
    assert merged(made, row(number=7), made).state["item"]["x"] == row(number=7)
    assert not merged(made, row(number=7), None).conflicts
    assert merged(made, row(number=8), None).conflicts == {("item", "x", None): {"id": 8}}


def test_what_another_row_has_that_is_unique_is_in_the_way() -> None:
    base, theirs, now = (
        {"item": {"x": row(b=None)}},
        {"item": {"x": row("user", "one")}},
        {"item": {"x": row(b=None), "y": row("y", "one", 2)}},
    )
    found = merge(base, theirs, now, (ITEM,), lambda value: True)
    assert found.state == now
    assert found.obstructed == {("item", "x", "a"): "user", ("item", "x", "b"): "one"}


def test_what_refers_to_a_row_that_is_gone_waits_and_what_refers_to_that_too() -> None:
    child = {"id": 1, "mark": "p", "item": Ref("x")}
    base: State = {"item": {"x": row()}, "part": {}}
    theirs: State = {"item": {"x": row()}, "part": {"p": child}}
    now: State = {"item": {}, "part": {}}
    found = merge(base, theirs, now, (ITEM, PART), lambda value: True)
    assert found.state == now
    assert found.obstructed == {("part", "p", None): child}


def test_a_row_that_somebody_refers_to_on_the_other_side_stays() -> None:
    base: State = {"item": {"x": row()}, "part": {}}
    theirs: State = {"item": {}, "part": {}}
    now: State = {"item": {"x": row()}, "part": {"p": {"id": 1, "mark": "p", "item": Ref("x")}}}
    found = merge(base, theirs, now, (ITEM, PART), lambda value: True)
    assert found.state == now
    assert found.obstructed == {("item", "x", None): None}


def test_what_cannot_be_known_again_may_wait() -> None:
    found = merged(row(), row("user"), row(), doubtful={"x"})
    assert found.obstructed == {("item", "x", "a"): "user"}
    assert not found.back


def test_what_nobody_wrote_may_be_as_either_version_of_an_edited_migration_makes_it() -> None:
    found = merged(row("second"), row("first"), row("second"))
    found.forgive({"item": {"x": row("first")}}, {"item": {"x": row("second")}}, cells=set())
    assert found.obstructed == {("item", "x", "a"): "first"}
    found = merged(row("second"), row("first"), row("second"))
    found.forgive({"item": {"x": row("first")}}, {"item": {"x": row("second")}}, cells={("x", "a")})
    assert found.back == {("item", "x", "a"): "first"}


def test_what_the_first_version_of_an_edited_migration_never_made_nobody_deleted() -> None:
    found = merged(row("second"), None, row("second"))
    found.forgive({"item": {}}, {"item": {"x": row("second")}}, cells=set())
    assert found.state == {"item": {"x": row("second")}}
    assert not found.back


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("(1,Qabcz)", "Qabcz", True),
        ("(1,XQabcz)", "Qabcz", False),
        ("(1,qabcz)", "Qabcz", False),
        ("(98.7100)", Decimal("98.71"), True),
        ("(198.71)", Decimal("98.71"), False),
        ("(98.715)", Decimal("98.71"), False),
        ("(12)", 12, True),
        ("(120)", 12, False),
        ("(2020-01-01 05:30:00.120345+05:30)", datetime(2020, 1, 1, 0, 0, 0, 120345), True),
    ],
)
def test_a_value_is_found_in_a_text_and_no_part_of_another_is(text: str, value: Any, found: bool) -> None:
    assert holds(text, value) == found
