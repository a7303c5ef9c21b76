# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Somebody looks on while something is done, and no longer."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.watch import Watch


class Counting(Watch):
    """Counts how often it has begun, and ended."""

    def __init__(self, looks: bool = True) -> None:
        super().__init__()
        self.wanted = looks
        self.begun, self.ended = threading.Semaphore(0), 0

    def _looks(self) -> bool:
        return self.wanted

    def _watch(self) -> None:
        self.begun.release()
        self._stop.wait()
        self.ended += 1


def test_it_has_ended_when_what_it_looked_at_has_and_may_look_again() -> None:
    watch = Counting()
    for number in range(2):
        with watch as entered:
            assert entered is watch
            assert watch.begun.acquire(timeout=10)
            assert watch.ended == number
        assert watch.ended == number + 1


def test_an_error_ends_it_and_goes_on() -> None:
    watch = Counting()
    with pytest.raises(ValueError, match="not so"), watch:
        raise ValueError("not so")
    assert watch.ended == 1


def test_where_there_is_nothing_to_look_at_there_is_no_thread() -> None:
    before = threading.active_count()
    with Counting(looks=False) as watch:
        assert threading.active_count() == before
    assert watch.ended == 0
