# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pending, missing and dependent migrations, on an index as plain data."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.order import (
    cascade_order,
    dependents,
    later_than,
    left_out,
    pending,
    these_newest_first,
    unknown_applied,
    unmet_requirements,
)
from hypothesis import given
from hypothesis import strategies as st

Index = list[dict[str, object]]


def index_of(**requires: str) -> Index:
    return [{"version": version, "requires": needed.split()} for version, needed in requires.items()]


#      a
#    b   c
#    d
#      e (b and c, through d)
INDEX = index_of(a="", b="a", c="a", d="b", e="c d")


def test_pending_keeps_the_order_and_ignores_unknown_records() -> None:
    assert pending(INDEX, {"a", "c", "gone"}) == ["b", "d", "e"]
    assert pending(INDEX, set("abcde")) == []


def test_pending_ends_where_it_is_told_to_and_leaves_out_what_requires_what_is_skipped() -> None:
    index = index_of(**{"1": "", "2": "1", "3": "2", "4": "1", "5": "3"})
    assert pending(index, {"1"}, until="3") == ["2", "3"]
    assert pending(index, {"1"}, skip=["2"]) == ["4"]
    assert pending(index, {"1"}, until="4", skip=["3"]) == ["2", "4"]
    assert left_out(index, {"1"}, ["2"]) == {"2": "2", "3": "2", "5": "2"}
    assert left_out(index, {"1"}, ["2"], until="3") == {"2": "2", "3": "2"}
    assert left_out(index, {"1", "2"}, ["2"]) == {}, (
        "what is applied is not left out, and what requires it need not be"
    )


def test_unmet_requirements_reach_through_others_in_the_order_to_apply() -> None:
    assert unmet_requirements(INDEX, "e", {"a", "c"}) == ["b", "d"]
    assert unmet_requirements(INDEX, "e", {"d"}) == ["a", "b", "c"]
    assert unmet_requirements(INDEX, "b", {"a"}) == []
    assert unmet_requirements(INDEX, "a", set()) == []


def test_dependents_are_the_applied_ones_newest_first() -> None:
    assert dependents(INDEX, "a", set("abcde")) == ["e", "d", "c", "b"]
    assert dependents(INDEX, "c", set("abcde")) == ["e"]
    assert dependents(INDEX, "b", {"a", "b", "c"}) == []


def test_a_migration_left_out_in_between_does_not_hide_a_dependent() -> None:
    assert dependents(INDEX, "b", {"a", "b", "c", "e"}) == ["e"]


def test_cascade_ends_with_the_migration_itself() -> None:
    assert cascade_order(INDEX, "b", set("abcde")) == ["e", "d", "b"]
    assert cascade_order(INDEX, "e", set("abcde")) == ["e"]


def test_records_without_a_file_are_listed() -> None:
    assert unknown_applied(INDEX, {"z", "a", "012"}) == ["012", "z"]


@pytest.mark.parametrize("question", [unmet_requirements, dependents, cascade_order])
def test_a_version_that_the_index_lacks_is_refused(question: object) -> None:
    with pytest.raises(Refused, match="'x'"):
        question(INDEX, "x", {"x"})


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    versions = [f"{number:03}" for number in range(1, draw(st.integers(1, 9)) + 1)]
    return [
        {
            "version": version,
            "requires": draw(st.lists(st.sampled_from(versions[:i]), unique=True)) if i else [],
        }
        for i, version in enumerate(versions)
    ]


@given(indexes(), st.data())
def test_applying_the_pending_in_order_never_lacks_a_requirement(index: Index, data: st.DataObject) -> None:
    applied: set[str] = set()
    for version in pending(index, applied):
        assert unmet_requirements(index, version, applied) == []
        applied.add(version)
    assert pending(index, applied) == []

    # Any cascade from there leaves a database in which every applied migration still has what it needs.
    for _again in range(3):
        if applied:
            version = data.draw(st.sampled_from(sorted(applied)))
            for step in cascade_order(index, version, applied):
                assert dependents(index, step, applied) == []
                applied.discard(step)
        assert all(unmet_requirements(index, left, applied) == [] for left in applied)


@given(indexes(), st.data())
def test_rolling_back_to_a_migration_leaves_just_those_up_to_it(index: Index, data: st.DataObject) -> None:
    everything = [str(entry["version"]) for entry in index]
    applied = set(data.draw(st.lists(st.sampled_from(everything), unique=True, min_size=1)))
    stays = data.draw(st.sampled_from(sorted(applied)))
    left = set(applied)
    for version in later_than(index, stays, applied):
        assert dependents(index, version, left) == []
        left.remove(version)
    assert left == {version for version in applied if version <= stays}


def test_what_would_stay_must_not_need_what_goes() -> None:
    # As a header may say where the numbers do not.
    index = [
        {"version": "001", "requires": ["003"]},
        {"version": "002", "requires": []},
        {"version": "003", "requires": []},
    ]
    with pytest.raises(
        Refused, match=r"Migration 003 comes after 002, but 001 would stay and depend on it\."
    ):
        later_than(index, "002", {"001", "002", "003"})
    assert later_than(index, "002", {"002", "003"}) == ["003"]


def test_of_several_that_go_together_each_leaves_what_it_is_needed_by_no_more() -> None:
    index = [
        {"version": "001", "requires": []},
        {"version": "002", "requires": ["001"]},
        {"version": "003", "requires": ["001"]},
    ]
    everything = {"001", "002", "003"}
    assert these_newest_first(index, ["001", "003", "002"], everything) == ["003", "002", "001"]
    assert these_newest_first(index, ["003", "002"], {"001", "002"}) == ["002"]
    with pytest.raises(Refused, match=r"Migration 001 is not taken back: 003 would stay and depend on it\."):
        these_newest_first(index, ["001", "002"], everything)


@given(indexes(), st.data())
def test_dependents_and_requirements_are_each_others_mirror(index: Index, data: st.DataObject) -> None:
    everything = [str(entry["version"]) for entry in index]
    applied = set(data.draw(st.lists(st.sampled_from(everything), unique=True)))
    for version in everything:
        mirrored = {other for other in applied if version in unmet_requirements(index, other, set())}
        assert set(dependents(index, version, applied)) == mirrored
        assert version not in mirrored
