# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Differences of catalogs in words, and catalogs without one migration's change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import (
    Difference,
    describe,
    difference,
    undone,
)
from hypothesis import given
from hypothesis import strategies as st

BEFORE = {
    "table public.t": {"owner": "o", "privileges": ["o=r/o"]},
    "column public.t.a": {"type": "text"},
    "column public.t.b": {"type": "text", "default": "1"},
    "column order public.t": {"columns": ["a", "b"]},
    "index public.i": {"table": "public.t", "definition": "x"},
    "enum public.k": {"labels": ["x", "y"]},
}


def _with(catalog: Any, **entries: Any) -> Any:
    """A copy with entries set (or removed, for None)."""
    result = copy.deepcopy(catalog)
    for key, facts in entries.items():
        if facts is None:
            del result[key]
        else:
            result[key] = {**result.get(key, {}), **facts}
    return result


def test_equal_catalogs_have_no_difference() -> None:
    found = difference(BEFORE, copy.deepcopy(BEFORE))
    assert not found
    assert found == Difference()
    assert describe(found) == []


def test_the_lines_name_what_was_and_what_is() -> None:
    after = _with(
        BEFORE, **{"index public.i": None, "column public.t.a": {"type": "integer", "not null": True}}
    )
    assert describe(difference(BEFORE, after)) == [
        "index public.i: missing",
        "column public.t.a: not null was not set, is true; type was text, is integer",
    ]


def test_the_parts_of_a_missing_or_new_table_are_counted() -> None:
    nothing = {"enum public.k": BEFORE["enum public.k"]}
    assert describe(difference(BEFORE, nothing)) == [
        "table public.t: missing (with 4 columns, constraints and other parts)"
    ]
    assert describe(difference(nothing, BEFORE)) == [
        "table public.t: was not there before (with 4 columns, constraints and other parts)"
    ]


def test_a_quoted_name_with_dots_belongs_to_its_table() -> None:
    table = {'table s."a.b"': {}, 'column s."a.b"."c.""d"': {}, 'index s."e.f"': {"table": 's."a.b"'}}
    assert len(describe(difference(table, {}))) == 1


def test_a_long_body_is_cut_around_the_first_difference() -> None:
    was, is_ = "x" * 300 + "1" + "y" * 300, "x" * 300 + "2" + "y" * 300
    (line,) = describe(difference({"function f()": {"body": was}}, {"function f()": {"body": is_}}))
    assert "xx1yy" in line
    assert "xx2yy" in line
    assert len(line) < 300


def test_lists_say_what_they_lack_and_have_more() -> None:
    found = difference({"enum k": {"labels": ["x", "y"]}}, {"enum k": {"labels": ["x", "z"]}})
    assert describe(found) == ["enum k: labels lacks y and has z more"]


def test_another_order_is_shown_as_such() -> None:
    found = difference(
        {"column order t": {"columns": ["a", "b"]}}, {"column order t": {"columns": ["b", "a"]}}
    )
    assert describe(found) == ["column order t: columns was (a, b), is (b, a)"]


def test_every_difference_has_its_line() -> None:
    """What a sentence leaves out is counted by ``sentences``, which therefore has to be given all."""
    assert len(describe(difference({f"schema s{n}": {} for n in range(90)}, {}))) == 90


ADDS_C = _with(
    BEFORE,
    **{
        "column public.t.c": {"type": "integer"},
        "column order public.t": {"columns": ["a", "b", "c"]},
        "index public.c": {"table": "public.t", "definition": "c"},
    },
)


def test_undone_without_later_changes_is_before() -> None:
    assert undone(ADDS_C, BEFORE, ADDS_C) == (BEFORE, [])


def test_what_later_migrations_added_stays() -> None:
    current = _with(
        ADDS_C,
        **{
            "column public.t.d": {"type": "text"},
            "column order public.t": {"columns": ["a", "b", "c", "d"]},
            "table public.later": {"owner": "o"},
        },
    )
    expected, conflicts = undone(current, BEFORE, ADDS_C)
    assert conflicts == []
    assert expected["column order public.t"] == {"columns": ["a", "b", "d"]}
    assert "table public.later" in expected
    assert "column public.t.c" not in expected


def test_a_removed_column_returns_to_its_place() -> None:
    after = _with(BEFORE, **{"column public.t.a": None, "column order public.t": {"columns": ["b"]}})
    current = _with(
        after, **{"column order public.t": {"columns": ["b", "d"]}, "column public.t.d": {"type": "x"}}
    )
    expected, conflicts = undone(current, BEFORE, after)
    assert conflicts == []
    assert expected["column order public.t"] == {"columns": ["a", "b", "d"]}
    assert expected["column public.t.a"] == {"type": "text"}


def test_only_the_migrations_own_facts_are_reversed() -> None:
    after = _with(BEFORE, **{"column public.t.b": {"type": "integer"}})
    current = _with(after, **{"column public.t.b": {"type": "integer", "comment": "later"}})
    expected, conflicts = undone(current, BEFORE, after)
    assert conflicts == []
    assert expected["column public.t.b"] == {"type": "text", "default": "1", "comment": "later"}


def test_labels_and_privileges_are_taken_out_one_by_one() -> None:
    after = _with(
        BEFORE,
        **{
            "enum public.k": {"labels": ["x", "n", "y"]},
            "table public.t": {"privileges": ["m=r/o", "o=r/o"]},
        },
    )
    current = _with(
        after,
        **{
            "enum public.k": {"labels": ["x", "n", "y", "z"]},
            "table public.t": {"privileges": ["l=r/o", "m=r/o", "o=r/o"]},
        },
    )
    expected, conflicts = undone(current, BEFORE, after)
    assert conflicts == []
    assert expected["enum public.k"]["labels"] == ["x", "y", "z"]
    assert expected["table public.t"]["privileges"] == ["l=r/o", "o=r/o"]


@pytest.mark.parametrize(
    ("after", "later", "conflict"),
    [
        (
            {"column public.t.b": {"type": "integer"}},
            {"column public.t.b": {"type": "bigint"}},
            "column public.t.b: the migration changed its type, which changed again since",
        ),
        (
            {"column public.t.b": {"type": "integer"}},
            {"column public.t.b": None},
            "column public.t.b: the migration changed it, but it is no longer there",
        ),
        (
            {"schema s": {"owner": "o"}},
            {"schema s": {"owner": "p"}},
            "schema s: the migration made it, and its owner changed since",
        ),
        (
            {"schema s": {"owner": "o"}},
            {"schema s": None},
            "schema s: the migration made it, but it is no longer there",
        ),
        (
            {"index public.i": None},
            {"index public.i": {"table": "public.t", "definition": "z"}},
            "index public.i: the migration removed it, but it is there again",
        ),
        (
            {"table public.n": {"owner": "o"}, "column order public.n": {"columns": []}},
            {"index public.j": {"table": "public.n"}},
            "index public.j: was put on a relation that the migration made",
        ),
    ],
)
def test_what_somebody_changed_since_is_a_conflict(
    after: dict[str, Any], later: dict[str, Any], conflict: str
) -> None:
    made = _with(BEFORE, **after)
    current = _with(made, **later)
    expected, conflicts = undone(current, BEFORE, made)
    assert conflicts == [conflict]
    assert "index public.j" not in expected


_KEYS = st.sampled_from(
    ["table t", "column t.a", "column t.b", "column order t", "index i", "enum k", "view v", "column v.a"]
)
_VALUES = st.one_of(
    st.booleans(), st.sampled_from(["x", "y"]), st.lists(st.sampled_from("abcd"), unique=True)
)
_FACTS = st.dictionaries(st.sampled_from(["type", "columns", "table"]), _VALUES)
_CATALOGS = st.dictionaries(_KEYS, _FACTS)


@given(_CATALOGS, _CATALOGS)
def test_undone_from_after_is_always_before(before: Any, after: Any) -> None:
    assert undone(after, before, after) == (before, [])


@given(_CATALOGS, _CATALOGS)
def test_undone_never_changes_its_arguments(before: Any, after: Any) -> None:
    copies = copy.deepcopy((before, after))
    undone(after, before, after)
    assert (before, after) == copies


@given(_CATALOGS, _CATALOGS)
def test_a_difference_is_empty_only_when_equal(before: Any, after: Any) -> None:
    found = difference(before, after)
    assert bool(found) == (before != after)
    assert bool(describe(found)) == (before != after)


@given(st.lists(st.sampled_from("abcdefgh"), unique=True), st.data())
def test_independent_changes_of_a_list_are_told_apart(was: Any, data: Any) -> None:
    new = [item for item in "ijk" if data.draw(st.booleans())]
    gone = [item for item in was if data.draw(st.booleans())]
    made = [item for item in was if item not in gone] + new
    key = {"column order t": {"columns": was}}, {"column order t": {"columns": made}}
    now = {"column order t": {"columns": [*made, "later"]}}
    expected, conflicts = undone(now, *key)
    assert conflicts == []
    if was != made:
        assert expected["column order t"]["columns"] == [*was, "later"]


def test_what_somebody_has_put_back_himself_is_a_conflict() -> None:
    """The rollback would find nothing to undo, and whoever did it had a reason."""
    before = {"table public.t": {"owner": "ada", "options": None}}
    after = {"table public.t": {"owner": "bob", "options": None}}
    assert undone(before, before, after) == (
        before,
        ["table public.t: the migration changed its owner, which changed again since"],
    )
