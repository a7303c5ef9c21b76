# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Splitting scripts: every rule with the text that breaks it, and a property over random scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import (
    SqlScriptError,
    decode_script,
    parse_script,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.transaction_limits import (
    ADD_VALUE_USED_LATER,
)
from hypothesis import given
from hypothesis import strategies as st


def sql_of(text: str) -> list[str]:
    return [statement.sql for statement in parse_script(text, "x.sql").statements]


def refusal(text: str) -> SqlScriptError:
    with pytest.raises(SqlScriptError) as caught:
        parse_script(text, "migrations/x.sql")
    assert isinstance(caught.value, Refused)
    assert caught.value.reason.startswith(
        f"migrations/x.sql, line {caught.value.line}, column {caught.value.column}: "
    )
    return caught.value


# Statements and their places


def test_statements_keep_their_text_and_say_where_they_begin() -> None:
    text = (
        "-- a; b\nSELECT 'é;😀', 1 ;\r\n"
        "\t/* é; /* nested; */ */ CREATE TABLE ü (a int) -- tail;\n; SELECT 3 -- end\n"
    )
    found = [(s.sql, s.line, s.column, s.kind) for s in parse_script(text, "x.sql").statements]
    assert found == [
        ("SELECT 'é;😀', 1", 2, 1, "SelectStmt"),
        ("CREATE TABLE ü (a int)", 3, 25, "CreateStmt"),
        ("SELECT 3", 4, 3, "SelectStmt"),
    ]


def test_a_no_break_space_is_part_of_a_name_and_stays() -> None:
    assert sql_of("SELECT a AS é\u00a0 \n") == ["SELECT a AS é\u00a0"]


@pytest.mark.parametrize("text", ["", " \n", "-- nothing", "/* nothing */ ;;", "BEGIN; -- x\nCOMMIT;"])
def test_a_script_without_a_statement_is_empty(text: str) -> None:
    assert parse_script(text, "x.sql").is_empty


def test_a_script_with_a_statement_is_not_empty() -> None:
    assert not parse_script("BEGIN; SELECT 1; COMMIT;", "x.sql").is_empty


IDENTIFIERS = st.from_regex(r"[a-zé][a-z0-9_é]{0,8}", fullmatch=True).map(lambda name: f'"{name}"')
TEXTS = st.text(st.sampled_from("ab;'\\-/*$é😀\n :\"BEGIN"), max_size=14)
CONSTANTS = st.one_of(
    TEXTS.map(lambda text: "'" + text.replace("'", "''") + "'"),
    TEXTS.map(lambda text: "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    TEXTS.filter(lambda text: "$q$" not in text + "$q$"[:2]).map(lambda text: f"$q${text}$q$"),
)
STATEMENTS = st.one_of(
    CONSTANTS.map(lambda constant: f"SELECT {constant}"),
    st.tuples(IDENTIFIERS, CONSTANTS).map(lambda pair: f"SELECT {pair[1]}\n  AS {pair[0]}"),
    CONSTANTS.map(lambda constant: f"COMMENT ON TABLE t IS\t{constant}"),
    CONSTANTS.map(
        lambda constant: f"CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT {constant}; SELECT 'b;'; END"
    ),
    st.just("DO $do$ BEGIN PERFORM 1; /* ; */ END; $do$"),
    st.just("SAVEPOINT s"),
)
COMMENTS = st.one_of(
    st.sampled_from([" ", "\n", "\r\n", "\t", "/* a; /* b;' */ $$ */"]),
    st.text(st.sampled_from("ab;'\\/*$é😀 :"), max_size=8).map(lambda text: f"--{text}\n"),
)
SPACES = st.lists(COMMENTS, max_size=3).map("".join)


@given(st.lists(st.tuples(SPACES, STATEMENTS, SPACES), max_size=6), SPACES, st.booleans())
def test_splitting_gives_back_the_statements_that_were_joined(
    parts: list[tuple[str, str, str]], end: str, own_transaction: bool
) -> None:
    text = "".join(f"{before}{statement}{after};" for before, statement, after in parts)
    if own_transaction:
        text = f"BEGIN;{text}COMMIT;"
    text += end
    found = parse_script(text, "x.sql").statements
    assert [statement.sql for statement in found] == [statement for _before, statement, _after in parts]
    for statement in found:
        from_there = "\n".join(text.split("\n")[statement.line - 1 :])[statement.column - 1 :]
        assert from_there.startswith(statement.sql)


# The script's own transaction control


def test_own_begin_and_commit_are_dropped_and_counted() -> None:
    script = parse_script(
        "SELECT 0; BEGIN; SELECT 1; COMMIT; START TRANSACTION; SELECT 2; END; DO 'BEGIN END'", "x"
    )
    assert [s.sql for s in script.statements] == ["SELECT 0", "SELECT 1", "SELECT 2", "DO 'BEGIN END'"]
    assert script.transaction_blocks == 2
    assert script.notes == ()


def test_begin_inside_bodies_is_no_transaction_control() -> None:
    body = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"
    script = parse_script(f"{body};\nDO $$ BEGIN COMMIT; END $$;", "x.sql")
    assert [s.sql for s in script.statements] == [body, "DO $$ BEGIN COMMIT; END $$"]
    assert script.transaction_blocks == 0


def test_savepoints_stay() -> None:
    assert sql_of("BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT") == [
        "SAVEPOINT a",
        "ROLLBACK TO a",
        "RELEASE a",
    ]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("SELECT 1;\nCOMMIT;", "line 2: COMMIT without BEGIN"),
        ("\nBEGIN; SELECT 1", "line 2: BEGIN without COMMIT"),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE; COMMIT", "line 1: the isolation level"),
    ],
)
def test_what_runs_differently_than_in_psql_is_noted(text: str, note: str) -> None:
    (found,) = parse_script(text, "x.sql").notes
    assert found.startswith(note)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("SELECT 1;\n  ROLLBACK;", "undoes itself"),
        ("SELECT 1;\n  ABORT;", "undoes itself"),
        ("SELECT 1;\n  PREPARE TRANSACTION 'x';", "two-phase"),
        ("SELECT 1;\n  COMMIT PREPARED 'x';", "two-phase"),
        ("SELECT 1;\n  ROLLBACK PREPARED 'x';", "two-phase"),
        ("SELECT 1;\n  ALTER SYSTEM SET work_mem = '1MB';", "whole server"),
        ("SELECT 1;\n  COPY t TO STDOUT;", "COPY TO STDOUT"),
        ("SELECT 1;\n  COPY t FROM STDIN;", "COPY FROM STDIN"),
    ],
)
def test_statements_that_break_the_one_transaction_are_refused(text: str, word: str) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (2, 3)
    assert word in error.reason


@pytest.mark.parametrize("setting", ["search_path = app", "ROLE writer", "SESSION AUTHORIZATION writer"])
def test_a_local_setting_that_names_things_may_not_leak_into_the_next_block(setting: str) -> None:
    block = f"BEGIN;\nSET LOCAL {setting};\nSELECT 1;\nCOMMIT;\n"
    assert refusal(block + "CREATE TABLE t (a int);").line == 2
    assert len(sql_of(block)) == 2
    assert len(sql_of(f"BEGIN; SET LOCAL lock_timeout = 1; COMMIT; {block}")) == 3


# Text and syntax


@pytest.mark.parametrize(
    ("text", "line", "column", "word"),
    [
        ("\ufeffSELEC 1;", 1, 1, 'at or near "SELEC"'),
        ("SELECT 1;\nSEL\0ECT 2;", 2, 4, "NUL"),
        ("SELECT 1;\n\\i other.sql", 2, 1, "meta-command of psql"),
    ],
)
def test_what_is_no_plain_sql_is_refused_with_its_place(text: str, line: int, column: int, word: str) -> None:
    error = refusal(text)
    assert (error.line, error.column, error.path) == (line, column, "migrations/x.sql")
    assert word in error.reason


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\\i x', E'\\\\i', $$\\i x$$, \"\\i\" FROM t",
        "-- \\i x\nSELECT 1",
        "/* \\i x */ SELECT 1",
        "COPY t FROM '/data/x.csv'",
        "SELECT ':name', a[1:n], 'x'::text, $$ :name $$ FROM t -- :name",
    ],
)
def test_backslashes_and_colons_in_quotes_and_comments_are_fine(text: str) -> None:
    assert len(sql_of(text)) == 1


# What is said of statements, and of the script


def test_a_command_that_cannot_be_in_a_transaction_is_named_with_its_line_and_object() -> None:
    script = parse_script("SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a);", "x.sql")
    assert [(one.outside_transaction, one.object) for one in script.statements] == [
        (None, None),
        ("CREATE INDEX CONCURRENTLY", {"index": [None, "i"]}),
    ]
    assert script.forbids_transaction == ((2, "CREATE INDEX CONCURRENTLY"),)


def test_so_is_a_new_enum_value_that_is_used_later() -> None:
    add = "ALTER TYPE mood ADD VALUE 'new'"
    used = parse_script(f"SELECT 1;\n{add};\nSELECT 'new'::mood;", "x.sql")
    assert [one.object for one in used.statements] == [None, {"type": [None, "mood"], "label": "new"}, None]
    assert used.forbids_transaction == ((2, ADD_VALUE_USED_LATER),)
    assert not parse_script(add, "x.sql").forbids_transaction


def test_what_it_creates_is_said_without_its_transaction_control() -> None:
    assert parse_script("BEGIN; CREATE TABLE t (); COMMIT", "x.sql").creates["tables"] == [[None, "t"]]


# The project's own scripts

OWN_SCRIPTS = sorted((Path(__file__).parents[3] / "sql").glob("*/*.sql"))


@pytest.mark.parametrize("path", OWN_SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_projects_own_scripts_parse_and_run_in_one_transaction(path: Path) -> None:
    script = parse_script(decode_script(path.read_bytes(), str(path)), str(path))
    assert script.statements
    assert script.forbids_transaction == ()
    assert script.notes == ()


DUMPED = r"""--
-- PostgreSQL database dump
--

\restrict b4cnYqXwzS6N6YtmqIRS3xxJVoQ9kyDhvTAqT1Aj

SET statement_timeout = 0;
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS '
\restrict this is data
';
  CREATE TABLE t (id int);

\unrestrict b4cnYqXwzS6N6YtmqIRS3xxJVoQ9kyDhvTAqT1Aj

"""


def test_what_pg_dump_says_to_psql_alone_is_passed_over() -> None:
    script = parse_script(DUMPED, "dump.sql")
    assert [(one.line, one.column, one.kind) for one in script.statements] == [
        (7, 1, "VariableSetStmt"),
        (8, 1, "CreateFunctionStmt"),
        (11, 3, "CreateStmt"),
    ]
    assert script.statements[0].sql == "SET statement_timeout = 0"
    assert "\n\\restrict this is data\n" in script.statements[1].sql


@pytest.mark.parametrize("line", [r"\restrict", r"\restrict a b", r"\restricted a", r"SELECT 1 \restrict a;"])
def test_and_nothing_else(line: str) -> None:
    with pytest.raises(SqlScriptError):
        parse_script(f"SELECT 1;\n{line}\nSELECT 2;", "dump.sql")
