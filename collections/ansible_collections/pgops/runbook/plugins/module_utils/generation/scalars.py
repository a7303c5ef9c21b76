# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of PostgreSQL's own types as text: numbers, times, and those that are only written, never computed with."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal, InvalidOperation, localcontext
from random import Random

from .wishes import Wish, number_of
from .words import number_by_name, random_uuid

__all__ = ["FIXED", "INTEGERS", "NUMBERS", "TIMES", "number", "time_value"]

#: Of each type of whole numbers the greatest.
INTEGERS = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1, "oid": 2**31 - 1}
NUMBERS = (*INTEGERS, "numeric", "float4", "float8", "money")
TIMES = ("date", "timestamp", "timestamptz", "time", "timetz")

# Times begin here, whatever the day is: with the same seed a run gives the same rows.
BEGIN = datetime.datetime(2020, 1, 1, 8, 30)
DAYS = 1800

DIGITS = 200

# Before this year no time is that many days earlier.
YEARS = 10

# As PostgreSQL writes it, without what may follow: parts of a second, the zone.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?(?!.*BC)")

Maker = Callable[[Random], str]


def _words(*values: str) -> Maker:
    return lambda chance: chance.choice(values)


def _whole(chance: Random) -> str:
    return str(chance.randint(1, 9999))


def _point(chance: Random) -> str:
    return f"({chance.randint(-90, 90)},{chance.randint(-90, 90)})"


def _box(chance: Random) -> str:
    return f"{_point(chance)},{_point(chance)}"


def _triangle(chance: Random) -> str:
    left, low = chance.randint(-80, 70), chance.randint(-80, 70)
    return f"(({left},{low}),({left + 5},{low}),({left},{low + 5}))"


def _hexadecimal(digits: int) -> Maker:
    return lambda chance: f"{chance.getrandbits(4 * digits):0{digits}x}"


def _octets(count: int) -> Maker:
    return lambda chance: ":".join(f"{chance.randint(0, 255):02x}" for _ in range(count))


#: Types whose values no constraint is expected to compute with: how one is written.
FIXED: dict[str, Maker] = {
    "bool": _words("true", "false"),
    "bytea": lambda chance: f"\\x{_hexadecimal(12)(chance)}",
    "uuid": random_uuid,
    "interval": lambda chance: f"{chance.randint(1, 40)} days {chance.randint(0, 23)}:00:00",
    "json": lambda chance: f'{{"key": "value", "number": {_whole(chance)}}}',
    "jsonb": lambda chance: f'{{"key": "value", "number": {_whole(chance)}}}',
    "jsonpath": lambda chance: f"$.key[{chance.randint(0, 9)}]",
    "xml": lambda chance: f"<entry>{_whole(chance)}</entry>",
    "inet": lambda chance: f"192.0.2.{chance.randint(1, 254)}",
    "cidr": lambda chance: f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}.0/24",
    "macaddr": _octets(6),
    "macaddr8": _octets(8),
    "point": _point,
    "line": lambda chance: f"{{1,{chance.randint(1, 9)},{chance.randint(-9, 9)}}}",
    "lseg": lambda chance: f"[{_box(chance)}]",
    "box": _box,
    "path": lambda chance: f"[{_box(chance)}]",
    "polygon": _triangle,
    "circle": lambda chance: f"<{_point(chance)},{chance.randint(1, 20)}>",
    "tsvector": _words("'amber':1 'birch':2", "'cedar':3A", "'delta' 'ember'"),
    "tsquery": _words("'amber' & 'birch'", "'cedar' | !'delta'", "'ember':*"),
    "xid": _whole,
    "xid8": _whole,
    "cid": _whole,
    "tid": lambda chance: f"({chance.randint(0, 99)},{chance.randint(1, 99)})",
    "pg_lsn": lambda chance: f"0/{_hexadecimal(7)(chance)}",
    "pg_snapshot": lambda chance: f"{1000 + chance.randint(0, 99)}:{2000 + chance.randint(0, 99)}:",
    "txid_snapshot": lambda chance: f"{1000 + chance.randint(0, 99)}:{2000 + chance.randint(0, 99)}:",
    "int2vector": lambda chance: f"{chance.randint(1, 9)} {chance.randint(1, 9)}",
    "oidvector": lambda chance: f"{chance.randint(1, 9)} {chance.randint(1, 9)}",
    "char": _words("a", "b", "c", "d", "x", "y"),
    "regclass": _words("pg_catalog.pg_class", "pg_catalog.pg_type"),
    "regtype": _words("pg_catalog.int4", "pg_catalog.text"),
    "regproc": _words("pg_catalog.now", "pg_catalog.version"),
    "regprocedure": _words("pg_catalog.abs(int4)", "pg_catalog.lower(text)"),
    "regoper": _words("pg_catalog.||/", "pg_catalog.|/"),
    "regoperator": _words("pg_catalog.+(int4,int4)", "pg_catalog.*(int4,int4)"),
    "regrole": _words("pg_monitor", "pg_read_all_data"),
    "regnamespace": _words("pg_catalog", "information_schema"),
    "regconfig": _words("pg_catalog.simple", "pg_catalog.english"),
    "regdictionary": _words("pg_catalog.simple"),
    "regcollation": _words('pg_catalog."C"', 'pg_catalog."POSIX"'),
    "hstore": lambda chance: f'"key"=>"{_whole(chance)}"',
    "ltree": lambda chance: f"top.branch_{_whole(chance)}",
    "cube": lambda chance: f"({_whole(chance)}, {_whole(chance)})",
}


def number(kind: str, typmod: int, name: str, wish: Wish, chance: Random, place: int | None) -> str:
    """A number within the bounds that the type and the wish give.

    Args:
        kind: one of NUMBERS.
        typmod: of numeric, precision and scale.
        name: of the column.
        wish: its bounds.
        chance: where chance comes from.
        place: of a value that must differ from others, which one it is; None: any.
    """
    scale, greatest = _scale(kind, typmod)
    step = Decimal(1).scaleb(-scale)
    with localcontext() as context:
        # numeric has up to 131072 digits, and nobody's bounds need as many.
        context.prec = DIGITS
        try:
            lowest, highest = _range(name, wish, step, greatest)
            steps = int((highest - lowest) / step)
            chosen = _choice(steps, bool(wish.low or wish.high), lowest == 0, chance, place)
            return f"{(lowest + chosen * step).quantize(step, ROUND_FLOOR):f}"
        except InvalidOperation:
            return "1"


def _range(name: str, wish: Wish, step: Decimal, greatest: Decimal) -> tuple[Decimal, Decimal]:
    """(lowest, highest) of what the wish asks, or else of what is believed; within what the type can hold."""
    lowest, highest = (Decimal(bound) for bound in number_by_name(name))
    least, most = _bound(wish.low, step), _bound(wish.high, -step)
    most = most if most is None else min(most, greatest)
    span = highest - lowest
    if least is not None or most is not None:
        lowest = least if least is not None else (most or Decimal(0)) - span
        highest = most if most is not None else lowest + span
    lowest, highest = min(max(lowest, -greatest), greatest), min(highest, greatest)
    return lowest, max(lowest, highest)


def _choice(steps: int, bounded: bool, from_zero: bool, chance: Random, place: int | None) -> int:
    if place is None:
        return chance.randint(0, steps)
    return place % (steps + 1) if bounded else place + from_zero


def _scale(kind: str, typmod: int) -> tuple[int, Decimal]:
    """(digits behind the point, greatest number)."""
    if kind in INTEGERS:
        return 0, Decimal(INTEGERS[kind])
    if kind == "numeric" and typmod >= 4:
        precision, scale = (typmod - 4) >> 16 & 0xFFFF, (typmod - 4) & 0x7FF
        scale = scale - 0x800 if scale >= 0x400 else scale
        return scale, (Decimal(10) ** precision - 1).scaleb(-scale)
    return 2, Decimal(10**6)


def _bound(bound: tuple[str, bool] | None, step: Decimal) -> Decimal | None:
    if bound is None:
        return None
    value = number_of(bound[0])
    return None if value is None else value + step if bound[1] else value


def time_value(kind: str, name: str, wish: Wish, chance: Random, place: int | None) -> str:
    """A date or a time within the bounds of the wish, as far as these are constants.

    Args:
        kind: one of TIMES.
        name: of the column.
        wish: its bounds.
        chance: where chance comes from.
        place: of a value that must differ from others, which one it is; None: any.
    """
    lowest, highest = _moment(wish.low), _moment(wish.high)
    if lowest is None:
        lowest = BEGIN if highest is None or highest.year < YEARS else highest - datetime.timedelta(days=DAYS)
    days = DAYS if highest is None else max((highest - lowest).days - 1, 0)
    shift = chance.randint(0, days) if place is None else place + 1
    seconds = 0 if days == 0 else chance.randint(0, 36000) if place is None else place
    try:
        moment = lowest + datetime.timedelta(days=shift, seconds=seconds)
    except OverflowError:
        moment = lowest
    if kind == "date":
        return moment.date().isoformat()
    if kind in ("time", "timetz"):
        return moment.time().isoformat() + ("+00" if kind == "timetz" else "")
    return moment.isoformat(sep=" ") + ("+00" if kind == "timestamptz" else "")


def _moment(bound: tuple[str, bool] | None) -> datetime.datetime | None:
    if bound is None:
        return None
    text = MOMENT.match(bound[0])
    try:
        moment = datetime.datetime.fromisoformat(text[0]) if text else None
    except ValueError:
        moment = None
    if text is None or moment is None:
        return None
    later = bound[1] and text[1] is None and moment.year < datetime.MAXYEAR
    return moment + datetime.timedelta(days=1) if later else moment
