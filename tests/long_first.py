# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of tests: each worker begins with its part of the long ones, so that none is left with one at the end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol, TypeVar

__all__ = ["dealt"]

#: Of these one test takes a minute or two.
LONGEST = (
    "tests/integration/stories/test_three_hosts.py",
    "tests/integration/benchmarks/test_faults.py",
    "tests/integration/stories/test_standbys.py",
    "tests/integration/demo/test_transcripts.py",
    "tests/integration/stories/test_least_privilege.py",
    "tests/integration/stories/test_fleet.py",
)

#: Whole playbooks, tens of seconds each.
LONG = tuple(f"tests/integration/{room}/" for room in ("stories", "benchmarks", "demo", "collection"))


class Test(Protocol):
    """A test, as pytest has collected it."""

    @property
    def nodeid(self) -> str: ...


AnyTest = TypeVar("AnyTest", bound=Test)


def dealt(tests: Sequence[AnyTest], workers: int) -> list[AnyTest]:
    """The tests in stretches of the same length, one for each worker, as pytest-xdist deals them with --dist worksteal.

    Args:
        tests: in the order in which they were collected.
        workers: how many stretches there are.

    Returns:
        all of them; each stretch begins with whole files of long tests.
    """
    by_file = [
        list(same) for _, same in itertools.groupby(tests, lambda test: test.nodeid.partition("::")[0])
    ]
    by_file.sort(key=lambda same: _place(same[0].nodeid))
    long = [same for same in by_file if same[0].nodeid.startswith(LONG)]
    short = iter([test for same in by_file if not same[0].nodeid.startswith(LONG) for test in same])
    stretches: list[AnyTest] = []
    for number in range(workers):
        begun = [test for same in long[number::workers] for test in same]
        room = len(tests) * (number + 1) // workers - len(stretches) - len(begun)
        stretches += [*begun, *itertools.islice(short, max(room, 0))]
    return [*stretches, *short]


def _place(name: str) -> int:
    return next((place for place, file in enumerate(LONGEST) if name.startswith(file)), len(LONGEST))
