# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the measurement of a large fleet says: what a host more costs the controller."""

from __future__ import annotations

from benchmarks.large_fleet import Taken, as_table
from benchmarks.memory import MEGABYTE


def test_what_a_host_more_costs_is_what_tells_whether_it_grows_linearly() -> None:
    table = as_table(
        [
            Taken(100, 50.0, 40.0, 80 * MEGABYTE),
            Taken(300, 110.0, 100.0, 90 * MEGABYTE),
            Taken(1000, 460.0, 450.0, 160 * MEGABYTE),
        ]
    )
    first, second, third = (line.split() for line in table.splitlines()[-3:])
    assert first == ["100", "1.0", "50.0", "s", "1.0", "40.0", "s", "80", "MB", "1.0"]
    assert second[5:7] == ["300", "ms"]
    assert third == [
        *("1,000", "10.0", "460.0", "s", "9.2", "500", "ms", "450.0", "s", "500", "ms"),
        *("160", "MB", "2.0", "102", "kB"),
    ]
