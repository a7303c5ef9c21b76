# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the measurement of a fleet counts, and how it says it."""

from __future__ import annotations

from benchmarks.fleet import Found, as_table
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
