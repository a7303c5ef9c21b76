# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Long tests are dealt to all workers, first those that take longest, and none gets lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import long_first
from tests.long_first import LONGEST, dealt

PROJECT = Path(__file__).resolve().parents[2]

STORIES = [
    f"tests/integration/stories/test_{file}.py::test_{number}" for file in "abc" for number in range(3)
]
SHORT = [f"tests/unit/test_{file}.py::test_{number}" for file in range(10) for number in range(10)]
NAMES = [*STORIES, *(f"{file}::test" for file in LONGEST), *SHORT]


def names(workers: int, of: list[str] = NAMES) -> list[str]:
    return [test.nodeid for test in dealt([SimpleNamespace(nodeid=name) for name in of], workers)]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_each_is_there_once(workers: int) -> None:
    assert sorted(names(workers)) == sorted(NAMES)
    assert names(workers, SHORT) == SHORT
    assert sorted(names(workers, STORIES)) == sorted(STORIES)


@pytest.mark.parametrize("workers", [2, 4])
def test_every_worker_begins_with_one_of_the_longest(workers: int) -> None:
    order = names(workers)
    begins = [order[len(order) * number // workers] for number in range(workers)]
    assert begins == [f"{file}::test" for file in LONGEST[:workers]]


def test_tests_of_one_file_stay_together() -> None:
    order = names(4)
    for file in "abc":
        own = [place for place, name in enumerate(order) if f"stories/test_{file}.py" in name]
        assert own == list(range(own[0], own[0] + 3))


def test_the_longest_are_tests_that_are_there() -> None:
    assert all(file.startswith(long_first.LONG) for file in LONGEST)
    assert [file for file in LONGEST if not (PROJECT / file).exists()] == []
