# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The statements of what a tool has printed: without transaction control, and without its own bookkeeping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from ..sql.transaction_limits import outside_transaction_only, unusable_enum_values

__all__ = ["Books", "Printed", "read_printed"]

#: Name of the table, where a statement is one of the tool's own for its record of migrations; else None.
Books = Callable[[ast.Node], str | None]

_Kind = enums.TransactionStmtKind
_CONTROL = (_Kind.TRANS_STMT_BEGIN, _Kind.TRANS_STMT_START, _Kind.TRANS_STMT_COMMIT)


class Printed(NamedTuple):
    """What a tool has printed.

    Attributes:
        text: without what was left out.
        statements: how many are left.
        began: whether it had a BEGIN.
        outside: whether one of those left cannot be in a transaction.
        doubled: whether one of those left has ``%%``.
        books: the table of the bookkeeping that was left out; empty where there was none.
        problem: why PostgreSQL's grammar does not take the text, which is then whole; empty where it does.
    """

    text: str
    statements: int = 0
    began: bool = False
    outside: bool = False
    doubled: bool = False
    books: str = ""
    problem: str = ""


def read_printed(text: str, books: Books = lambda node: None) -> Printed:
    """Take apart what a tool has printed."""
    try:
        raw = parse_sql(text)
    except ParseError as error:
        return Printed(text.strip(), problem=str(error.args[0]))
    left_out: list[ast.RawStmt] = []
    kept: list[ast.RawStmt] = []
    tables: list[str] = []
    for item in raw:
        table = books(item.stmt)
        tables += [table] if table else []
        (left_out if table or _is_control(item.stmt) else kept).append(item)
    nodes = [item.stmt for item in kept]
    return Printed(
        text=_without(text, [_span(item, text) for item in left_out]) + _end_of(kept),
        statements=len(kept),
        began=any(_is_control(item.stmt) for item in left_out),
        outside=any(map(outside_transaction_only, nodes)) or any(True for _ in unusable_enum_values(nodes)),
        doubled=any("%%" in text[slice(*_span(item, text))] for item in kept),
        books=tables[0] if tables else "",
    )


def _is_control(node: ast.Node) -> bool:
    return isinstance(node, ast.TransactionStmt) and node.kind in _CONTROL


def _end_of(kept: list[ast.RawStmt]) -> str:
    """The semicolon that the last statement lacks; on a line of its own, since a comment may stand behind it."""
    return "\n;" if kept and not kept[-1].stmt_len else ""


def _span(item: ast.RawStmt, text: str) -> tuple[int, int]:
    """Where a statement stands; of the last one without a semicolon PostgreSQL gives no length."""
    start = item.stmt_location
    return start, start + item.stmt_len if item.stmt_len else len(text)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without statements and their semicolons, and without the blank lines that would be left of them."""
    for start, end in reversed(list(spans)):
        before, after = text[:start], re.sub(r"\A\s*;[ \t]*\n?", "", text[end:])
        text = before + (after.lstrip("\n") if before.endswith("\n\n") else after)
    return text.strip()
