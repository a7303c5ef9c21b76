# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check found, as the comment on a pull request: Markdown as GitHub and GitLab read it."""

from __future__ import annotations

import re
from itertools import accumulate

from ...module_utils.sentences import cut
from .finding import Finding
from .outcome import Outcome

__all__ = ["MARK", "as_markdown"]

#: By this line a workflow finds the comment that it wrote last time.
MARK = "<!-- pgops.runbook check -->"

# GitHub takes 65,536 characters of a comment.
LONGEST = 60_000
ROOM_FOR_THE_REST = 200

# What has a meaning in Markdown or HTML, and in a pull request is anybody's text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$^-])")


def as_markdown(outcome: Outcome) -> str:
    """The text: how it ended, a table of what was found, and what else there is to say."""
    failed = "failed" if outcome.failing else "passed"
    head = [MARK, f"### Check of the migrations {failed}", "", f"{_plain(outcome.title())}.", ""]
    foot = ["", *(f"- {_plain(line)}" for line in outcome.remarks())] if outcome.remarks() else []
    rows = [_row(one, outcome.folder) for one in outcome.sorted_out.counting]
    room = LONGEST - sum(len(line) + 1 for line in (*head, *foot))
    table = ["| place | level | what |", "| --- | --- | --- |", *_as_fit(rows, room)] if rows else []
    return "\n".join([*head, *table, *foot]).rstrip() + "\n"


def _as_fit(rows: list[str], room: int) -> list[str]:
    """The first rows, and how many there are besides.

    Args:
        room: in characters.
    """
    ends = list(accumulate(len(row) + 1 for row in rows))
    fitting = sum(end + ROOM_FOR_THE_REST <= room for end in ends)
    if fitting == len(rows):
        return rows
    *shown, rest = cut(rows, fitting)
    return [*shown, f"| | | {rest}, which the other files of the check have |"]


def _row(one: Finding, folder: str) -> str:
    place = f"{one.path(folder)}:{one.line}"
    return f"| {_plain(place)} | {one.level} | **{_plain(one.key.rule)}**: {_plain(one.message)} |"


def _plain(text: str) -> str:
    """The text as it is, whatever is in it; behind an @ nobody is called."""
    return _SPECIAL.sub(r"\\\1", text).replace("@", "@\u200b")
