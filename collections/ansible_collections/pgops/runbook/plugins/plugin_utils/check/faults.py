# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that is wrong with one script, where the readers that a deploy uses stop at the first fault.

They are asked again and again, each time with what they stumbled over as blanks: a line of the header, a statement. So
the sentences are theirs, and nothing is found here that they would not refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pglast.parser import ParseError, scan

from ..sql.folder import Script
from ..sql.header import Header
from ..sql.script import SqlScriptError, parse_script

__all__ = ["faults_of", "parses"]

#: Reads text and path of a script as header.parse_header does.
HeaderReader = Callable[[str, str], Header]

# Beyond it a file is something else than a script with faults.
MOST = 50

# With these the text is not what would be executed, so that nothing is said of its statements.
NOT_THE_TEXT = (
    "layout_foreign",
    "layout_mark_wrong",
    "script_has_placeholders",
    "script_unreadable",
    "sqitch_plan_wrong",
)
# With these its header was not looked at, or not to its end.
HEADER_NOT_READ = ("header_invalid", "version_not_unique")

# The end of the rows that psql would read behind COPY ... FROM STDIN.
END_OF_ROWS = re.compile(r"^\\\.[ \t]*\r?$", re.M)


def faults_of(script: Script, read_header: HeaderReader) -> Iterator[SqlScriptError]:
    """What is wrong with a script, in the order in which it is found; the first may come twice.

    Args:
        script: read tolerantly, so that it has what is wrong with it as its problem.
        read_header: of the script's layout.
    """
    problem = script.problem
    if problem is not None:
        yield problem
        if problem.code in NOT_THE_TEXT:
            return
        if problem.code in HEADER_NOT_READ:
            yield from _one_after_the_other(script, read_header, _without_line)
    yield from _one_after_the_other(
        script, lambda text, path: parse_script(text, path, script.may_undo_itself), _without_statement
    )


def parses(script: Script) -> bool:
    """Whether a script could be executed, as far as its text shows."""
    try:
        script.parse()
    except SqlScriptError:
        return False
    return True


def _one_after_the_other(
    script: Script, read: Callable[[str, str], object], without: Callable[[str, int], str]
) -> Iterator[SqlScriptError]:
    text = script.text
    for _ in range(MOST):
        try:
            read(text, script.path)
        except SqlScriptError as fault:
            yield fault
            shorter = without(text, _offset(text, fault))
            if shorter == text:
                return
            text = shorter
        else:
            return


def _offset(text: str, fault: SqlScriptError) -> int:
    start = 0
    for _ in range(fault.line - 1):
        start = text.index("\n", start) + 1
    return min(start + fault.column - 1, len(text))


def _without_line(text: str, offset: int) -> str:
    end = text.find("\n", offset)
    return _blanked(text, text.rfind("\n", 0, offset) + 1, len(text) if end < 0 else end)


def _without_statement(text: str, offset: int) -> str:
    """The text without the statement around an offset, or the line of psql's that begins there."""
    if text[offset : offset + 1] == "\\":
        return _without_line(text, offset)
    ends = _ends_of_statements(text)
    start = max((end for end in ends if end <= offset), default=0)
    end = next((end for end in ends if end > offset), len(text))
    rows = END_OF_ROWS.search(text, end)
    if rows and re.match(r"\s*COPY\b", text[offset:end], re.I):
        end = rows.end()
    return _blanked(text, start, end)


def _ends_of_statements(text: str) -> list[int]:
    """The offsets behind the semicolons that end statements; none where not even words can be told apart."""
    try:
        return [token.end + 1 for token in scan(text) if token.name == "ASCII_59"]
    except ParseError:
        return []


def _blanked(text: str, start: int, end: int) -> str:
    """As long as before, and with the same lines, so that places stay what they are."""
    return text[:start] + re.sub(r"[^\r\n]", " ", text[start:end]) + text[end:]
