# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A text that matches a pattern, of the kinds that check constraints have: regular expressions and LIKE."""

from __future__ import annotations

import re
import string
from random import Random

__all__ = ["NotMade", "text_like", "text_matching"]

# What "*" and "+" repeat at most, and how deep groups may be nested.
MOST = 3
DEEPEST = 20

CLASSES = {
    "alpha": string.ascii_letters,
    "digit": string.digits,
    "alnum": string.ascii_letters + string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "xdigit": "0123456789abcdef",
    "space": " ",
    "blank": " ",
    "punct": "-_.!",
}
ESCAPES = {"d": string.digits, "w": CLASSES["alnum"], "s": " ", "D": "x", "S": "x", "W": " "}
WITHOUT_WIDTH = "mMyYAZB"
ALL = CLASSES["alnum"] + " -_.,:;/@#"
COUNTED = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")


class NotMade(ValueError):
    """The pattern is of a kind that is not understood."""


def text_matching(pattern: str, chance: Random) -> str:
    """A text that matches a regular expression (manual, "POSIX Regular Expressions") of the simple kind.

    Raises:
        NotMade: it has look-ahead, back references or something else that is not simple.
    """
    reader = _Reader(pattern, chance)
    made = reader.alternatives(0)
    if reader.rest():
        raise NotMade(pattern)
    return made


def text_like(pattern: str, chance: Random) -> str:
    """A text for which ``text LIKE pattern`` is true."""
    made = []
    escaped = False
    for letter in pattern:
        if escaped or letter not in "%_\\":
            made.append(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            length = 1 if letter == "_" else chance.randint(1, MOST)
            made.append("".join(chance.choice(string.ascii_lowercase) for _ in range(length)))
    return "".join(made)


class _Reader:
    """Goes through a regular expression once, and makes a text on the way."""

    def __init__(self, pattern: str, chance: Random) -> None:
        self.pattern = pattern
        self.place = 0
        self.chance = chance

    def rest(self) -> str:
        return self.pattern[self.place :]

    def take(self, expected: str) -> bool:
        """Whether the pattern goes on with this, which is then behind us."""
        found = self.pattern.startswith(expected, self.place)
        self.place += len(expected) if found else 0
        return found

    def next(self) -> str:
        if self.place >= len(self.pattern):
            raise NotMade(self.pattern)
        self.place += 1
        return self.pattern[self.place - 1]

    def alternatives(self, depth: int) -> str:
        if depth > DEEPEST:
            raise NotMade(self.pattern)
        made = [self.sequence(depth)]
        while self.take("|"):
            made.append(self.sequence(depth))
        return self.chance.choice(made)

    def sequence(self, depth: int) -> str:
        made = []
        while self.rest() and self.rest()[0] not in "|)":
            begin = self.place
            piece = self.atom(depth)
            after = self.place
            lowest, highest = self.quantity()
            end = self.place
            for number in range(self.chance.randint(lowest, highest)):
                if number:
                    # Once more, so that each time is another.
                    self.place = begin
                    piece = self.atom(depth)
                    self.place = after
                made.append(piece)
            self.place = end
        return "".join(made)

    def quantity(self) -> tuple[int, int]:
        """How often the atom before is there: (least, most)."""
        counted = COUNTED.match(self.pattern, self.place)
        lowest, highest = 1, 1
        if counted:
            self.place = counted.end()
            lowest = int(counted[1])
            highest = int(counted[3]) if counted[3] else lowest + (MOST if counted[2] else 0)
        elif self.take("*"):
            lowest, highest = 0, MOST
        elif self.take("+"):
            highest = MOST
        elif self.take("?"):
            lowest = 0
        if counted or (lowest, highest) != (1, 1):
            self.take("?")  # not greedy, which makes no difference here
        if highest > 1000 or highest < lowest:
            raise NotMade(self.pattern)
        return lowest, highest

    def atom(self, depth: int) -> str:
        letter = self.next()
        if letter in "^$":
            return ""
        if letter == ".":
            return self.chance.choice(CLASSES["alnum"])
        if letter == "[":
            return self.chance.choice(self.letters())
        if letter == "(":
            return self.group(depth)
        if letter == "\\":
            return self.escaped()
        if letter in "*+?":
            raise NotMade(self.pattern)
        return letter

    def group(self, depth: int) -> str:
        if self.take("?") and not self.take(":"):
            raise NotMade(self.pattern)
        made = self.alternatives(depth + 1)
        if not self.take(")"):
            raise NotMade(self.pattern)
        return made

    def escaped(self) -> str:
        letter = self.next()
        if letter in WITHOUT_WIDTH:
            return ""
        if letter in ESCAPES:
            return self.chance.choice(ESCAPES[letter])
        if letter.isalnum():
            raise NotMade(self.pattern)
        return letter

    def letters(self) -> str:
        """Those that a bracket expression allows."""
        contrary = self.take("^")
        letters: list[str] = []
        first = True
        while first or not self.take("]"):
            first = False
            letters += self.range()
        allowed = [one for one in ALL if one not in letters] if contrary else letters
        if not allowed:
            raise NotMade(self.pattern)
        return "".join(allowed)

    def range(self) -> list[str]:
        named = re.match(r"\[:(\w+):\]", self.rest())
        if named:
            self.place += named.end()
            if named[1] not in CLASSES:
                raise NotMade(self.pattern)
            return list(CLASSES[named[1]])
        begin = self.next()
        if begin == "\\":
            escaped = self.next()
            return list(ESCAPES.get(escaped, escaped))
        if self.rest()[:1] == "-" and self.rest()[1:2] not in ("]", ""):
            self.place += 1
            end = self.next()
            if ord(end) - ord(begin) > 1000:
                raise NotMade(self.pattern)
            return [chr(code) for code in range(ord(begin), ord(end) + 1)]
        return [begin]
