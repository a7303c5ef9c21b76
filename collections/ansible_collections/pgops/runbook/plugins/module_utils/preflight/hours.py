# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maintenance window as pure arithmetic on minutes of a day."""

from __future__ import annotations

import re

from ..errors import Refused
from ..shapes import Json

__all__ = ["WEEKDAYS", "is_open", "parse_window"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


#: From and until which minute of the day, on which ISO weekdays (1 is Monday).
Window = tuple[int, int, set[int]]


def _minutes(text: str) -> int:
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip())
    if found is None:
        raise Refused(
            "setting_invalid",
            f"maintenance_window_hours: {text!r} is not a time of day. Write it as HH:MM, in quotes.",
        )
    return int(found.group(1)) * 60 + int(found.group(2))


def parse_window(window: Json) -> Window:
    """Window with times in minutes.

    Args:
        window: dict with start and end ("HH:MM") and days (English names; empty means every day).

    Returns:
        (start, end, weekdays): minutes of the day, and a set of ISO weekdays (1 is Monday).

    Raises:
        Refused: for a time or a day that is none.
    """
    weekdays = set()
    for day in window.get("days") or []:
        if day.strip().lower() not in WEEKDAYS:
            raise Refused(
                "setting_invalid",
                f"maintenance_window_hours: {day!r} is not a day. The days are {', '.join(WEEKDAYS)}.",
            )
        weekdays.add(WEEKDAYS.index(day.strip().lower()) + 1)
    return _minutes(window["start"]), _minutes(window["end"]), weekdays or set(range(1, 8))


def is_open(window: Window, weekday: int, minute: int) -> bool:
    """Whether the window is open.

    Args:
        window: as parse_window returns it; an end before the start means the next day, equal means all day.
        weekday: ISO weekday now.
        minute: minute of the day now.
    """
    start, end, weekdays = window
    if start < end:
        return weekday in weekdays and start <= minute < end
    if minute >= start:
        return weekday in weekdays
    # After midnight the window that began yesterday counts.
    return minute < end and (weekday - 2) % 7 + 1 in weekdays
