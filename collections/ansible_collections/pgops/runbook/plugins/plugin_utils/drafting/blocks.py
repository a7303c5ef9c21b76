# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements of a DO block of PL/pgSQL: those that it is certain to run, and those under a condition or in a loop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_plpgsql, parse_sql
from pglast.parser import ParseError

from .names import literal
from .undo import CannotInvert, Scene, Undo, part

__all__ = ["perhaps", "statements_of"]

#: Kinds of PL/pgSQL statements that do nothing but what the SQL in them does, and whether that runs once. Others, as
#: EXECUTE, CASE and what has EXCEPTION, are not followed.
_FOLLOWED = {
    "PLpgSQL_stmt_block": True,
    "PLpgSQL_stmt_execsql": True,
    "PLpgSQL_stmt_perform": True,
    "PLpgSQL_stmt_assign": True,
    "PLpgSQL_stmt_getdiag": True,
    "PLpgSQL_stmt_raise": True,
    "PLpgSQL_stmt_return": True,
    "PLpgSQL_stmt_exit": True,
    "PLpgSQL_stmt_assert": True,
    "PLpgSQL_stmt_if": False,
    "PLpgSQL_stmt_loop": False,
    "PLpgSQL_stmt_while": False,
    "PLpgSQL_stmt_fori": False,
    "PLpgSQL_stmt_fors": False,
}
#: After these nothing of what follows is certain to run.
_LEAVES = ("PLpgSQL_stmt_return", "PLpgSQL_stmt_exit")
#: RAISE EXCEPTION (src/include/utils/elog.h); with a lower level the block goes on.
_ERROR = 21
_NOT_FOLLOWED = "What a DO block does is not followed: write what takes it back, or nothing if it only looks."
#: How the parser hands SQL over (src/backend/parser, RawParseMode): a statement, an expression; higher, assignments.
_STATEMENT, _EXPRESSION = 0, 2


def statements_of(node: ast.DoStmt) -> list[tuple[Any, bool]]:
    """Each SQL statement of a block, an expression as SELECT, and whether it runs just once.

    Raises:
        CannotInvert: it is of another language, or does what is not followed.
    """
    options = {option.defname: option.arg for option in node.args}
    language = options.get("language")
    if language is not None and language.sval != "plpgsql":
        raise CannotInvert(_NOT_FOLLOWED)
    try:
        (parsed,) = parse_plpgsql(f"DO {literal(options['as'].sval)};")
    except (ParseError, ValueError) as error:
        raise CannotInvert(_NOT_FOLLOWED) from error
    function = parsed["PLpgSQL_function"]
    found = [*_expressions(function["datums"], True), *_statements([function["action"]], True)]
    try:
        return [(parse_sql(text)[0].stmt, once) for text, once in found]
    except ParseError as error:
        raise CannotInvert(_NOT_FOLLOWED) from error


def _statements(body: list[Any], once: bool) -> Iterator[tuple[str, bool]]:
    for statement in body:
        ((kind, content),) = statement.items()
        if kind not in _FOLLOWED or {"exceptions", "elsif_list"} & content.keys():
            raise CannotInvert(_NOT_FOLLOWED)
        inside = once and _FOLLOWED[kind]
        bodies = {"body", "then_body", "else_body"} & content.keys()
        # A condition is asked in any case.
        yield from _expressions(
            [part for key, part in content.items() if key not in bodies],
            once and kind != "PLpgSQL_stmt_while",
        )
        for key in sorted(bodies):
            yield from _statements(content[key], inside)
        once = once and not _may_leave(statement)


def _may_leave(statement: Any) -> bool:
    """Whether a statement, or one in it, may end the block."""
    if isinstance(statement, dict):
        raised = statement.get("PLpgSQL_stmt_raise")
        return (raised is not None and raised.get("elog_level", _ERROR) >= _ERROR) or any(
            key in _LEAVES or _may_leave(part) for key, part in statement.items()
        )
    return isinstance(statement, list) and any(map(_may_leave, statement))


def _expressions(content: Any, once: bool) -> Iterator[tuple[str, bool]]:
    """What is asked of the server beside statements in bodies."""
    if isinstance(content, list):
        for part in content:
            yield from _expressions(part, once)
    elif isinstance(content, dict):
        for key, part in content.items():
            if key == "PLpgSQL_expr":
                yield _as_sql(part["query"], part["parseMode"]), once
            else:
                yield from _expressions(part, once)


def _as_sql(text: str, mode: int) -> str:
    if mode == _STATEMENT:
        return text
    return f"SELECT {text if mode == _EXPRESSION else re.sub(r'^.*?:?=', '', text, count=1, flags=re.DOTALL)}"


def perhaps(scene: Scene, undo: Undo) -> Undo:
    """What takes back a statement that may not have run.

    Raises:
        Unanswered: what was there before has yet to be asked.
        CannotInvert: it needs to have run.
    """
    if undo.about is not None and undo.about[0] == "constraint" and len(undo.statements) == 1:
        facts = scene.find("relation", undo.about[1:3])
        if facts is None or part(facts, "constraints", undo.about[3]) is None:
            [drop] = undo.statements
            undo.statements = [drop.replace(" DROP CONSTRAINT ", " DROP CONSTRAINT IF EXISTS ", 1)]
            return undo
    if undo.statements or undo.leaves:
        raise CannotInvert(
            "A DO block does it under a condition or more than once: write what takes back what it has done."
        )
    return undo
