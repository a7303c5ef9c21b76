# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say in the words of a script's author what the parser stumbled over."""

from __future__ import annotations

import bisect
import re

from pglast.parser import ParseError, scan

from ...module_utils.errors import known
from .source import SqlScriptError, SqlText

__all__ = ["COPY_DATA", "diagnose", "end_without_comments"]

_BLANK = " \t\n\r\f\v"

COPY_DATA = "COPY FROM STDIN takes its rows from psql's input; write the rows as INSERT ... VALUES"


def diagnose(source: SqlText, error: ParseError) -> SqlScriptError:
    """The error for a script that the server's parser does not accept, at the place of its cause."""
    message, offset = error.args[0], error.args[1] if len(error.args) > 1 else None
    text = source.text
    if offset is None:
        if "end of input" not in message:
            offset = _line_of_scan_error(text, message)
            return source.error("script_syntax_error", offset, f"{message} in {source.line_at(offset)!r}")
        offset = end_without_comments(text, 0, len(text))
        return source.error(
            "script_syntax_error",
            offset,
            f"syntax error at end of input, in the middle of a statement, after {source.line_at(offset)!r}",
        )
    copy = _copy_from_stdin_before(text, offset)
    if copy is not None:
        return source.error("script_not_plain_sql", copy, COPY_DATA)
    if text[offset] == "\\":
        # A backslash alone matches.
        command = known(re.compile(r"\\([A-Za-z]+\+?|\S?)").match(text, offset), "a meta-command")
        return source.error(
            "script_not_plain_sql",
            offset,
            f"{command[0]} is a meta-command of psql, which is not used here; write plain SQL",
        )
    variable = re.match(r":(\{\?)?(['\"]?)[A-Za-z0-9_\x80-\U0010ffff]+", text[offset:])
    if variable:
        return source.error(
            "script_not_plain_sql",
            offset,
            f"{variable[0]}{variable[2]} is a psql variable, and the runbook has none; "
            "write the value into the script",
        )
    return source.error("script_syntax_error", offset, f"{_shortened(message)} in {source.line_at(offset)!r}")


def _shortened(message: str) -> str:
    """The message without the text it quotes, where that runs to the end of the file (an open quote)."""
    return message.split(" at or near ")[0] if message.startswith("unterminated") else message


def _tokens_of(text: str) -> list[tuple[int, str]]:
    """The (offset, kind) of every token, comments included. Offsets count characters, as pglast's do."""
    return [(token.start, token.name) for token in scan(text)]


def end_without_comments(text: str, start: int, end: int) -> int:
    """The offset behind the last token of a statement, text[start:end], that is no comment."""
    statement = text[start:end]
    # Most have none, and a scanner takes longer than the parser where an INSERT has thousands of rows.
    tokens = _tokens_of(statement) if "--" in statement or "/*" in statement else []
    length = len(statement)
    while tokens and tokens[-1][1] in ("SQL_COMMENT", "C_COMMENT"):
        length = tokens.pop()[0]
    # Not str.strip(): for PostgreSQL a no-break space is a letter, not white space.
    return start + len(statement[:length].rstrip(_BLANK))


def _copy_from_stdin_before(text: str, offset: int) -> int | None:
    """Where the statement directly before an offset begins, when it is a COPY FROM STDIN."""
    try:
        tokens = [token for token in scan(text[:offset]) if token.name not in ("SQL_COMMENT", "C_COMMENT")]
    except ParseError:
        return None
    names = [token.name for token in tokens]
    if "STDIN" not in names:
        return None
    stdin = len(names) - 1 - names[::-1].index("STDIN")
    begin = stdin
    while begin > 0 and names[begin - 1] != "ASCII_59":
        begin -= 1
    is_last = names[stdin:].count("ASCII_59") == 1
    return tokens[begin].start if names[begin] == "COPY" and is_last else None


def _line_of_scan_error(text: str, message: str) -> int:
    """The offset of the first line with which scanning fails in this way; the scanner gave no place."""
    ends = [match.end() for match in re.finditer(r"[^\n]*\n?", text)]

    def fails(end: int) -> bool:
        try:
            scan(text[:end])
        except ParseError as error:
            return bool(error.args[0] == message)
        return False

    found = bisect.bisect_left(ends, True, key=fails)
    return ends[found - 1] if 0 < found < len(ends) else 0
