# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of several backups or artifacts go."""

from __future__ import annotations

import random

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.retention.policy import checked_keep, what_goes


def backups(*ages: float, proven: tuple[int, ...] = ()) -> list[dict]:
    """Some backups, named by their place: 0 is the newest."""
    return [
        {"run_id": str(place), "made": f"{1000 - age:09.3f}", "age_days": age, "proven": place in proven}
        for place, age in enumerate(sorted(ages))
    ]


def names(found: list[dict], keep: dict, needed: tuple[str, ...] = ()) -> list[str]:
    shuffled = random.Random(7).sample(found, len(found))
    return [one["run_id"] for one in what_goes(shuffled, keep, needed)]


def test_without_a_word_nothing_goes() -> None:
    assert names(backups(1, 400), {}) == []


@pytest.mark.parametrize(
    ("keep", "goes"),
    [
        ({"count": 2}, ["2", "3"]),
        ({"count": 9}, []),
        ({"count": 0}, ["0", "1", "2", "3"]),
        ({"days": 20}, ["2", "3"]),
        ({"days": 30}, ["3"]),
        ({"count": 3, "days": 20}, ["3"]),
        ({"count": 1, "days": 30}, ["3"]),
    ],
)
def test_what_neither_count_nor_days_keeps_goes(keep: dict, goes: list[str]) -> None:
    assert names(backups(1, 10, 30, 90), keep) == goes


def test_the_newest_proven_one_stays_and_not_every_proven_one() -> None:
    assert names(backups(1, 10, 30, 90, proven=(2, 3)), {"count": 1}) == ["1", "3"]


def test_what_is_needed_stays() -> None:
    assert names(backups(1, 10, 30, proven=(0,)), {"count": 0}, needed=("2", "unknown")) == ["1"]


def test_what_was_left_open_says_nothing() -> None:
    assert checked_keep("backup_keep", None) == {}
    assert checked_keep("backup_keep", {"count": None, "days": 0}) == {"days": 0}


@pytest.mark.parametrize("name", ["count", "days"])
def test_less_than_nothing_is_refused(name: str) -> None:
    with pytest.raises(
        Refused, match=f"^artifacts_keep: {name} is -1, and must be 0 or more. Nothing was removed"
    ):
        checked_keep("artifacts_keep", {name: -1})
