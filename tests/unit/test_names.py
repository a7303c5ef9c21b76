# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a reader meets again some lines further down has a name that says what it holds."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PLUGINS = PROJECT / "collections/ansible_collections/pgops/runbook/plugins"

#: They say nothing of what they hold, which does no harm where all of their uses are seen at once.
PRONOUNS = ("one", "found")

#: How many lines the last use of one in a function may be below the first.
LINES = 3

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
SCOPES = (*FUNCTIONS, ast.Lambda, *COMPREHENSIONS)


def is_called(node: ast.AST, name: str) -> TypeGuard[ast.Name | ast.arg]:
    """Whether it is a use of the name: a variable, or a parameter where it is declared."""
    return (isinstance(node, ast.Name) and node.id == name) or (
        isinstance(node, ast.arg) and node.arg == name
    )


def gives(scope: ast.AST, name: str) -> bool:
    """Whether it is a parameter of the scope, or something that is assigned in it, and not in one within."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if is_called(node, name) and not isinstance(getattr(node, "ctx", None), ast.Load):
            return True
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)
    return False


def computed_outside(scope: ast.AST) -> list[ast.expr]:
    """The parts of a scope that see the names around it: what a comprehension goes through, and defaults."""
    if isinstance(scope, COMPREHENSIONS):
        return [scope.generators[0].iter]
    if isinstance(scope, (*FUNCTIONS, ast.Lambda)):
        return [default for default in (*scope.args.defaults, *scope.args.kw_defaults) if default is not None]
    return []


def lines_of(node: ast.AST, name: str) -> Iterator[int]:
    """The lines on which a name is used; where a scope within gives it to something else, that is another name."""
    if is_called(node, name):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        another = isinstance(child, SCOPES) and gives(child, name)
        for part in computed_outside(child) if another else [child]:
            yield from lines_of(part, name)


def used_over_many_lines(source: str) -> list[str]:
    """``function: name`` of each pronoun that a function uses further apart than it may.

    Comprehensions and lambdas are read at once, and may use them as they like.
    """
    return [
        f"{function.name}: {name}"
        for function in ast.walk(ast.parse(source))
        if isinstance(function, FUNCTIONS)
        for name in PRONOUNS
        for lines in [list(lines_of(function, name))]
        if gives(function, name) and max(lines) - min(lines) > LINES
    ]


@pytest.mark.parametrize(
    "file", sorted(path.relative_to(PLUGINS).as_posix() for path in PLUGINS.rglob("*.py"))
)
def test_what_is_used_over_many_lines_is_named_for_what_it_holds(file: str) -> None:
    assert used_over_many_lines((PLUGINS / file).read_text(encoding="utf-8")) == []


# The rule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lines", "broken"), [(1, False), (3, False), (4, True), (9, True)])
def test_a_pronoun_may_be_used_within_three_lines(lines: int, broken: bool) -> None:
    source = [
        "def rows(cursor):",
        "    found = read(cursor)",
        *["    advance()"] * (lines - 1),
        "    return found",
    ]
    assert used_over_many_lines("\n".join(source)) == (["rows: found"] if broken else [])


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        # A parameter is used where it is declared, too.
        (
            """
            def row(one):
                begin()
                advance()
                end()
                return one
            """,
            ["row: one"],
        ),
        # Each function is looked at by itself.
        (
            """
            def first():
                found = read()
                return found

            def second():
                found = read()
                return found
            """,
            [],
        ),
        # A function within sees the names around it, unless it gives them anew.
        (
            """
            def rows():
                found = read()

                def more():
                    begin()
                    return found
            """,
            ["rows: found"],
        ),
        (
            """
            def rows():
                found = read()

                def more():
                    begin()
                    found = read()
            """,
            [],
        ),
        # Any other name may be used as far as it takes.
        (
            """
            def rows():
                losses = read()
                begin()
                advance()
                end()
                return losses.one, losses.found
            """,
            [],
        ),
    ],
)
def test_the_uses_of_a_function_are_those_of_its_own_name(source: str, broken: list[str]) -> None:
    assert used_over_many_lines(textwrap.dedent(source)) == broken


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        # It may be as long as it has to be, and there may be several.
        (
            """
            def rows(tables):
                return [
                    one
                    for one in tables
                    if one.rows
                    and one.kept
                    and one.named
                ] + [
                    one for one in tables
                ]
            """,
            [],
        ),
        ("def rows(tables):\n    names = sorted(\n\n\n\n        tables, key=lambda one: one.name)", []),
        # It gives the name anew, and the function's is another one.
        (
            """
            def rows(tables):
                one = tables[0]
                begin(one)
                advance()
                end()
                return {one.name for one in tables}
            """,
            [],
        ),
        # What it goes through is the function's.
        (
            """
            def rows(tables):
                found = read(tables)
                begin()
                advance()
                end()
                return [found for found in found]
            """,
            ["rows: found"],
        ),
        # It uses the function's name where it has none of its own.
        (
            """
            def rows(tables):
                found = read(tables)
                begin()
                advance()
                end()
                return [one for one in tables if one in found]
            """,
            ["rows: found"],
        ),
    ],
)
def test_the_names_of_a_comprehension_are_its_own(source: str, broken: list[str]) -> None:
    assert used_over_many_lines(textwrap.dedent(source)) == broken
