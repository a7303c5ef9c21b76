# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maintenance window: hours over midnight, days, and times that are none."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.hours import (
    WEEKDAYS,
    is_open,
    parse_window,
)

MON, TUE, WED, THU, FRI, SAT, SUN = range(1, 8)


def minute(text):
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


@pytest.mark.parametrize(
    ("start", "end", "days", "weekday", "now", "expected"),
    [
        # within one day: the start belongs to it, the end does not
        ("02:00", "04:00", [], WED, "01:59", False),
        ("02:00", "04:00", [], WED, "02:00", True),
        ("02:00", "04:00", [], WED, "03:59", True),
        ("02:00", "04:00", [], WED, "04:00", False),
        ("02:00", "04:00", ["tuesday"], WED, "03:00", False),
        ("02:00", "04:00", ["tuesday", "wednesday"], WED, "03:00", True),
        # over midnight: the day on which it begins counts
        ("22:00", "05:00", [], WED, "21:59", False),
        ("22:00", "05:00", [], WED, "22:00", True),
        ("22:00", "05:00", [], WED, "00:00", True),
        ("22:00", "05:00", [], WED, "04:59", True),
        ("22:00", "05:00", [], WED, "05:00", False),
        ("22:00", "05:00", ["friday"], FRI, "23:00", True),
        ("22:00", "05:00", ["friday"], SAT, "04:00", True),
        ("22:00", "05:00", ["friday"], SAT, "23:00", False),
        ("22:00", "05:00", ["friday"], FRI, "04:00", False),
        # over the end of the week
        ("22:00", "05:00", ["sunday"], SUN, "22:30", True),
        ("22:00", "05:00", ["sunday"], MON, "00:30", True),
        ("22:00", "05:00", ["sunday"], SUN, "00:30", False),
        ("22:00", "05:00", ["monday"], MON, "00:30", False),
        # the same time twice: a whole day
        ("06:00", "06:00", [], WED, "05:59", True),
        ("06:00", "06:00", ["monday"], MON, "06:00", True),
        ("06:00", "06:00", ["monday"], TUE, "05:59", True),
        ("06:00", "06:00", ["monday"], TUE, "06:00", False),
        ("00:00", "00:00", ["monday"], MON, "00:00", True),
        ("00:00", "00:00", ["monday"], MON, "23:59", True),
        ("00:00", "00:00", ["monday"], TUE, "00:00", False),
        # up to midnight
        ("20:00", "00:00", ["monday"], MON, "23:59", True),
        ("20:00", "00:00", ["monday"], TUE, "00:00", False),
    ],
)
def test_window(start, end, days, weekday, now, expected):
    window = parse_window({"start": start, "end": end, "days": days})
    assert is_open(window, weekday, minute(now)) is expected


def test_every_day_is_known_in_any_letters():
    for number, day in enumerate(WEEKDAYS, start=1):
        assert parse_window({"start": "1:00", "end": "2:00", "days": [f" {day.title()} "]})[2] == {number}


def test_no_days_means_every_day():
    assert parse_window({"start": "01:00", "end": "02:00"})[2] == set(range(1, 8))
    assert parse_window({"start": "01:00", "end": "02:00", "days": None})[2] == set(range(1, 8))


@pytest.mark.parametrize("time", ["24:00", "12:60", "noon", "", "7", "07:5", "-1:00", "07:00:00", "99999"])
def test_a_time_that_is_none_is_refused_and_quoted(time):
    with pytest.raises(Refused, match="is not a time of day"):
        parse_window({"start": time, "end": "05:00"})


def test_a_day_that_is_none_is_refused():
    with pytest.raises(Refused, match=r"'fryday' is not a day\. The days are monday"):
        parse_window({"start": "01:00", "end": "02:00", "days": ["friday", "fryday"]})
