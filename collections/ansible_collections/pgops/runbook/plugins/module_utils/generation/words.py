# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that a person would believe, by the name of their column."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from random import Random
from uuid import UUID

__all__ = ["number_by_name", "random_uuid", "text_by_name"]

FIRST = (
    "Ada",
    "Grace",
    "Linus",
    "Margaret",
    "Zoë",
    "José",
    "Mary Ann",
    "Søren",
    "Edgar",
    "Barbara",
    "Ken",
    "Ana",
)
LAST = ("Lovelace", "O'Neill", "Müller", "van den Berg", "García", "Codd", "Smith", "Hopper", "Ōe", "Liskov")
CITIES = ("Berlin", "São Paulo", "Zürich", "New York", "Lagos", "Kyoto", "Tromsø")
STREETS = ("Main Street", "Bahnhofstraße", "Rue de l'Église", "High Street", "Calle Mayor")
PLAIN = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "juniper",
    "kernel",
    "lumen",
)
WORDS = (*PLAIN, "naïve", "100%", 'the "best"', "it's", "back\\slash", "Straße", "two words")
CODES = ("ABC", "KLM", "QR", "XYZ")
HEX = "0123456789abcdef"

Maker = Callable[[Random], str]


def _one(*values: str) -> Maker:
    return lambda chance: chance.choice(values)


def _digest(length: int) -> Maker:
    return lambda chance: "".join(chance.choice(HEX) for _ in range(length))


def _email(chance: Random) -> str:
    # A domain that never belongs to anybody (RFC 2606).
    return f"{chance.choice(PLAIN)}.{chance.choice(PLAIN)}{chance.randint(1, 9999)}@example.com"


def _url(chance: Random) -> str:
    return f"https://www.example.com/{chance.choice(PLAIN)}/{chance.randint(1, 9999)}"


def _name(chance: Random) -> str:
    return f"{chance.choice(FIRST)} {chance.choice(LAST)}"


def _slug(chance: Random) -> str:
    return f"{chance.choice(PLAIN)}-{chance.choice(PLAIN)}-{chance.randint(1, 999)}"


def _sentence(chance: Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(3, 9))).capitalize() + "."


def _title(chance: Random) -> str:
    return " ".join(chance.choice(PLAIN) for _ in range(2)).title()


def _path(chance: Random) -> str:
    return f"/srv/{chance.choice(PLAIN)}/{chance.choice(PLAIN)} {chance.randint(1, 999)}.txt"


# The first that is found in a column's name.
TEXTS: tuple[tuple[str, Maker], ...] = (
    (r"e_?mail", _email),
    (r"url|uri|website|homepage|link|href", _url),
    (r"sha256", _digest(64)),
    (r"sha1", _digest(40)),
    (r"md5|hash|digest|checksum|token|secret|passw|fingerprint", _digest(32)),
    (r"uuid|guid", lambda chance: random_uuid(chance)),
    (r"first_?name|given", _one(*FIRST)),
    (r"last_?name|surname|family", _one(*LAST)),
    (r"user_?name|login|nick|handle|slug", _slug),
    (r"file_?name", lambda chance: f"{chance.choice(PLAIN)}_{chance.randint(1, 999)}.txt"),
    (r"path|folder|directory", _path),
    (r"mime|content_type|media_type", _one("text/plain", "image/png", "application/json")),
    (r"phone|mobile|fax", lambda chance: f"+49 30 {chance.randint(100000, 9999999)}"),
    (r"(^|_)ip($|_)|ip_?addr", lambda chance: f"192.0.2.{chance.randint(1, 254)}"),
    (r"country", _one("DE", "BR", "CH", "US", "NG", "JP")),
    (r"currency", _one("EUR", "USD", "CHF", "JPY")),
    (r"lang|locale", _one("de", "en", "pt", "ja")),
    (r"time_?zone|(^|_)tz($|_)", _one("Europe/Berlin", "UTC", "America/New_York")),
    (r"city|town", _one(*CITIES)),
    (r"zip|postal|postcode", lambda chance: f"{chance.randint(10000, 99999)}"),
    (r"street|address", lambda chance: f"{chance.choice(STREETS)} {chance.randint(1, 200)}"),
    (r"colou?r", lambda chance: f"#{chance.randint(0, 0xFFFFFF):06x}"),
    (r"status|state", _one("active", "pending", "closed")),
    (r"gender|sex", _one("f", "m", "x")),
    (r"version", lambda chance: f"{chance.randint(0, 9)}.{chance.randint(0, 20)}.{chance.randint(0, 9)}"),
    (r"code|sku|(^|_)key$", lambda chance: f"{chance.choice(CODES)}{chance.randint(1, 9999)}"),
    (r"type|kind|category|level|role", _one(*PLAIN)),
    (r"title|subject|headline", _title),
    (r"name|author|owner|artist", _name),
    (r"descr|comment|note|body|text|content|message|summary|bio", _sentence),
)

# (part of a name, lowest, highest)
NUMBERS = (
    (r"year", 1970, 2030),
    (r"month", 1, 12),
    (r"(^|_)day", 1, 28),
    (r"hour", 0, 23),
    (r"minute|second", 0, 59),
    (r"(^|_)age($|_)", 0, 99),
    (r"percent|pct", 0, 100),
    (r"ratio|rate|share|score|confidence|probability", 0, 1),
    (r"(^|_)lat($|itude)", -90, 90),
    (r"(^|_)(lon|lng)($|gitude)", -180, 180),
    (r"rating|stars|priority|level", 1, 5),
    (r"port($|_)", 1024, 65535),
    (r"quantity|count|qty|number_of", 0, 50),
    (r"price|amount|total|cost|balance|salary", 1, 5000),
    (r"width|height|length|size|bytes", 1, 4000),
)

COMPILED = tuple((re.compile(pattern), maker) for pattern, maker in TEXTS)


def random_uuid(chance: Random) -> str:
    """A random one (RFC 9562, version 4)."""
    return str(UUID(int=chance.getrandbits(128), version=4))


@lru_cache(maxsize=10_000)
def _maker(lowered: str) -> Maker:
    """What makes texts for a column of this name; tables with many rows ask over and over."""
    return next((maker for pattern, maker in COMPILED if pattern.search(lowered)), _one(*WORDS))


def text_by_name(name: str, chance: Random, ascii_only: bool = False) -> str:
    """A text for a column of this name.

    Args:
        name: of the column.
        chance: where chance comes from.
        ascii_only: for a database whose encoding has no other letters.
    """
    made = _maker(name.lower())(chance)
    return made.encode("ascii", "ignore").decode() if ascii_only else made


@lru_cache(maxsize=10_000)
def number_by_name(name: str) -> tuple[int, int]:
    """(lowest, highest) that a person would believe of a number in a column of this name."""
    lowered = name.lower()
    return next(
        ((lowest, highest) for pattern, lowest, highest in NUMBERS if re.search(pattern, lowered)), (0, 1000)
    )
