# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A window is open or not by the server's clock; and a run that would not end in it does not begin its change."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.hours import (
    in_words,
    needed_seconds,
    open_now,
    refuse_too_little_time,
)


def opening(opens: str, closes: str) -> dict[str, str]:
    return {
        "opens": f"2026-01-{opens}:00+00:00",
        "closes": f"2026-01-{closes}:00+00:00",
        "opens_local": f"(opens {opens})",
        "closes_local": f"(closes {closes})",
        "timezone": "Europe/Berlin",
    }


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"2026-01-{text}+00:00")


TWO = [opening("02T21:00", "03T04:00"), opening("09T21:00", "10T04:00")]


@pytest.mark.parametrize(
    ("now", "number"),
    [("02T21:00:00", 0), ("03T03:59:59", 0), ("09T21:00:00", 1), ("10T00:00:00", 1)],
)
def test_the_begin_belongs_to_it_and_the_end_does_not(now: str, number: int) -> None:
    assert open_now(TWO, at(now)) == TWO[number]


@pytest.mark.parametrize(
    ("now", "coming"),
    [
        ("02T20:59:59", "The next one opens on (opens 02T21:00) (Europe/Berlin)."),
        ("03T04:00:00", "The next one opens on (opens 09T21:00) (Europe/Berlin)."),
        ("10T04:00:00", ""),
    ],
)
def test_outside_it_is_said_when_the_next_one_opens(now: str, coming: str) -> None:
    with pytest.raises(Refused) as caught:
        open_now(TWO, at(now))
    assert caught.value.code == "outside_maintenance_window"
    assert coming in caught.value.reason
    assert ("next one" in caught.value.reason) == bool(coming)


def evidence(apply: float, rollback: float) -> list[dict[str, Any]]:
    halves = [{"seconds": apply / 2}, {"seconds": apply / 2}]
    return [
        {"statements": halves, "rollback_statements": [{"seconds": rollback}]},
        {"statements": [], "rollback_statements": None},
    ]


def receipts(*outputs: dict[str, Any]) -> list[Any]:
    steps = [{"step": "maintenance_window", "outputs": one} for one in outputs]
    return [{"step": "preflight", "outputs": {}}, *steps, {"step": "backup", "outputs": {}}]


def test_what_is_needed_is_both_ways() -> None:
    assert needed_seconds(evidence(30, 20)) == (30, 20)
    assert needed_seconds([]) == (0, 0)


@pytest.mark.parametrize(
    ("now", "apply", "rollback", "fits"),
    [
        ("03T03:00:00", 1800, 1800, True),
        ("03T03:00:01", 1800, 1800, False),
        ("03T03:45:00", 60, 3600, False),
        ("03T03:45:00", 60, 600, True),
        # The rehearsal itself took longer than the window is open.
        ("03T04:00:00", 0, 0, False),
        ("03T05:00:00", 0.1, 0.1, False),
    ],
)
def test_what_does_not_fit_does_not_begin(now: str, apply: float, rollback: float, fits: bool) -> None:
    found = receipts({"window": {"start": "22:00"}, "opening": TWO[0]})
    if fits:
        refuse_too_little_time(found, at(now), evidence(apply, rollback))
        return
    with pytest.raises(Refused, match="Begin earlier in a window") as caught:
        refuse_too_little_time(found, at(now), evidence(apply, rollback))
    assert caught.value.code == "rehearsed_time_exceeds_window"
    assert "(closes 03T04:00) (Europe/Berlin)" in caught.value.reason


def test_the_sentence_says_all_three_times() -> None:
    found = receipts({"window": {}, "opening": TWO[0]})
    with pytest.raises(Refused) as caught:
        refuse_too_little_time(found, at("03T03:30:00"), evidence(7200, 300))
    assert (
        "on the copy the statements took 2 h 0 min, and those of the rollback 5 min, but the window closes on"
        " (closes 03T04:00) (Europe/Berlin), in 30 min." in caught.value.reason
    )


def test_who_was_kept_out_in_it_does_not_make_a_window_forgotten() -> None:
    found = receipts({"window": {}, "opening": TWO[0]}, {"mode": "block"})
    with pytest.raises(Refused):
        refuse_too_little_time(found, at("03T03:30:00"), evidence(7200, 0))


def test_a_run_that_goes_on_later_is_in_a_later_window() -> None:
    found = receipts({"window": {}, "opening": TWO[0]}, {"window": {}, "opening": TWO[1]})
    refuse_too_little_time(found, at("09T22:00:00"), evidence(7200, 0))


@pytest.mark.parametrize("outputs", [[], [{"window": None}], [{"window": None}, {"mode": "block"}]])
def test_without_a_window_there_is_time(outputs: list) -> None:
    refuse_too_little_time(receipts(*outputs), at("03T03:30:00"), evidence(1e6, 0))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (45, "45 s"), (119, "119 s"), (150, "2 min"), (3600, "1 h 0 min")],
)
def test_times_as_a_person_reads_them(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
