# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""sqitch.plan: the changes of a project in their order, what each requires, and the tags (manual: sqitchtutorial)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..source import SqlText

__all__ = ["Change", "Plan", "Tag", "read_plan"]

_LINE = re.compile(
    r"(?P<sign>[@+-]?)\s*(?P<name>[^\s\[@][^\s\[]*)(?:\s*\[(?P<needs>[^\]]*)\])?\s+(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
    r"\s+(?P<planner>[^<]*?)\s*<(?P<email>[^>]*)>\s*(?:#\s*(?P<note>.*?))?\s*"
)
_PRAGMA = re.compile(r"%\s*(?P<name>[\w-]+)\s*=\s*(?P<value>.*?)\s*")


@dataclass(frozen=True)
class Tag:
    """A name for the state after a change."""

    name: str
    time: str
    planner: str
    email: str
    note: str


@dataclass
class Change:
    """One line of the plan.

    Attributes:
        requires, conflicts: as written.
        tags: those that stand between this change and the next.
        reworked_at: the tags between this change and a later one of the same name, if there is one.
        line: in the plan, counted from 1.
    """

    name: str
    time: str
    planner: str
    email: str
    note: str
    requires: tuple[str, ...]
    conflicts: tuple[str, ...]
    line: int
    tags: list[Tag] = field(default_factory=list)
    reworked_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A plan that was read."""

    project: str
    uri: str | None
    changes: tuple[Change, ...]


def read_plan(text: str, path: str) -> Plan:
    """
    Raises:
        SqlScriptError: a line is none of a plan; naming it.
    """
    source, offset = SqlText(text, path), 0
    changes: list[Change] = []
    pragmas: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        start, offset, bare = offset, offset + len(line), line.strip()
        if not bare or bare.startswith("#"):
            continue
        pragma, match = _PRAGMA.fullmatch(bare), _LINE.fullmatch(bare)
        if pragma:
            pragmas[pragma["name"]] = pragma["value"]
        elif match is None or match["sign"] == "-" or (match["sign"] == "@" and not changes):
            raise source.error(
                "sqitch_plan_wrong", start, f"this is no line of a plan: {source.line_at(start)!r}"
            )
        elif match["sign"] == "@":
            changes[-1].tags.append(Tag(match["name"], *_who(match)))
        else:
            changes.append(_change(match, number))
    return Plan(pragmas.get("project", ""), pragmas.get("uri"), tuple(_with_reworks(changes)))


def _who(match: re.Match[str]) -> tuple[str, str, str, str]:
    note = re.sub(
        r"\\([\\nr])", lambda found: {"\\": "\\", "n": "\n", "r": "\r"}[found[1]], match["note"] or ""
    )
    return match["time"], match["planner"], match["email"], note


def _change(match: re.Match[str], line: int) -> Change:
    needs = (match["needs"] or "").split()
    return Change(
        match["name"],
        *_who(match),
        requires=tuple(need for need in needs if not need.startswith("!")),
        conflicts=tuple(need[1:] for need in needs if need.startswith("!")),
        line=line,
    )


def _with_reworks(changes: list[Change]) -> list[Change]:
    newest: dict[str, int] = {}
    for place, change in enumerate(changes):
        if change.name in newest:
            since = changes[newest[change.name] : place]
            since[0].reworked_at = tuple(tag.name for one in since for tag in one.tags)
        newest[change.name] = place
    return changes
