# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each pair of values is tried, and few combinations are needed for that."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.left_out import LEFT_OUT
from tests.pairs import covering


def product(**values: Sequence[Hashable]) -> list[dict[str, Hashable]]:
    return [
        dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())
    ]


def pairs_of(combination: Mapping[str, Hashable]) -> set[tuple]:
    return set(itertools.combinations(sorted(combination.items()), 2))


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4).flatmap(
        lambda sizes: st.lists(
            st.tuples(*(st.integers(1, size) for size in sizes)), min_size=1, max_size=40, unique=True
        )
    )
)
def test_every_pair_that_there_is_is_among_the_chosen(rows: list[tuple[int, ...]]) -> None:
    combinations = [{f"p{number}": value for number, value in enumerate(row)} for row in rows]
    chosen = covering(combinations)
    assert set().union(*(pairs_of(combinations[place]) for place in chosen)) == set().union(
        *map(pairs_of, combinations)
    )
    assert chosen == sorted(set(chosen))


def test_three_switches_take_half_of_their_combinations() -> None:
    assert len(covering(product(level="ab", where="cd", form="ef"))) == 4


def test_of_two_parameters_all_are_needed_and_of_one_each_value() -> None:
    assert covering(product(level="abc", form="de")) == list(range(6))
    assert covering(product(level="abc")) == [0, 1, 2]


def test_a_test_without_parameters_is_tried() -> None:
    assert covering([{}]) == [0]


def test_what_is_left_out_is_there_and_something_else_of_its_file_is_tried() -> None:
    folder = Path(__file__).resolve().parents[1] / "integration"
    for file, left_out in LEFT_OUT.items():
        functions = re.findall(r"^def (test_\w+)", (folder / file).read_text(encoding="utf-8"), re.MULTILINE)
        for test, instead in left_out.items():
            assert test.partition("[")[0] in functions, test
            assert instead
        # Or of another file, which is there.
        named = re.findall(r"[\w/]*test_\w+\.py", " ".join(left_out.values()))
        assert any(f not in left_out for f in functions) or named, file
        for other in named:
            assert [
                *folder.rglob(other.removeprefix("tests/")),
                *folder.parent.rglob(other.removeprefix("tests/")),
            ], other
