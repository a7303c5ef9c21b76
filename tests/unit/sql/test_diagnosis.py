# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the parser stumbled over is said in the words of the script's author, at the place of its cause."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.diagnosis import (
    diagnose,
    end_without_comments,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.source import (
    SqlScriptError,
    SqlText,
)
from pglast import parse_sql
from pglast.parser import ParseError


def refusal(text: str) -> SqlScriptError:
    with pytest.raises(ParseError) as caught:
        parse_sql(text)
    return diagnose(SqlText(text, "migrations/x.sql"), caught.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("SELECT 1;\nSELECT 'é😀' FRM x y;", 2, 17, ['at or near "x"', "SELECT 'é😀' FRM x y;"]),
        ("SELECT 1;\r\n\tSELCT 'ü';", 2, 2, ['at or near "SELCT"']),
        ("SELECT 1;\nSELECT ( -- é\n\n", 2, 9, ["end of input", "SELECT ("]),
        ("SELECT 1;\nSELECT 'é', 'open\n; SELECT 2;", 2, 13, ["unterminated quoted string"]),
        ("SELECT 1;\n SELECT $a$ open", 2, 9, ["unterminated dollar-quoted string"]),
        ("SELECT 1; /* open", 1, 11, ["unterminated /* comment"]),
        ("SELECT 1;\n\nSELECT E'\\xff';", 3, 1, ["invalid byte sequence"]),
    ],
)
def test_a_syntax_error_says_where_and_near_what(text: str, line: int, column: int, words: list[str]) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (line, column)
    assert all(word in error.reason for word in words), error.reason
    assert "\n" not in error.reason
    assert error.path == "migrations/x.sql"


@pytest.mark.parametrize(
    ("text", "line", "command"),
    [
        ("-- é\n\\i other.sql\n", 2, "\\i "),
        ("SELECT 1;\n\\set name 'don''t'\nSELECT 2;", 2, "\\set "),
        ("\\copy files FROM 'x.csv'", 1, "\\copy "),
        ("SELECT 'SELECT 1' \\gexec\n", 1, "\\gexec "),
        ("SELECT 1;\n\\echo don't\n", 2, "\\echo "),
        ("\\.\n", 1, "\\. "),
        ("SELECT 1 \\; SELECT 2;", 1, "\\; "),
    ],
)
def test_meta_commands_are_refused_by_name_with_their_line(text: str, line: int, command: str) -> None:
    error = refusal(text)
    assert error.line == line
    assert f"{command}is a meta-command of psql" in error.reason


@pytest.mark.parametrize("data", ["1\tx\n\\.\n", "\\N\tx\n\\.\n", "it's\n\\.\nSELECT 1;", "\\.\n"])
def test_inline_copy_data_is_refused_at_its_copy(data: str) -> None:
    error = refusal(f"SELECT 1;\n COPY t (a) FROM STDIN WITH (FORMAT text);\n{data}")
    assert (error.line, error.column) == (2, 2)
    assert "COPY FROM STDIN" in error.reason


def test_an_error_further_down_is_not_blamed_on_an_earlier_mention_of_stdin() -> None:
    assert "at or near" in refusal("COPY t FROM STDIN; SELECT 1; SELCT 2;").reason


@pytest.mark.parametrize("variable", [":name", ":'name'", ':"name"', ":'é'"])
def test_psql_variables_are_refused(variable: str) -> None:
    error = refusal(f"SELECT 1;\nUPDATE t SET a = {variable} WHERE true")
    assert (error.line, error.column) == (2, 18)
    assert f"{variable} is a psql variable" in error.reason


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("SELECT 1 -- one", "SELECT 1"),
        ("SELECT 1 /* a */ -- b\n/* c */\t", "SELECT 1"),
        ("SELECT 1 /* a */ + 2 -- b", "SELECT 1 /* a */ + 2"),
        ("SELECT '-- no comment'", "SELECT '-- no comment'"),
        ("SELECT a AS é\u00a0 \n", "SELECT a AS é\u00a0"),
        ("-- only\n", ""),
    ],
)
def test_a_statement_ends_before_the_comments_behind_it(text: str, statement: str) -> None:
    assert text[: end_without_comments(text, 0, len(text))] == statement
    behind = f"SELECT 'é';{text}; SELECT 2"
    start, end = 11, 11 + len(text)
    assert behind[start : end_without_comments(behind, start, end)] == statement
