# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Maintenance windows, weekly or by cron, as the moments at which they open and close around now.

Worked out on the controller, which has the time zones; which of them is open, the clock of the server says.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...module_utils.errors import Refused

try:
    from cronsim import CronSim, CronSimError
except ModuleNotFoundError:
    CRONSIM_IS_MISSING = True
else:
    CRONSIM_IS_MISSING = False

__all__ = ["WEEKDAYS", "check_windows", "openings"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

WEEKLY = {"start", "end", "days", "timezone"}
CRON = {"cron", "minutes", "timezone"}

# How far the clocks of controller and server may be apart, and a weekly window is away.
DAYS_AROUND = 8
MOST_MINUTES = 7 * 24 * 60

WRONG = "maintenance_window_hours: {} Production was not touched."

Moment = datetime.datetime


class Opening(NamedTuple):
    """From when to when a window is open; both in UTC."""

    opens: Moment
    closes: Moment


def check_windows(given: object) -> None:
    """
    Args:
        given: maintenance_window_hours: a window, a list of them, or nothing.

    Raises:
        Refused: one of them is none that could ever open.
    """
    openings(given, datetime.datetime.now(datetime.UTC))


def openings(given: object, now: Moment) -> list[dict[str, str]] | None:
    """When the windows are open, around now, in order; None where there is no window, so that it is always open.

    Args:
        given: see check_windows().
        now: about.

    Returns:
        list: dicts with opens and closes (UTC, as ISO 8601), opens_local and closes_local (for people) and timezone;
            windows that meet are one.

    Raises:
        Refused: see check_windows().
    """
    rules = _rules(given)
    if not rules:
        return None
    found = [(one, _name(rule)) for rule in rules for one in _openings_of(rule, now)]
    return [_told(opening, zone) for opening, zone in _joined(found)]


def _told(opening: Opening, zone: str) -> dict[str, str]:
    local = [f"{one.astimezone(_zone(zone)):%A %Y-%m-%d %H:%M}" for one in opening]
    return {
        "opens": opening.opens.isoformat(),
        "closes": opening.closes.isoformat(),
        "opens_local": local[0],
        "closes_local": local[1],
        "timezone": zone,
    }


def _name(rule: Mapping[str, Any]) -> str:
    return str(rule.get("timezone") or "UTC")


def _rules(given: object) -> list[Mapping[str, Any]]:
    rules = [given] if isinstance(given, Mapping) else given
    if not rules or rules == [{}]:
        return []
    if not isinstance(rules, list) or not all(isinstance(one, Mapping) and one for one in rules):
        raise _wrong("it is a dictionary, or a list of dictionaries.")
    return rules


def _wrong(what: str) -> Refused:
    return Refused("setting_invalid", WRONG.format(what))


def _openings_of(rule: Mapping[str, Any], now: Moment) -> Iterator[Opening]:
    by_cron = "cron" in rule
    unknown = sorted(str(key) for key in set(rule) - (CRON if by_cron else WEEKLY))
    if unknown:
        known = ", ".join(sorted(CRON if by_cron else WEEKLY))
        raise _wrong(
            f"a window that is {'by cron' if by_cron else 'weekly'} has no {unknown[0]!r}, but {known}."
        )
    zone = _zone(_name(rule))
    return _by_cron(rule, zone, now) if by_cron else _weekly(rule, zone, now)


def _zone(name: str) -> datetime.tzinfo:
    if name == "UTC":
        return datetime.UTC  # also where nobody has installed time zones
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of the data base is an OSError.
        raise _wrong(
            f"there is no time zone {name!r}. Write it as Europe/Berlin, as in the data base of IANA; where the"
            " controller knows none at all, install tzdata on it."
        ) from None


def _weekly(rule: Mapping[str, Any], zone: datetime.tzinfo, now: Moment) -> Iterator[Opening]:
    """One a day on which it begins. An end that is not after the start is on the next day."""
    start, end, days = _time(rule, "start"), _time(rule, "end"), _days(rule.get("days"))
    today = now.astimezone(zone).date()
    windows = []
    for number in range(-DAYS_AROUND, DAYS_AROUND + 1):
        day = today + datetime.timedelta(days=number)
        last = day if end > start else day + datetime.timedelta(days=1)
        opening = Opening(_moment(day, start, zone), _moment(last, end, zone))
        # Of a window that is over before it begins, in a night that has no such hour, nothing is left.
        if day.weekday() in days and opening.opens < opening.closes:
            windows.append(opening)
    return iter(windows)


def _moment(day: datetime.date, time: datetime.time, zone: datetime.tzinfo) -> Moment:
    """A time of the clock on the wall: of one that it shows twice the first; one that it leaves out as if it did not.

    See "fold" in the documentation of datetime.
    """
    return datetime.datetime.combine(day, time, tzinfo=zone).astimezone(datetime.UTC)


def _time(rule: Mapping[str, Any], key: str) -> datetime.time:
    text = rule.get(key)
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", str(text).strip())
    if found is None:
        raise _wrong(f"{key} {text!r} is not a time of day. Write it as HH:MM, in quotes.")
    return datetime.time(int(found[1]), int(found[2]))


def _days(given: object) -> set[int]:
    """Numbers of days, 0 for Monday; all where none is named."""
    days = [given] if isinstance(given, str) else given or []
    if not isinstance(days, list):
        raise _wrong("days is a list of days.")
    for day in days:
        if str(day).strip().lower() not in WEEKDAYS:
            raise _wrong(f"{day!r} is not a day. The days are {', '.join(WEEKDAYS)}.")
    return {WEEKDAYS.index(str(day).strip().lower()) for day in days} or set(range(7))


def _by_cron(rule: Mapping[str, Any], zone: datetime.tzinfo, now: Moment) -> Iterator[Opening]:
    """One at each time that the expression names, for so many minutes; the first after DAYS_AROUND is the last."""
    if CRONSIM_IS_MISSING:
        raise Refused(
            "cronsim_missing",
            "maintenance_window_hours has a window by cron, and the Python package cronsim, which reads it, is missing"
            " on the controller. Production was not touched. Install it: pip install cronsim",
        )
    length = _length(rule.get("minutes"))
    begin = now - datetime.timedelta(days=DAYS_AROUND) - length
    expression = str(rule["cron"])
    try:
        if len(expression.split()) != 5:
            raise CronSimError("Wrong number of fields")
        times = [
            one.astimezone(datetime.UTC) for one in _until(CronSim(expression, begin.astimezone(zone)), now)
        ]
    except CronSimError as error:
        raise _wrong(
            f"cron {expression!r} cannot be read: {error}. Its fields are minute, hour, day of month, month, day of"
            " week, as in '0 22 * * 5'."
        ) from None
    if not times:
        raise _wrong(f"cron {expression!r} names no moment that will ever come.")
    return (Opening(opens, opens + length) for opens in times)


def _until(times: Iterator[Moment], now: Moment) -> Iterator[Moment]:
    last = now + datetime.timedelta(days=DAYS_AROUND)
    for one in times:
        yield one
        if one > last:
            return


def _length(minutes: object) -> datetime.timedelta:
    text = str(minutes).strip()
    if not re.fullmatch(r"\d{1,6}", text) or not 1 <= int(text) <= MOST_MINUTES:
        raise _wrong(
            f"minutes {minutes!r} is not how long a window by cron is open: 1 to {MOST_MINUTES}, a week."
        )
    return datetime.timedelta(minutes=int(text))


def _joined(found: list[tuple[Opening, str]]) -> list[tuple[Opening, str]]:
    """In order; those that meet or overlap as one, in the time zone of the one that closes last."""
    joined: list[tuple[Opening, str]] = []
    for (opens, closes), zone in sorted(found, key=lambda one: one[0]):
        if joined and opens <= joined[-1][0].closes:
            before, its_zone = joined[-1]
            last = max((before.closes, its_zone), (closes, zone))
            joined[-1] = (Opening(before.opens, last[0]), last[1])
        else:
            joined.append((Opening(opens, closes), zone))
    return joined
