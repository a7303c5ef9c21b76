# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables in the order of their foreign keys."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.references import parents_first
from hypothesis import given
from hypothesis import strategies as st

NAMES = "abcdefgh"


@pytest.mark.parametrize(
    ("tables", "references", "groups"),
    [
        ("", [], []),
        ("ba", [], [["a"], ["b"]]),
        ("abc", ["ab", "bc"], [["c"], ["b"], ["a"]]),
        # A table that refers to itself is no ring.
        ("a", ["aa"], [["a"]]),
        ("abc", ["ab", "bb", "bc"], [["c"], ["b"], ["a"]]),
        ("abcd", ["ab", "bc", "ca", "bd"], [["d"], ["a", "b", "c"]]),
        ("abcd", ["ab", "ba", "cd", "dc", "ca"], [["a", "b"], ["c", "d"]]),
        # A chain that touches a ring, from either side, and one that goes through it.
        ("abcd", ["ab", "bc", "cd", "db"], [["b", "c", "d"], ["a"]]),
        ("abcde", ["ab", "ba", "bc", "cd", "de"], [["e"], ["d"], ["c"], ["a", "b"]]),
        ("abcde", ["ac", "cd", "dc", "de", "eb"], [["b"], ["e"], ["c", "d"], ["a"]]),
        # Two rings that have a table in common are one.
        ("abcd", ["ab", "ba", "bc", "cb", "dc"], [["a", "b", "c"], ["d"]]),
        ("ab", ["ax", "xb"], [["a"], ["b"]]),
    ],
)
def test_parents_come_first_and_rings_stay_together(
    tables: str, references: list[str], groups: list[list[str]]
) -> None:
    assert parents_first(tables, [(pair[0], pair[1]) for pair in references]) == groups


def test_a_chain_longer_than_the_stack_and_a_ring_as_long() -> None:
    names = [f"t{number:06d}" for number in range(20_000)]
    chain = list(itertools.pairwise(names))
    assert parents_first(names, chain) == [[name] for name in reversed(names)]
    assert parents_first(names, [*chain, (names[-1], names[0])]) == [names]


@given(st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))))
def test_of_any_references_none_leads_to_a_later_group(references: set[tuple[str, str]]) -> None:
    groups = parents_first(NAMES, references)
    assert sorted(itertools.chain(*groups)) == sorted(NAMES)
    place = {name: number for number, group in enumerate(groups) for name in group}
    assert all(place[parent] <= place[child] for child, parent in references)
    reached = {name: {name} for name in NAMES}
    for _ in NAMES:
        for child, parent in references:
            reached[child] |= reached[parent]
    together = {(one, other) for group in groups for one in group for other in group}
    rings = {(one, other) for one in NAMES for other in reached[one] if one in reached[other]}
    assert together == rings, "in one group are those that lead to each other, and no others"
