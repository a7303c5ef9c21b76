# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that users write: each from so large a domain that it can be found again by looking for it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

__all__ = [
    "ANY_SCALE",
    "BIGINT",
    "BOOL",
    "CHAR",
    "CITEXT",
    "DIGITS",
    "INT",
    "LARGE_OBJECT",
    "LONG_NUMERIC",
    "MADE",
    "NAME",
    "NUMERIC",
    "TEXT",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "UUID_KIND",
    "VARCHAR",
    "WIDE_NUMERIC",
    "ZONE",
    "ZONE_NAME",
    "Kind",
    "Made",
    "Ref",
    "holds",
    "needle",
]

#: A zone without summer time: a local time is never two instants.
ZONE = timezone(timedelta(hours=5, minutes=30))
ZONE_NAME = "Asia/Kolkata"


class Made:
    """A value that the database makes up: the number of a sequence, a random uuid, the time of the deploy."""

    def __repr__(self) -> str:
        return "made up by the database"


MADE = Made()


@dataclass(frozen=True)
class Ref:
    """What a foreign key means: the thing that it points at, whatever that thing's key is."""

    thing: str


@dataclass(frozen=True)
class Kind:
    """A type of column.

    Attributes:
        sql: the type.
        make: a value as a user may write it.
        read: what the driver gives -> the value of the model.
        look: SQL that reads the column.
        put: SQL around the placeholder.
    """

    sql: str
    make: Callable[[Random], Any]
    read: Callable[[Any], Any] = lambda value: value
    look: str = "{}"
    put: str = "%s"


def _word(chance: Random) -> str:
    # Large and small letters, so that what a migration derives with lower() is not found in the place of it.
    middle = "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(7))
    return f"Q{middle}z"


def _moment(chance: Random) -> datetime:
    # The fraction is what is looked for; neither its first nor its last digit may vanish.
    fraction = chance.randint(10**4, 10**5 - 1) * 10 + chance.randint(1, 9)
    return datetime(2020, 1, 1) + timedelta(minutes=chance.randint(0, 10**6), microseconds=fraction)


def _digits(lowest: int, highest: int, places: int) -> Callable[[Random], Decimal]:
    # The last place is never 0: as text the number is the same with every scale.
    return lambda chance: (Decimal(chance.randint(lowest, highest)) * 10 + chance.randint(1, 9)) / 10**places


def _utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC).replace(tzinfo=None)


def _large_object_now(column: str = "{0}") -> str:
    return (
        f"CASE WHEN {column} IS NULL THEN NULL WHEN EXISTS (SELECT FROM pg_largeobject_metadata m"
        f" WHERE m.oid = {column}) THEN convert_from(lo_get({column}), 'UTF8') ELSE 'no such object' END"
    )


TEXT = Kind("text", _word)
NAME = Kind("name", _word)
VARCHAR = Kind("varchar(20)", _word)
CHAR = Kind("char(30)", _word, lambda value: value.rstrip() if isinstance(value, str) else value)
BOOL = Kind("bool", lambda chance: chance.random() < 0.5)
#: The same number may be written with another scale; to a unique index it is the same.
ANY_SCALE = Kind("numeric", _digits(10**3, 10**8, 2))
CITEXT = Kind("citext", _word)
INT = Kind("int", lambda chance: chance.randint(10**7, 10**9))
DIGITS = Kind("text", lambda chance: str(chance.randint(10**7, 10**9)))
BIGINT = Kind("bigint", lambda chance: chance.randint(10**7, 10**9))
NUMERIC = Kind("numeric(6,2)", _digits(10**3, 99_998, 2))
WIDE_NUMERIC = Kind("numeric(9,4)", _digits(10**6, 9_998_000, 4))
LONG_NUMERIC = Kind("numeric(14,4)", _digits(10**8, 10**10, 4))
TIMESTAMP = Kind("timestamp", _moment)
TIMESTAMPTZ = Kind("timestamptz", _moment, _utc, put="%s AT TIME ZONE 'UTC'")
UUID_KIND = Kind("uuid", lambda chance: str(UUID(int=chance.getrandbits(128), version=4)), put="%s::uuid")
LARGE_OBJECT = Kind("oid", _word, look=_large_object_now(), put="lo_from_bytea(0, convert_to(%s, 'UTF8'))")


def needle(value: Any) -> str:
    """The text by which a value of a user is found wherever it is, in a table or in the salvage."""
    if isinstance(value, datetime):
        return f".{value.microsecond:06d}"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


def holds(text: str, value: Any) -> bool:
    """Whether the text has the value, and not as a part of another one; a number may have zeros behind its places."""
    wanted = needle(value)
    before = "" if wanted.startswith(".") else r"(?<![0-9A-Za-z.])"
    after = "0*(?![0-9])" if isinstance(value, Decimal) and "." in wanted else "(?![0-9A-Za-z])"
    return re.search(before + re.escape(wanted) + after, text) is not None
