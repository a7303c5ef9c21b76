# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""When windows open and close: over midnight, on days, by cron, and in nights that have an hour more or less."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.run import windows
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.windows import (
    CRONSIM_IS_MISSING,
    WEEKDAYS,
    check_windows,
    openings,
)

BERLIN = "Europe/Berlin"
WITHOUT_CRONSIM = pytest.mark.skipif(CRONSIM_IS_MISSING, reason="cronsim is not installed")


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{text}+00:00")


def found(given: object, now: str = "2026-01-07T12:00") -> list[tuple[str, str]]:
    """(opens, closes) in UTC."""
    told = openings(given, at(now)) or []
    return [(one["opens"][:16], one["closes"][:16]) for one in told]


def is_open(given: object, now: str) -> bool:
    return any(opens <= now < closes for opens, closes in found(given, now))


def weekly(start: str, end: str, *days: str, timezone: str = "UTC") -> dict[str, Any]:
    return {"start": start, "end": end, "days": list(days), "timezone": timezone}


# 2026-01-07 is a Wednesday.
@pytest.mark.parametrize(
    ("window", "now", "expected"),
    [
        (weekly("02:00", "04:00"), "2026-01-07T01:59", False),
        (weekly("02:00", "04:00"), "2026-01-07T02:00", True),
        (weekly("02:00", "04:00"), "2026-01-07T03:59", True),
        (weekly("02:00", "04:00"), "2026-01-07T04:00", False),
        (weekly("02:00", "04:00", "tuesday"), "2026-01-07T03:00", False),
        (weekly("02:00", "04:00", "tuesday", "wednesday"), "2026-01-07T03:00", True),
        # over midnight: the day on which it begins counts
        (weekly("22:00", "05:00"), "2026-01-07T21:59", False),
        (weekly("22:00", "05:00"), "2026-01-07T00:00", True),
        (weekly("22:00", "05:00", "friday"), "2026-01-09T23:00", True),
        (weekly("22:00", "05:00", "friday"), "2026-01-10T04:59", True),
        (weekly("22:00", "05:00", "friday"), "2026-01-10T05:00", False),
        (weekly("22:00", "05:00", "friday"), "2026-01-10T23:00", False),
        (weekly("22:00", "05:00", "friday"), "2026-01-09T04:00", False),
        # over the end of the week, and of the year
        (weekly("22:00", "05:00", "sunday"), "2026-01-12T00:30", True),
        (weekly("22:00", "05:00", "sunday"), "2026-01-11T00:30", False),
        (weekly("22:00", "05:00", "wednesday"), "2026-01-01T04:00", True),
        # the same time twice: a whole day
        (weekly("06:00", "06:00", "monday"), "2026-01-06T05:59", True),
        (weekly("06:00", "06:00", "monday"), "2026-01-06T06:00", False),
        (weekly("00:00", "00:00"), "2026-01-07T00:00", True),
        # in its own time zone
        (weekly("22:00", "05:00", timezone=BERLIN), "2026-01-07T21:00", True),
        (weekly("22:00", "05:00", timezone=BERLIN), "2026-01-07T04:00", False),
        (weekly("22:00", "05:00", timezone=BERLIN), "2026-07-08T20:00", True),
        (weekly("22:00", "05:00", "sunday", timezone="Pacific/Kiritimati"), "2026-01-11T08:00", True),
    ],
)
def test_weekly(window: dict, now: str, expected: bool) -> None:
    assert is_open(window, now) is expected


def test_the_night_that_has_an_hour_less() -> None:
    """In Berlin on 2026-03-29 the clock goes from 02:00 to 03:00, which is 01:00 UTC."""
    night = found(weekly("22:00", "05:00", timezone=BERLIN), "2026-03-28T12:00")
    assert ("2026-03-28T21:00", "2026-03-29T03:00") in night  # six hours
    assert ("2026-03-29T20:00", "2026-03-30T03:00") in night
    # 02:30 is not there: as if the clock had not been moved yet.
    assert ("2026-03-28T21:00", "2026-03-29T01:30") in found(
        weekly("22:00", "02:30", timezone=BERLIN), "2026-03-28T12:00"
    )
    # From a time that is not there to one right after it: that night there is no window.
    gone = found(weekly("02:30", "03:05", timezone=BERLIN), "2026-03-28T12:00")
    assert not any(opens.startswith("2026-03-29") for opens, _ in gone)
    assert ("2026-03-30T00:30", "2026-03-30T01:05") in gone


def test_the_night_that_has_an_hour_more() -> None:
    """In Berlin on 2026-10-25 the clock goes from 03:00 back to 02:00, which is 01:00 UTC."""
    night = found(weekly("22:00", "05:00", timezone=BERLIN), "2026-10-24T12:00")
    assert ("2026-10-24T20:00", "2026-10-25T04:00") in night  # eight hours
    # 02:30 is there twice: the first counts.
    assert ("2026-10-24T20:00", "2026-10-25T00:30") in found(
        weekly("22:00", "02:30", timezone=BERLIN), "2026-10-24T12:00"
    )
    assert ("2026-10-25T00:30", "2026-10-25T02:30") in found(
        weekly("02:30", "03:30", timezone=BERLIN), "2026-10-24T12:00"
    )


@WITHOUT_CRONSIM
def test_by_cron_in_nights_that_have_an_hour_more_or_less() -> None:
    cron = {"cron": "0 22 * * *", "minutes": 420, "timezone": BERLIN}
    assert ("2026-03-28T21:00", "2026-03-29T04:00") in found(cron, "2026-03-28T12:00")
    assert ("2026-03-29T20:00", "2026-03-30T03:00") in found(cron, "2026-03-28T12:00")
    assert ("2026-10-24T20:00", "2026-10-25T03:00") in found(cron, "2026-10-24T12:00")
    # At a time that is not there it opens when the clock has been moved, and once where it is there twice.
    at_half = {"cron": "30 2 * * *", "minutes": 20, "timezone": BERLIN}
    assert [one for one in found(at_half, "2026-03-28T12:00") if one[0].startswith("2026-03-29")] == [
        ("2026-03-29T01:00", "2026-03-29T01:20")
    ]
    assert len([one for one in found(at_half, "2026-10-24T12:00") if one[0].startswith("2026-10-25")]) == 1


@WITHOUT_CRONSIM
@pytest.mark.parametrize(
    ("cron", "minutes", "now", "expected"),
    [
        ("0 22 * * 5", 420, "2026-01-09T22:00", True),
        ("0 22 * * 5", 420, "2026-01-10T04:59", True),
        ("0 22 * * 5", 420, "2026-01-10T05:00", False),
        ("0 22 * * FRI", "60", "2026-01-09T22:59", True),
        # The second Tuesday of the month, and one that is far away.
        ("0 1 * * 2#2", 60, "2026-01-13T01:30", True),
        ("0 1 * * 2#2", 60, "2026-01-06T01:30", False),
        ("0 1 29 2 *", 60, "2028-02-29T01:30", True),
        ("0 1 29 2 *", 60, "2026-01-07T01:30", False),
        # One that began more than a week ago is still open.
        ("0 0 1 * *", 10080, "2026-01-07T23:59", True),
    ],
)
def test_by_cron(cron: str, minutes: object, now: str, expected: bool) -> None:
    assert is_open({"cron": cron, "minutes": minutes, "timezone": "UTC"}, now) is expected


@WITHOUT_CRONSIM
def test_the_next_one_is_among_them_however_far_it_is() -> None:
    assert found({"cron": "0 1 29 2 *", "minutes": 60})[-1] == ("2028-02-29T01:00", "2028-02-29T02:00")


def test_windows_that_meet_are_one() -> None:
    always = found([weekly("00:00", "12:00"), weekly("12:00", "00:00")])
    assert len(always) == 1
    two = openings(
        [weekly("20:00", "22:00", "friday"), weekly("22:30", "02:00", "friday", timezone=BERLIN)],
        at("2026-01-07T12:00"),
    )
    assert [one["timezone"] for one in two or []] == [BERLIN, BERLIN]
    assert [(one["opens"][:16], one["closes"][:16]) for one in two or []] == [
        ("2026-01-02T20:00", "2026-01-03T01:00"),
        ("2026-01-09T20:00", "2026-01-10T01:00"),
    ]
    assert (two or [])[1]["closes_local"] == "Saturday 2026-01-10 02:00"


@pytest.mark.parametrize("given", [None, {}, [], [{}], ""])
def test_nothing_means_always(given: object) -> None:
    assert openings(given, at("2026-01-07T12:00")) is None
    check_windows(given)


def test_every_day_is_known_in_any_letters() -> None:
    for number, day in enumerate(WEEKDAYS):
        begins = found(weekly("01:00", "02:00", f" {day.title()} "))
        assert {datetime.date.fromisoformat(opens[:10]).weekday() for opens, _ in begins} == {number}
    assert found({"start": "01:00", "end": "02:00"}) == found(weekly("01:00", "02:00", *WEEKDAYS))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        *(
            ({"start": one, "end": "05:00"}, "is not a time of day")
            for one in ("24:00", "12:60", "noon", "", "7", "07:5", "-1:00", "07:00:00", 1320, None)
        ),
        ({"start": "22:00"}, "end None is not a time of day"),
        (weekly("01:00", "02:00", "friday", "fryday"), "'fryday' is not a day. The days are monday"),
        ({**weekly("01:00", "02:00"), "days": 5}, "days is a list of days"),
        *(
            (weekly("01:00", "02:00", timezone=zone), f"there is no time zone {zone!r}")
            for zone in (
                "Europe/Brelin",
                "Europe",
                "../etc/passwd",
                "/etc/localtime",
                "Europe/Berlin\x00",
                "CEST2",
            )
        ),
        ({**weekly("01:00", "02:00"), "zone": "UTC"}, "a window that is weekly has no 'zone'"),
        ({"cron": "0 22 * * 5", "start": "22:00"}, "a window that is by cron has no 'start'"),
        ("22:00-05:00", "it is a dictionary, or a list"),
        ([weekly("01:00", "02:00"), "x"], "it is a dictionary, or a list"),
        ([weekly("01:00", "02:00"), {}], "it is a dictionary, or a list"),
    ],
)
def test_what_is_none_is_refused_by_name(given: object, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_windows(given)
    assert caught.value.code == "setting_invalid"
    assert words in caught.value.reason
    assert caught.value.reason.endswith("Production was not touched.")


@WITHOUT_CRONSIM
@pytest.mark.parametrize(
    ("cron", "minutes", "words"),
    [
        ("0 25 * * *", 60, "cron '0 25 * * *' cannot be read: Bad hour"),
        ("", 60, "cannot be read: Wrong number of fields"),
        ("0 0 22 * * 5", 60, "cannot be read: Wrong number of fields"),
        ("@daily", 60, "cannot be read"),
        ("0 0 30 2 *", 60, "cron '0 0 30 2 *'"),
        *(
            ("0 22 * * 5", one, "is not how long a window by cron is open")
            for one in (0, -1, None, "", "an hour", 10081, 1.5, True)
        ),
    ],
)
def test_a_cron_that_is_none_is_refused(cron: str, minutes: object, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_windows({"cron": cron, "minutes": minutes})
    assert caught.value.code == "setting_invalid"
    assert words in caught.value.reason


def test_without_cronsim_weekly_windows_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "CRONSIM_IS_MISSING", True)
    check_windows(weekly("22:00", "05:00"))
    with pytest.raises(Refused, match="pip install cronsim") as caught:
        check_windows({"cron": "0 22 * * 5", "minutes": 60})
    assert caught.value.code == "cronsim_missing"


def test_utc_needs_no_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows.zoneinfo, "ZoneInfo", None)
    check_windows(weekly("22:00", "05:00"))
