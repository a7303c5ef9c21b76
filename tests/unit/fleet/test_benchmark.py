# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the measurement of a fleet counts, and how it says it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.fleet import Found, as_table, by_batch, wrong_in
from benchmarks.memory import MEGABYTE, below


def test_all_that_descend_from_a_process_are_counted_and_no_others() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 5, 1: 0}
    assert below(parents, 2) == {2, 3, 4}
    assert below(parents, 9) == {9}
    assert below({2: 3, 3: 2}, 2) == {2, 3}


def test_the_ratio_is_to_the_first() -> None:
    table = as_table(
        [
            Found("1, 1 forks", 100.0, 90.0, 80 * MEGABYTE, 120 * MEGABYTE),
            Found("100%, 4 forks", 55.0, 95.0, 90 * MEGABYTE, 300 * MEGABYTE),
        ]
    )
    assert table.splitlines()[-1].split() == [
        *("100%,", "4", "forks", "55.0", "s", "0.55", "95.0", "s", "90", "MB", "300", "MB")
    ]


HAS_IT, LOOKED_AT, AS_IT_WAS = (True, True), (False, True), (False, False)


def entries(*batches: str) -> list[dict[str, Any]]:
    """``entries("deployed", "refused deployed")`` are three databases, the last two in a second batch."""
    return [
        {"target": f"tenant_{number}", "batch": number, "status": status}
        for number, batch in enumerate(batches, 1)
        for status in batch.split()
    ]


FLEET = entries("deployed", "refused deployed", "untouched untouched")


def test_a_failure_that_stops_where_it_is() -> None:
    stands = [HAS_IT, LOOKED_AT, HAS_IT, AS_IT_WAS, AS_IT_WAS]
    assert wrong_in(FLEET, stands, failing=2) == []
    assert by_batch(FLEET, stands) == [
        "batch 1: 1 deployed; 1 have the migration",
        "batch 2: 1 deployed, 1 refused; 1 have the migration",
        "batch 3: 2 untouched; 0 have the migration",
    ]


@pytest.mark.parametrize(
    ("stands", "named"),
    [
        ([HAS_IT, LOOKED_AT, HAS_IT, AS_IT_WAS, LOOKED_AT], "tenant_3 (untouched)"),
        ([HAS_IT, LOOKED_AT, HAS_IT, HAS_IT, AS_IT_WAS], "tenant_3 (untouched)"),
        ([HAS_IT, HAS_IT, HAS_IT, AS_IT_WAS, AS_IT_WAS], "tenant_2 (refused)"),
        ([HAS_IT, LOOKED_AT, LOOKED_AT, AS_IT_WAS, AS_IT_WAS], "tenant_2 (deployed)"),
        ([LOOKED_AT, LOOKED_AT, HAS_IT, AS_IT_WAS, AS_IT_WAS], "tenant_1 (deployed)"),
    ],
)
def test_a_failure_that_does_not(stands: list[tuple[bool, bool]], named: str) -> None:
    assert wrong_in(FLEET, stands, failing=2) == [named]


def test_a_failure_that_was_none() -> None:
    fine = entries("deployed", "deployed deployed", "untouched untouched")
    assert wrong_in(fine, [HAS_IT, HAS_IT, HAS_IT, AS_IT_WAS, AS_IT_WAS], 2) == ["tenant_2 (deployed)"]
