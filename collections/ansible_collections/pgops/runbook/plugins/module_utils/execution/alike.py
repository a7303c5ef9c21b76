# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements that differ in their values only, as the thousands of a script that fills a table: measured as one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from ..shapes import Statement, Timing

__all__ = ["add_timing", "alike_in_turn"]

CHANGE_ROWS = ("InsertStmt", "UpdateStmt", "DeleteStmt")

VALUES = re.compile(r"'(?:[^']|'')*'|\b[0-9][0-9.]*|\b(?:NULL|true|false)\b", re.IGNORECASE)

SETS = re.compile("set_config", re.IGNORECASE)

#: Characters; what each of longer ones does is worth knowing by itself.
SHORT = 2_000


def alike_in_turn(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    """The statements in their order; those that change rows and differ in their values only are together."""
    for _, group in groupby(enumerate(statements), _form):
        yield [statement for _, statement in group]


def _form(numbered: tuple[int, Statement]) -> tuple[int, str]:
    ordinal, statement = numbered
    # The line that lifts a limit is told.
    if statement["kind"] not in CHANGE_ROWS or len(statement["sql"]) > SHORT or SETS.search(statement["sql"]):
        return ordinal, ""
    return -1, VALUES.sub("?", statement["sql"])


def add_timing(whole: Timing, more: Timing) -> None:
    """Add to a timing what a later part of the same took and did."""
    whole["seconds"] = round(whole["seconds"] + more["seconds"], 6)
    whole["rows"] = (whole["rows"] or 0) + (more["rows"] or 0)
    whole["wal_bytes"] = whole.get("wal_bytes", 0) + more.get("wal_bytes", 0)
    locks = whole.get("locks", [])
    whole["locks"] = locks + [lock for lock in more.get("locks", []) if lock not in locks]
    rewritten = whole.get("rewritten", [])
    whole["rewritten"] = rewritten + [name for name in more.get("rewritten", []) if name not in rewritten]
    if "limits_lifted" in more:
        whole["limits_lifted"] = more["limits_lifted"]
