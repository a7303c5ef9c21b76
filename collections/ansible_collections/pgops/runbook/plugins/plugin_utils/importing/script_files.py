# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two files of an imported migration: the header with what is known of it, and below it what the tool printed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from ..sql.header import header_lines
from .told import Half, Listed

__all__ = ["is_edited", "is_imported", "script_text"]

_ORIGIN = re.compile(
    r"^-- Imported from: .* \(SHA-256 of what follows: (?P<digest>[0-9a-f]{64})\)\r?\n", re.M
)


def script_text(
    title: str, migration: Listed, half: Half, stem: str, requires: Iterable[str], back: bool
) -> str:
    """The text of one file.

    Args:
        title: of the tool.
        stem: of the migration's file.
        requires: stems of the migrations that it requires.
        back: whether it is the rollback.
    """
    facts = [
        f"Migration: {stem}.sql",
        f"Description: {'Takes back: ' if back else ''}{one_line(migration.description)}",
    ]
    if back:
        facts[0] = f"Rollback: {stem}_rollback.sql"
    else:
        facts += [f"Requires: {_list(requires)}", f"Recorded as: {one_line(migration.recorded_as)}"]
    facts += ["Transaction: none"] if half.one_by_one else []
    facts += [f"Unfinished: {one_line('; '.join(half.unfinished))}"] if half.unfinished else []
    body = _body(migration, half)
    origin = f"Imported from: {title}, {one_line(migration.key)} (SHA-256 of what follows: {_digest(body)})"
    return "".join(f"-- {fact}\n" for fact in [*facts, origin]) + body


def is_imported(text: str) -> bool:
    """Whether a script says that it was imported."""
    return _ORIGIN.search(text) is not None


def is_edited(text: str) -> bool:
    """Whether what stands below the header of an imported script is other than what was imported."""
    found = _ORIGIN.search(text)
    return found is not None and found["digest"] != _digest(text[found.end() :])


def one_line(text: str) -> str:
    """A fact of the header must not begin another line, nor hold what no text file can."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _digest(body: str) -> str:
    return hashlib.sha256(body.replace("\r\n", "\n").encode()).hexdigest()


def _list(stems: Iterable[str]) -> str:
    """A list that ends with a comma goes on in the next line of the header, where that is indented."""
    return ",\n--     ".join(stems) or "none"


def _body(migration: Listed, half: Half) -> str:
    text = half.text
    if not half.is_sql:
        text = re.sub(r"\A\s*BEGIN;\s*|\s*COMMIT;\s*\Z", "", text)
    if not half.statements and not half.unfinished:
        # A migration, or a way back, without a statement looks as if it had been forgotten.
        nothing = f"{one_line(migration.key)} changes nothing in the database".replace("'", "''")
        text = f"{text}\n\nSELECT '{nothing}';".strip()
    if half.one_by_one:
        return f"\n{_without_facts(text)}\n"
    # BEGIN ends the header too: what the tool's comments say is no fact of it.
    return f"\nBEGIN;\n\n{text}\n\nCOMMIT;\n" if text else "\nBEGIN;\n\nCOMMIT;\n"


def _without_facts(text: str) -> str:
    """Without the comments before the first statement, where one of them would be taken for a fact of the header."""
    if not header_lines(text):
        return text
    return re.sub(r"\A(?:\s*--[^\n]*(?:\n|\Z)|\s*/\*.*?\*/)+", "", text, flags=re.S).strip()
