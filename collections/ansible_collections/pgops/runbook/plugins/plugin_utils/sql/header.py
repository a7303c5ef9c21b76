# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts that a script states about itself in the comment at its top."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .source import SqlText, clean_text

__all__ = ["DATA_LOSSES", "RISK_LEVELS", "Header", "header_lines", "parse_header"]

# Both from harmless to grave.
RISK_LEVELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
DATA_LOSSES = ("NONE", "PARTIAL", "COMPLETE")
_TRANSACTIONS = ("ONE", "NONE")

_FACT = re.compile(
    r"(migration|rollback|description|risk level|data loss|requires|transaction|batches|files|leaves|recorded as|"
    r"unfinished)"
    r"\s*:(.*)",
    re.I | re.S,
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# An identifier as SQL writes it, plain or in double quotes (PostgreSQL manual, Lexical Structure).
_IDENTIFIER = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")+")'
_RENAME = re.compile(rf"rename\s+({_IDENTIFIER}(?:\.{_IDENTIFIER}){{1,2}})(?:\s*\(.*\))?", re.I | re.S)
_RESIDUE = re.compile(
    rf"(?:column\s+order|rows\s+of)\s+{_IDENTIFIER}(?:\.{_IDENTIFIER})?|enum\s+label\s+{_IDENTIFIER}\..+",
    re.S,
)
_BATCHES = re.compile(r"([1-9][0-9]{0,8})\s+rows(?:\s*\(.*\))?", re.I | re.S)
_BLANK = " \t\n\r\f\v"


@dataclass(frozen=True)
class Header:
    """What the header comment declares; None where it says nothing.

    Attributes:
        requires: None = not declared (the cautious default applies), () = declared as "none".
        transaction: "one" or "none", as written in `-- Transaction:`; "none" where there are batches.
        batches: about how many rows are changed in one transaction, from `-- Batches: 5000 rows`.
        files: names of schema (may be left out), table and column from `-- Files: rename table.column`: the
            migration changes paths in that column, and the files on disk are renamed with it.
        leaves: what a rollback cannot take back, one of each `-- Leaves:` line.
        recorded_as: how the application's own tool knows the migration, where its name does not say.
        unfinished: what has yet to be written; a script that says so is not run.
        present: at least one known line was found.
    """

    description: str | None = None
    risk_level: str | None = None
    data_loss: str | None = None
    requires: tuple[str, ...] | None = None
    transaction: str | None = None
    batches: int | None = None
    files: tuple[str, ...] | None = None
    leaves: tuple[str, ...] = ()
    recorded_as: str | None = None
    unfinished: str | None = None
    present: bool = False


def parse_header(text: str, path: str = "<script>") -> Header:
    """Read the header comment of a script.

    Only comments before the first statement count (`BEGIN` is one): `--` lines and `/* */` blocks. Keys are
    case-insensitive. A value of a fixed list may be followed by words of explanation
    (`-- Data Loss: PARTIAL (the five columns)`).

    Raises:
        SqlScriptError: a value outside its list (an unfilled template counts as such), a key that is repeated
            with another value, or a `Requires` that is no list of names.
    """
    source = SqlText(clean_text(text, path), path)
    facts = _facts(source)

    def choice(key: str, allowed: tuple[str, ...]) -> str | None:
        if key not in facts:
            return None
        value, offset = facts[key]
        word = re.match(r"[A-Za-z]+", value)
        # "LOW | MEDIUM | HIGH" is a template nobody filled in, not the value LOW.
        if (
            word
            and word[0].upper() in allowed
            and re.match(r"(?!\s*[|/])(?:$|[\s.,;:(-])", value[word.end() :])
        ):
            return word[0].upper()
        raise source.error(
            "header_invalid", offset, f'"{key.title()}: {value}" is not one of {", ".join(allowed)}'
        )

    transaction = choice("transaction", _TRANSACTIONS)
    batches = _batch_rows(source, transaction, *facts["batches"]) if "batches" in facts else None
    if batches is not None:
        transaction = "NONE"
    return Header(
        description=facts["description"][0] or None if "description" in facts else None,
        risk_level=choice("risk level", RISK_LEVELS),
        data_loss=choice("data loss", DATA_LOSSES),
        requires=_names(source, *facts["requires"]) if "requires" in facts else None,
        transaction=transaction.lower() if transaction else None,
        batches=batches,
        files=_path_column(source, *facts["files"]) if "files" in facts else None,
        leaves=_residue(source, *facts["leaves"]) if "leaves" in facts else (),
        recorded_as=facts["recorded as"][0] or None if "recorded as" in facts else None,
        unfinished=facts["unfinished"][0] or "it says no more" if "unfinished" in facts else None,
        present=bool(facts),
    )


def header_lines(text: str, path: str = "<script>") -> dict[str, tuple[int, int]]:
    """Where each header fact stands: lower-case key -> (line, column)."""
    source = SqlText(clean_text(text, path), path)
    return {key: source.place(offset) for key, (_value, offset) in _facts(source).items()}


def _facts(source: SqlText) -> dict[str, tuple[str, int]]:
    """Key -> (value, offset of the key); raises when a key is given twice with different values.

    Of what a rollback leaves each line names one thing; their values are lines. A description goes on in the next lines
    when they are indented deeper than its key, and so does a list of requirements that ends with a comma.
    """
    facts: dict[str, tuple[str, int]] = {}
    current, last_line, indent = "", 0, 0
    for line, offset in _comment_lines(source.text):
        number, column = source.place(offset)
        match = _FACT.fullmatch(line)
        if not match:
            text, start = facts.get(current, ("", 0))
            goes_on = current == "description" or (current == "requires" and text.endswith(","))
            if line and goes_on and number == last_line + 1 and column > indent:
                facts[current] = (f"{text} {line}".strip(), start)
                last_line = number
            else:
                current = ""
            continue
        key = match[1].lower()
        current, last_line, indent = ("" if key in facts else key), number, column
        value = match[2].strip()
        if key == "leaves" and key in facts:
            facts[key] = (f"{facts[key][0]}\n{value}", facts[key][1])
            continue
        if key in facts and facts[key][0] != value:
            first = source.place(facts[key][1])[0]
            raise source.error(
                "header_invalid", offset, f'"{match[1]}" is stated twice, differently, first on line {first}'
            )
        facts.setdefault(key, (value, offset))
    return facts


def _names(source: SqlText, value: str, offset: int) -> tuple[str, ...]:
    if value.lower() == "none":
        return ()
    names = [name for name in re.split(r"[,\s]+", value) if name]
    if not names:
        raise source.error("header_invalid", offset, '"Requires:" is empty; write the versions, or none')
    for name in names:
        if not _NAME.fullmatch(name) or name.lower() == "none":
            raise source.error(
                "header_invalid",
                offset,
                f'"Requires: {value}" is not a list of migrations: {name!r} is not a version or file name',
            )
    return tuple(dict.fromkeys(names))


def _batch_rows(source: SqlText, transaction: str | None, value: str, offset: int) -> int:
    match = _BATCHES.fullmatch(value)
    if match is None:
        raise source.error(
            "header_invalid", offset, f'"Batches: {value}" is not a number of rows, as in "5000 rows"'
        )
    if transaction == "ONE":
        raise source.error(
            "header_invalid", offset, '"Batches:" commits each batch, and "Transaction:" says one'
        )
    return int(match[1])


def _residue(source: SqlText, value: str, offset: int) -> tuple[str, ...]:
    lines = tuple(dict.fromkeys(value.split("\n")))
    for line in lines:
        if not _RESIDUE.fullmatch(line):
            raise source.error(
                "header_invalid",
                offset,
                f'"Leaves: {line}" is not one of "column order <table>", "rows of <table>" and'
                ' "enum label <type>.<label>"',
            )
    return tuple(" ".join(line.split(None, 2)) for line in lines)


def _path_column(source: SqlText, value: str, offset: int) -> tuple[str, ...] | None:
    # "Files:" is a common word in comments: only a value that begins with "rename" is meant for the runbook.
    if not re.match(r"rename\b", value, re.I):
        return None
    match = _RENAME.fullmatch(value)
    if not match:
        raise source.error(
            "header_invalid",
            offset,
            f'"Files: {value}" is not "rename table.column" or "rename schema.table.column"',
        )
    names = re.findall(_IDENTIFIER, match[1])
    return tuple(name[1:-1].replace('""', '"') if name.startswith('"') else name.lower() for name in names)


def _comment_lines(text: str) -> Iterator[tuple[str, int]]:
    """The lines of the comments before the first statement, without their decoration, with their offsets."""
    position = 0
    while True:
        while position < len(text) and text[position] in _BLANK:
            position += 1
        if text.startswith("--", position):
            end = re.compile(r"[\r\n]|\Z").search(text, position).start()  # type: ignore[union-attr]  # matches at the end
        elif text.startswith("/*", position):
            end = _end_of_block(text, position)
        else:
            return
        for line in re.compile(r"[^\r\n]+").finditer(text, position, end):
            bare = line[0].lstrip(" \t/*-")
            yield bare.rstrip(" \t*/"), line.start() + len(line[0]) - len(bare)
        position = end


def _end_of_block(text: str, position: int) -> int:
    """The offset behind a block comment; they nest (PostgreSQL manual, Lexical Structure, Comments)."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, position):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)
