# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A value of any type as text, as PostgreSQL reads it: the types of users are put together from its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from random import Random

from .expressions import Column, Compared, Constant, understood
from .patterns import NotMade, text_like, text_matching
from .scalars import FIXED, NUMBERS, TIMES, number, time_value
from .types import TEXTS, VECTORS, DataType
from .wishes import Wish, Wishes
from .words import text_by_name

__all__ = ["Wanted", "value"]

#: The name of a domain's value in its checks.
OF_DOMAIN = "VALUE"

LONGEST = 200


@dataclass(frozen=True)
class Wanted:
    """Which value is wanted.

    Attributes:
        name: of the column.
        chance: where chance comes from.
        wish: what is asked of it.
        place: of a value that must differ from others, which one it is; None: any.
        ascii_only: whether the database's encoding has no other letters.
    """

    name: str
    chance: Random
    wish: Wish
    place: int | None = None
    ascii_only: bool = False


def value(of: DataType, typmod: int, wanted: Wanted) -> str:
    """A value, as text; whether the database takes it is for the database to say.

    Args:
        of: its type.
        typmod: of the column; -1 for none.
        wanted: which one.
    """
    if of.kind == "domain" and of.inner is not None:
        return value(of.inner, of.typmod, replace(wanted, wish=_with_checks(of, wanted)))
    choices = [one for one in wanted.wish.choices or () if one not in wanted.wish.excluded]
    if choices:
        return wanted.chance.choice(choices)
    if of.kind == "enum":
        labels = [one for one in of.labels if one not in wanted.wish.excluded] or [""]
        return (
            labels[wanted.place % len(labels)] if wanted.place is not None else wanted.chance.choice(labels)
        )
    if of.samples:
        return wanted.chance.choice(of.samples)
    return _nested(of, typmod, wanted) if of.kind != "base" else _base(of.name, typmod, wanted)


def _with_checks(domain: DataType, wanted: Wanted) -> Wish:
    """The wish of a column with what its domain asks besides."""
    wishes = Wishes(wanted.chance, {OF_DOMAIN: copy.deepcopy(wanted.wish)})
    for check in domain.checks:
        wishes.add(understood(check))
    return wishes.of(OF_DOMAIN)


def _nested(of: DataType, typmod: int, wanted: Wanted) -> str:
    if of.kind == "array" and of.inner is not None:
        return _array(of, typmod, wanted)
    if of.kind == "composite":
        fields = (
            value(inner, own, replace(wanted, name=name, wish=Wish())) for name, inner, own in of.attributes
        )
        return f"({','.join(map(_quoted, fields))})"
    if of.kind == "multirange" and of.inner is not None:
        return f"{{{value(of.inner, -1, wanted)}}}"
    return _range(of, wanted)


def _array(of: DataType, typmod: int, wanted: Wanted) -> str:
    least = max(wanted.wish.shortest, 1)
    most = wanted.wish.longest if wanted.wish.longest is not None else least + 2
    count = wanted.chance.randint(min(least, most), max(least, most)) if most else 0
    items = (value(of.inner or of, typmod, replace(wanted, wish=Wish())) for _ in range(min(count, LONGEST)))
    return f"{{{of.delimiter.join(map(_quoted, items))}}}"


def _range(of: DataType, wanted: Wanted) -> str:
    """A short one, which overlaps few others; of bounds that cannot be compared here, of one value."""
    if of.inner is None:
        return "empty"
    low = value(of.inner, -1, replace(wanted, wish=Wish()))
    base = of.inner
    while base.kind == "domain" and base.inner is not None:
        base = base.inner
    if base.name not in (*NUMBERS, *TIMES):
        return f"[{_quoted(low)},{_quoted(low)}]"
    wishes = Wishes(wanted.chance)
    wishes.add(Compared(">", Column("x"), Constant(low)))
    high = value(of.inner, -1, replace(wanted, wish=wishes.of("x"), place=1))
    return f"[{_quoted(low)},{_quoted(high)})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _base(kind: str, typmod: int, wanted: Wanted) -> str:
    if kind in NUMBERS:
        return number(kind, typmod, wanted.name, wanted.wish, wanted.chance, wanted.place)
    if kind in TIMES:
        return time_value(kind, wanted.name, wanted.wish, wanted.chance, wanted.place)
    if kind in ("bit", "varbit"):
        length = typmod if typmod > 0 else (1 if kind == "bit" else 8)
        return "".join(wanted.chance.choice("01") for _ in range(min(length, 4096)))
    if kind in VECTORS:
        return f"[{','.join(str(wanted.chance.randint(-9, 9)) for _ in range(max(typmod, 1)))}]"
    if kind in TEXTS:
        return _text(kind, typmod, wanted)
    return FIXED[kind](wanted.chance) if kind in FIXED else ""


def _text(kind: str, typmod: int, wanted: Wanted) -> str:
    limit = typmod - 4 if typmod >= 4 else 63 if kind == "name" else LONGEST
    wish = wanted.wish
    longest = limit if wish.longest is None else min(limit, wish.longest)
    made = _patterned(wish, wanted.chance)
    if made is None:
        made = _differing(wanted, max(longest, 0))
    if len(made) < wish.shortest:
        made += "x" * (min(wish.shortest, 10**6) - len(made))
    cased = {"lower": made.lower(), "upper": made.upper()}
    return cased.get(wish.case or "", made)[: max(longest, wish.shortest, 0)]


def _patterned(wish: Wish, chance: Random) -> str | None:
    """A text that matches the first pattern that is understood; None where there is none."""
    for sign, pattern in wish.patterns:
        try:
            return text_matching(pattern, chance) if sign in ("~", "~*") else text_like(pattern, chance)
        except NotMade:
            continue
    return None


def _differing(wanted: Wanted, longest: int) -> str:
    """A believable text; where it must differ from others, with a number behind it that fits."""
    made = text_by_name(wanted.name, wanted.chance, wanted.ascii_only)
    if wanted.place is None:
        return made[:longest]
    # Base 36, so that short columns have room for many.
    number_of_it = _base36(wanted.place)
    return made[: max(longest - len(number_of_it), 0)] + number_of_it


def _base36(number_of_it: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = digits[number_of_it % 36]
    while number_of_it >= 36:
        number_of_it //= 36
        text = digits[number_of_it % 36] + text
    return text
