# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The text of an SQL file: decoding it, and saying where in it something is."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from ...module_utils.errors import Refused

__all__ = ["SqlScriptError", "SqlText", "clean_text", "decode_script", "without_restriction"]

# pg_dump of 2025-08 and later (CVE-2025-8714): between these lines psql executes no other meta-command.
RESTRICTION = re.compile(r"\\(un)?restrict [A-Za-z0-9]+[ \t\r]*(?=\n|\Z)")


class SqlScriptError(Refused):
    """An SQL file that the runbook will not execute, with the place of the first reason.

    Args:
        code: see RunbookError.
        what: what is wrong, without the place.
        path: the file as the caller named it.
        line: 1-based.
        column: 1-based, in characters; a tab counts one.

    Attributes:
        reason: one sentence that begins with the place.
        what: the same without the place.
    """

    def __init__(self, code: str, what: str, path: str, line: int, column: int) -> None:
        place = f"{path}, line {line}, column {column}"
        super().__init__(code, f"{place}: {what}", path=path, line=line, column=column)
        self.what = what
        self.path = path
        self.line = line
        self.column = column


class SqlText:
    """A script's text that turns character offsets into lines and columns."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path

    def place(self, offset: int) -> tuple[int, int]:
        """The 1-based (line, column) of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    # Found once: a script may have a statement a line, and each asks for its place.
    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def line_at(self, offset: int) -> str:
        """The trimmed line around an offset, cut to a readable length."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[start : end if end >= 0 else len(self.text)].strip()
        return line if len(line) <= 100 else line[:97] + "..."

    def error(self, code: str, offset: int, what: str) -> SqlScriptError:
        """The error for something wrong at an offset."""
        return SqlScriptError(code, what, self.path, *self.place(offset))


def decode_script(data: bytes, path: str) -> str:
    """Decode the bytes of an SQL file.

    Returns:
        The text without a byte order mark.

    Raises:
        SqlScriptError: the bytes are not UTF-8, or hold a NUL byte.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Everything before the bad byte is valid, so the place can be counted in characters.
        good = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        raise SqlText(good, path).error(
            "script_unreadable",
            len(good),
            f"the file is not UTF-8 text (byte 0x{data[error.start]:02x}); save it as UTF-8",
        ) from None
    return clean_text(text, path)


def clean_text(text: str, path: str) -> str:
    """Drop a byte order mark, and refuse what a C string or UTF-8 cannot hold.

    Raises:
        SqlScriptError: a NUL character (the server's parser would silently stop there) or a lone surrogate.
    """
    text = text.removeprefix("\ufeff")
    nul = text.find("\0")
    if nul >= 0:
        raise SqlText(text, path).error(
            "script_unreadable", nul, "the file holds a NUL byte; is it really an SQL script?"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SqlText(text, path).error(
            "script_unreadable", error.start, "the text cannot be written as UTF-8"
        ) from None
    return text


def without_restriction(text: str, offset: int | None) -> str | None:
    """The text with blanks in place of the line of pg_dump's that a parser stumbled over; None where it is another.

    Args:
        offset: where the parser stumbled, in characters, if it says so.
    """
    found = None if offset is None else RESTRICTION.match(text, offset)
    if found is None:
        return None
    return text[: found.start()] + " " * len(found[0]) + text[found.end() :]
