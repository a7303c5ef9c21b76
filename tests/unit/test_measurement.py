# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""When a bar is met, and when a miss is one that nobody knew of."""

from __future__ import annotations

import pytest

from benchmarks.measurement import Measurement, table


@pytest.mark.parametrize(
    ("found", "known", "passed", "as_known"),
    [
        (3, 0, True, True),
        (2, 0, False, False),
        (2, 1, False, True),
        (1, 1, False, False),
        (3, 1, True, False),
    ],
)
def test_a_known_miss_misses_the_bar_and_a_new_one_ends_the_command(
    found: int, known: int, passed: bool, as_known: bool
) -> None:
    one = Measurement("things", 3, found, 3, known_misses=known)
    assert (one.passed, one.as_known) == (passed, as_known)
    assert table([one]).endswith("yes" if passed else "NO")


def test_nothing_tried_is_no_success() -> None:
    assert not Measurement("things", 0, 0, 0).passed
    assert not Measurement("things", 0, 0, 0).as_known


@pytest.mark.parametrize(("found", "passed"), [(2, False), (3, True), (4, True)])
def test_more_than_the_bar_is_as_good_where_it_is_a_least(found: int, passed: bool) -> None:
    assert Measurement("things", 4, found, 3, at_least=True).passed == passed
    assert Measurement("things", 4, found, 3).passed == (found == 3)
