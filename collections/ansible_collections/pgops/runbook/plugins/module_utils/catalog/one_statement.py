# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a text with a definition in it is one statement, before it is sent.

Definitions come out of manifests and the ledger. Whoever could write there must not have another statement run behind
one of them with the rights of the deploy role.
"""

from __future__ import annotations

import re

__all__ = ["is_one_statement"]

# As PostgreSQL deparses them, with standard_conforming_strings (manual, "Lexical Structure"). Dollar quotes and
# comments are never deparsed, and so are refused.
_TOKENS = re.compile(
    r"""(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'   # a string with escapes
      | '(?:[^']|'')*'                       # a string
      | "(?:[^"]|"")*"                       # a name
      | \$\w*\$ | -- | /\*                   # what could hide the rest
      | \bCASE\b | \bEND\b | \bBEGIN\s+ATOMIC\b
      | ['"();]""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_HIDES = ("--", "/*", "'", '"')


def is_one_statement(text: str) -> bool:
    """Whether nothing follows the first statement, whose parentheses and quotes all end.

    Semicolons are allowed where they end none: within parentheses (actions of a rule), within BEGIN ATOMIC … END,
    and at the very end.
    """
    depth, blocks, in_body = 0, 0, False
    for token in _TOKENS.finditer(text):
        word = token[0].upper()
        if word in _HIDES or (word.startswith("$") and word.endswith("$")):
            return False
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif word.startswith("BEGIN"):
            # One function has one body. A name may be written without quotes like this, CASE and END cannot.
            blocks += not in_body
            in_body = True
        elif word == "CASE":
            blocks += 1
        elif word == "END":
            blocks -= 1
        elif word == ";" and not depth and not blocks and text[token.end() :].strip():
            return False
        if depth < 0 or blocks < 0:
            return False
    return not depth and not blocks
