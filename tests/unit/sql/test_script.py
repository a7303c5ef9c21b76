# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Splitting scripts: every rule with the text that breaks it, and a property over random scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import (
    Header,
    SqlScriptError,
    decode_script,
    header_lines,
    parse_header,
    parse_script,
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


def creates(text: str) -> dict[str, list]:
    return {kind: found for kind, found in parse_script(text, "x.sql").creates.items() if found}


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


# Syntax


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("SELECT 1;\nSELECT 'é😀' FRM x y;", 2, 17, ['at or near "x"', "SELECT 'é😀' FRM x y;"]),
        ("\ufeffSELEC 1;", 1, 1, ['at or near "SELEC"']),
        ("SELECT 1;\r\n\tSELCT 'ü';", 2, 2, ['at or near "SELCT"']),
        ("SELECT 1;\nSELECT ( -- é\n\n", 2, 9, ["end of input", "SELECT ("]),
        ("SELECT 1;\nSELECT 'é', 'open\n; SELECT 2;", 2, 13, ["unterminated quoted string"]),
        ("SELECT 1;\n SELECT $a$ open", 2, 9, ["unterminated dollar-quoted string"]),
        ("SELECT 1; /* open", 1, 11, ["unterminated /* comment"]),
        ("SELECT 1;\n\nSELECT E'\\xff';", 3, 1, ["invalid byte sequence"]),
        ("SELECT 1;\nSEL\0ECT 2;", 2, 4, ["NUL"]),
        ("SELECT 1;\nSELECT '\ud800'", 2, 9, ["UTF-8"]),
    ],
)
def test_a_syntax_error_says_where_and_near_what(text: str, line: int, column: int, words: list[str]) -> None:
    error = refusal(text)
    assert (error.line, error.column) == (line, column)
    assert all(word in error.reason for word in words), error.reason
    assert "\n" not in error.reason
    assert error.path == "migrations/x.sql"


def test_bytes_that_are_not_utf8_are_refused_with_their_place() -> None:
    with pytest.raises(SqlScriptError, match="not UTF-8") as caught:
        decode_script("-- Überschrift\nSELECT 'é".encode() + b"\xe9'", "x.sql")
    assert (caught.value.line, caught.value.column) == (2, 10)
    assert decode_script(b"\xef\xbb\xbfSELECT 1", "x.sql") == "SELECT 1"


# psql


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


@pytest.mark.parametrize("variable", [":name", ":'name'", ':"name"', ":'é'"])
def test_psql_variables_are_refused(variable: str) -> None:
    error = refusal(f"SELECT 1;\nUPDATE t SET a = {variable} WHERE true")
    assert (error.line, error.column) == (2, 18)
    assert f"{variable} is a psql variable" in error.reason


# What cannot run in a transaction


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX (CONCURRENTLY) TABLE t",
        "REINDEX SCHEMA s",
        "REINDEX DATABASE d",
        "REINDEX SYSTEM d",
        "VACUUM t",
        "CREATE DATABASE d",
        "DROP DATABASE d",
        "CREATE TABLESPACE x LOCATION '/x'",
        "DROP TABLESPACE x",
        "ALTER DATABASE d SET TABLESPACE x",
        "CLUSTER",
        "DISCARD ALL",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
        "DROP SUBSCRIPTION s",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "ALTER SUBSCRIPTION s SET PUBLICATION p",
    ],
)
def test_commands_outside_of_transactions_are_flagged(statement: str) -> None:
    ((line, what),) = parse_script(f"SELECT 1;\n{statement};", "x.sql").forbids_transaction
    assert line == 2
    assert what.split()[0] == statement.split()[0].strip(";") or what == "DETACH PARTITION CONCURRENTLY"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i",
        "REINDEX TABLE t",
        "REINDEX (CONCURRENTLY false) TABLE t",
        "ANALYZE t",
        "CLUSTER t USING i",
        "DISCARD TEMP",
        "ALTER TABLE a DETACH PARTITION b",
        "ALTER DATABASE d SET work_mem = '1MB'",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = false)",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect = false)",
        "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
    ],
)
def test_their_relatives_are_not(statement: str) -> None:
    assert parse_script(statement, "x.sql").forbids_transaction == ()


@pytest.mark.parametrize(
    ("later", "flagged"),
    [
        ("INSERT INTO t VALUES ('new')", True),
        ("ALTER TABLE t ALTER m SET DEFAULT 'new'::mood", True),
        ("DO $$ BEGIN UPDATE t SET m = 'new'; END $$", True),
        ("SELECT new FROM new", False),
        ("INSERT INTO t VALUES ('old')", False),
        ("DO $$ BEGIN RAISE NOTICE 'new things'; END $$", False),
    ],
)
def test_a_new_enum_value_is_flagged_only_when_used_later(later: str, flagged: bool) -> None:
    add = "ALTER TYPE mood ADD VALUE 'new'"
    assert bool(parse_script(f"{add};\n{later}", "x.sql").forbids_transaction) is flagged
    assert not parse_script(f"{later};\n{add}", "x.sql").forbids_transaction
    assert not parse_script(f"CREATE TYPE mood AS ENUM ('a'); {add}; {later}", "x.sql").forbids_transaction


# What a script creates


def test_footprint_lists_what_is_created_at_top_level() -> None:
    assert creates(
        """
        CREATE TABLE a.t (x int);
        CREATE TABLE IF NOT EXISTS u AS SELECT 1 AS y;
        ALTER TABLE f ADD COLUMN c int, ADD COLUMN IF NOT EXISTS d int, ALTER COLUMN e SET NOT NULL;
        CREATE INDEX i ON a.t (x); CREATE INDEX ON a.t (x);
        CREATE VIEW v AS SELECT 1; CREATE MATERIALIZED VIEW a.m AS SELECT 1;
        CREATE OR REPLACE FUNCTION g(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE OR REPLACE FUNCTION g(x text) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE TYPE e AS ENUM ('a'); CREATE DOMAIN s.d AS int; CREATE TYPE c AS (x int);
        CREATE TEMP TABLE tmp (x int); CREATE INDEX tmp_i ON tmp (x);
        DO $$ BEGIN CREATE TABLE hidden (x int); END $$;
        """
    ) == {
        "tables": [["a", "t"], [None, "u"]],
        "columns": [[None, "f", "c"], [None, "f", "d"]],
        "indexes": [["a", "i"]],
        "views": [[None, "v"], ["a", "m"]],
        "functions": [[None, "g"]],
        "types": [[None, "e"], ["s", "d"], [None, "c"]],
    }


@pytest.mark.parametrize(
    "drop",
    [
        "DROP TABLE t",
        "DROP TABLE public.t",
        "DROP TABLE IF EXISTS x, t CASCADE",
        "ALTER TABLE t RENAME TO w; DROP TABLE w",
    ],
)
def test_what_the_script_drops_again_is_left_out_with_all_that_hangs_on_it(drop: str) -> None:
    text = (
        "CREATE TABLE keep (); CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t ADD b int;"
        + drop
    )
    assert creates(text) == {"tables": [[None, "keep"]]}


def test_dropped_columns_indexes_functions_and_types_are_left_out() -> None:
    assert creates(
        """
        CREATE TABLE keep (a int); ALTER TABLE f ADD c int; ALTER TABLE f DROP c;
        CREATE INDEX i ON f (a); DROP INDEX i; CREATE VIEW v AS SELECT 1; DROP VIEW v;
        CREATE FUNCTION g(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION g(int);
        CREATE FUNCTION h(int, OUT o int) LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION h(text);
        CREATE FUNCTION o(int, OUT o int) LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION o(int);
        CREATE FUNCTION k(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION k;
        CREATE TYPE e AS ENUM ('a'); DROP TYPE e
        """
    ) == {"tables": [[None, "keep"]], "functions": [[None, "h"]]}


def test_renames_and_moves_are_followed() -> None:
    text = (
        "CREATE TABLE t (a int); CREATE INDEX i ON t (a); ALTER TABLE t RENAME TO u;"
        "ALTER TABLE u SET SCHEMA s; ALTER TABLE f RENAME COLUMN x TO y"
    )
    assert creates(text) == {
        "tables": [["s", "u"]],
        "indexes": [["s", "i"]],
        "columns": [[None, "f", "y"]],
    }


def test_search_path_and_create_schema_give_the_schema() -> None:
    assert creates(
        "SET search_path = app, public; CREATE TABLE t (); RESET search_path; CREATE TABLE u ()"
    ) == {"tables": [["app", "t"], [None, "u"]]}
    assert creates("CREATE SCHEMA s CREATE TABLE t (a int); CREATE TABLE u ()") == {
        "tables": [["s", "t"], [None, "u"]]
    }


@pytest.mark.parametrize(
    "text",
    [
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT 1",
        "CREATE TABLE n (); DROP TABLE t; ALTER TABLE n RENAME TO t",
        "UPDATE files SET filename = lower(filename)",
    ],
)
def test_what_may_have_been_there_before_proves_nothing(text: str) -> None:
    assert creates(text) == {}


# The header


def test_header_facts_are_read_in_any_case_and_kind_of_comment() -> None:
    text = """\ufeff
-- ====
-- Migration: 009_text_metadata.sql
-- description: Adds five columns,
--              and a view.
-- prose about it
-- RISK LEVEL: low
/* * Data Loss: PARTIAL (the five columns)
   * Requires: 001, 003 update_names,
   *           005
   * Transaction: None */
BEGIN;
-- Risk Level: nonsense, but below the first statement
"""
    assert parse_header(text) == Header(
        description="Adds five columns, and a view.",
        risk_level="LOW",
        data_loss="PARTIAL",
        requires=("001", "003", "update_names", "005"),
        transaction="none",
        present=True,
    )
    assert header_lines(text)["requires"] == (9, 6)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Files: rename files.filepath", ("files", "filepath")),
        ("files: RENAME Public.Files.Path (of the songs)", ("public", "files", "path")),
        ('Files: rename "My.Files"."the ""path"""', ("My.Files", 'the "path"')),
        ("Files: a.sql and b.sql", None),
        ("Files: renames nothing.here", None),
    ],
)
def test_the_column_whose_paths_change_is_read(line: str, names: tuple[str, ...] | None) -> None:
    assert parse_header(f"-- {line}\nSELECT 1").files == names


def test_no_header_declares_nothing_and_none_declares_no_requirement() -> None:
    assert parse_header("-- just words: really\nSELECT 1; -- Requires: 001") == Header()
    assert parse_header("-- Requires: none").requires == ()
    assert parse_header("-- Requires: 001\n--     for its table files").requires == ("001",)


@pytest.mark.parametrize(
    "line",
    [
        "Risk Level: SOMETIMES",
        "Risk Level: [LOW|MEDIUM|HIGH|CRITICAL]",
        "Risk Level: LOW|MEDIUM",
        "Data Loss: LOTS",
        "Data Loss:",
        "Transaction: maybe",
        "Requires:",
        "Requires: 001; 002",
        "Requires: none, 001",
        "Requires: ../x",
        "Files: rename filepath",
        "Files: rename",
        "Files: rename a.b; DROP TABLE x",
    ],
)
def test_wrong_header_values_are_refused_with_file_and_line(line: str) -> None:
    with pytest.raises(SqlScriptError) as caught:
        parse_header(f"-- é\n--  {line}\nSELECT 1", "x.sql")
    assert (caught.value.path, caught.value.line, caught.value.column) == ("x.sql", 2, 5)


def test_a_fact_stated_twice_differently_is_refused() -> None:
    with pytest.raises(SqlScriptError, match="first on line 1"):
        parse_header("-- Risk Level: LOW\n-- Risk Level: HIGH")
    assert parse_header("-- Risk Level: LOW\n-- Risk Level: LOW").risk_level == "LOW"


# The project's own scripts

OWN_SCRIPTS = sorted((Path(__file__).parents[3] / "sql").glob("*/*.sql"))


@pytest.mark.parametrize("path", OWN_SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_projects_own_scripts_parse_and_run_in_one_transaction(path: Path) -> None:
    script = parse_script(decode_script(path.read_bytes(), str(path)), str(path))
    assert script.statements
    assert script.forbids_transaction == ()
    assert script.notes == ()
