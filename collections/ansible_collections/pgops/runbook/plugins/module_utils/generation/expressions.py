# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check constraint says, read from the text that pg_get_expr() makes of it, as far as it is simple.

PostgreSQL writes each operation in parentheses, keywords in capitals and names in small letters or in quotes. So no
precedence has to be known, and a part that is not understood spoils none of the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Union

__all__ = [
    "AllOf",
    "AnyOf",
    "Call",
    "Column",
    "Compared",
    "Constant",
    "Listed",
    "Not",
    "Nothing",
    "Tree",
    "Unknown",
    "constants_in",
    "understood",
]


class Column(NamedTuple):
    """A column, or VALUE of a domain."""

    name: str


class Constant(NamedTuple):
    """A constant as text; None is NULL."""

    text: str | None


class Call(NamedTuple):
    """A function, without its schema."""

    name: str
    arguments: tuple[Tree, ...]


class Compared(NamedTuple):
    """Two operands with an operator between them."""

    sign: str
    left: Tree
    right: Tree


class Listed(NamedTuple):
    """``left sign ANY (ARRAY[...])`` or ``ALL``."""

    sign: str
    all: bool
    left: Tree
    items: tuple[Tree, ...]


class Nothing(NamedTuple):
    """``IS NULL``, or with ``null`` false ``IS NOT NULL``."""

    inner: Tree
    null: bool


class AllOf(NamedTuple):
    """Parts with AND between them."""

    parts: tuple[Tree, ...]


class AnyOf(NamedTuple):
    """Parts with OR between them."""

    parts: tuple[Tree, ...]


class Not(NamedTuple):
    """The contrary of a part."""

    inner: Tree


class Unknown(NamedTuple):
    """What is not understood."""


Tree = Union[Column, Constant, Call, Compared, Listed, Nothing, AllOf, AnyOf, Not, Unknown]


class Token(NamedTuple):
    """A word, a quoted name, a string, a number, an operator; or a group of tokens in parentheses or brackets."""

    kind: str
    text: str
    inside: tuple[Token, ...] = ()


TOKENS = re.compile(
    r"""(?P<string>E?'(?:[^']|'')*')
      | (?P<name>"(?:[^"]|"")*")
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<cast>::)
      | (?P<mark>[()\[\],.;:])
      | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)""",
    re.VERBOSE,
)
CLOSES = {"(": ")", "[": "]"}


def understood(text: str) -> Tree:
    """The tree of an expression; parts of it that are not understood are Unknown.

    Args:
        text: from pg_get_expr() or pg_get_constraintdef() without its keyword, in a session with pinned settings.
    """
    group = _grouped(_tokens(text))
    return Unknown() if group is None else _condition(group)


def constants_in(text: str) -> list[str]:
    """All constants of an expression, in their order, whether or not it is understood."""
    found = [token.text for token in _tokens(text) if token.kind in ("string", "number")]
    return list(dict.fromkeys(found))


def _tokens(text: str) -> list[Token]:
    tokens = []
    for match in TOKENS.finditer(text):
        kind, written = str(match.lastgroup), match.group()
        if kind == "string":
            inner = written[written.index("'") + 1 : -1].replace("''", "'")
            written = inner.replace("\\\\", "\\") if match.group().startswith("E") else inner
        elif kind == "name":
            written = written[1:-1].replace('""', '"')
        tokens.append(Token(kind, written))
    return tokens


def _grouped(tokens: Sequence[Token]) -> list[Token] | None:
    """Tokens with what is in parentheses or brackets as one; None where these do not match."""
    stack: list[tuple[str, list[Token]]] = [("", [])]
    for token in tokens:
        if token.kind == "mark" and token.text in CLOSES:
            stack.append((token.text, []))
        elif token.kind == "mark" and token.text in CLOSES.values():
            opened, inside = stack.pop()
            if not stack or CLOSES[opened] != token.text:
                return None
            stack[-1][1].append(Token(opened, "", tuple(inside)))
        else:
            stack[-1][1].append(token)
    return stack[0][1] if len(stack) == 1 else None


def _split(tokens: Sequence[Token], kind: str, text: str) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == kind and token.text == text:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _has(tokens: Sequence[Token], word: str) -> bool:
    return any(token.kind == "word" and token.text == word for token in tokens)


def _condition(tokens: Sequence[Token]) -> Tree:
    if len(tokens) == 1 and tokens[0].kind == "(":
        return _condition(tokens[0].inside)
    if not tokens or _has(tokens, "CASE"):
        return Unknown()
    if _has(tokens, "OR"):
        return AnyOf(tuple(_condition(part) for part in _split(tokens, "word", "OR")))
    if _has(tokens, "AND"):
        return AllOf(tuple(_condition(part) for part in _split(tokens, "word", "AND")))
    if _has(tokens[:1], "NOT"):
        return Not(_condition(tokens[1:]))
    return _comparison(tokens)


def _comparison(tokens: Sequence[Token]) -> Tree:
    for place, token in enumerate(tokens):
        if token.kind == "word" and token.text == "IS":
            rest = [one.text for one in tokens[place + 1 :]]
            known = rest in (["NULL"], ["NOT", "NULL"])
            return Nothing(_operand(tokens[:place]), len(rest) == 1) if known else Unknown()
        if token.kind == "operator" and place:
            return _compared(token.text, _operand(tokens[:place]), tokens[place + 1 :])
    return _operand(tokens)


def _compared(sign: str, left: Tree, right: Sequence[Token]) -> Tree:
    if right and right[0].kind == "word" and right[0].text in ("ANY", "ALL"):
        items = _items(right[1:])
        return Unknown() if items is None else Listed(sign, right[0].text == "ALL", left, items)
    return Compared(sign, left, _operand(right))


def _items(tokens: Sequence[Token]) -> tuple[Tree, ...] | None:
    """The items of ``ARRAY[...]``, or of an array as one constant, within casts and parentheses."""
    while tokens and tokens[0].kind == "(":
        tokens = tokens[0].inside
    if _has(tokens[:1], "ARRAY") and len(tokens) > 1 and tokens[1].kind == "[":
        return tuple(_operand(part) for part in _split(tokens[1].inside, "mark", ","))
    if tokens and tokens[0].kind == "string" and re.fullmatch(r"\{[^\"\\{}]*\}", tokens[0].text):
        return tuple(Constant(one) for one in tokens[0].text[1:-1].split(","))
    return None


def _operand(tokens: Sequence[Token]) -> Tree:
    uncast = _split(tokens, "cast", "::")[0]
    if len(uncast) == 1:
        return _single(uncast[0])
    if len(uncast) == 2 and uncast[0] == Token("operator", "-") and uncast[1].kind == "number":
        return Constant(f"-{uncast[1].text}")
    if len(uncast) > 1 and uncast[-1].kind == "(" and uncast[-2].kind in ("word", "name"):
        parts = _split(uncast[-1].inside, "mark", ",") if uncast[-1].inside else []
        return Call(uncast[-2].text, tuple(_operand(part) for part in parts))
    return Unknown()


def _single(token: Token) -> Tree:
    if token.kind == "(":
        return _condition(token.inside)
    if token.kind == "word" and token.text in ("true", "false"):
        return Constant(token.text)
    if token.kind == "word" and token.text == "NULL":
        return Constant(None)
    if token.kind in ("word", "name"):
        return Column(token.text)
    return Constant(token.text) if token.kind in ("string", "number") else Unknown()
