# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Statements taken apart for batches: what is the table, the change and the condition, and what cannot be told."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.batches import in_batches
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.header import parse_header
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.script import SqlScriptError, parse_script
from pglast import parse_sql


def parts(text: str) -> tuple[str, str, str] | None:
    found = in_batches(parse_sql(text)[0].stmt, text, 100)
    return found and (found["target"], found["change"], found["condition"])


@pytest.mark.parametrize(
    ("text", "target", "change", "condition"),
    [
        ("UPDATE t SET a = 1 WHERE a IS NULL", "t", "UPDATE t SET a = 1", "a IS NULL"),
        (
            "UPDATE ONLY s.t AS x SET a = (SELECT 1 WHERE true) /* WHERE */ WHERE x.a = 'WHERE' OR x.b",
            "ONLY s.t AS x",
            "UPDATE ONLY s.t AS x SET a = (SELECT 1 WHERE true) /* WHERE */",
            "x.a = 'WHERE' OR x.b",
        ),
        ('UPDATE "set" SET "where" = 1 WHERE e', '"set"', 'UPDATE "set" SET "where" = 1', "e"),
        ("DELETE FROM t", "t", "DELETE FROM t", "true"),
        ("DELETE FROM s.t x WHERE x.a > 3 -- old", "s.t x", "DELETE FROM s.t x", "x.a > 3 -- old"),
        ("UPDATE tä SET ä = 'ß' WHERE ä <> 'ß'", "tä", "UPDATE tä SET ä = 'ß'", "ä <> 'ß'"),
    ],
)
def test_the_parts_of_a_statement(text: str, target: str, change: str, condition: str) -> None:
    assert parts(text) == (target, change, condition)


@pytest.mark.parametrize("text", ["INSERT INTO t SELECT 1", "CREATE TABLE t ()", "SELECT 1"])
def test_another_statement_is_run_as_it_is(text: str) -> None:
    assert parts(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("UPDATE t SET a = 1", "has no WHERE"),
        ("UPDATE t SET a = u.a FROM u WHERE u.id = t.id", "has FROM"),
        ("DELETE FROM t USING u WHERE u.id = t.id", "has USING"),
        ("WITH u AS (SELECT 1) UPDATE t SET a = 1 WHERE a IS NULL", "has WITH"),
        ("DELETE FROM t RETURNING *", "has RETURNING"),
        ("DELETE FROM t WHERE CURRENT OF c", "means one row"),
    ],
)
def test_what_no_pages_tell_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parts(text)


def test_a_script_says_where_it_cannot() -> None:
    with pytest.raises(SqlScriptError, match=r"x, line 2, column 1: this UPDATE has no WHERE") as error:
        parse_script("DELETE FROM t;\nUPDATE t SET a = 1;", "x", batch_rows=10)
    assert error.value.code == "batches_not_possible"
    with pytest.raises(SqlScriptError, match="no UPDATE and no DELETE") as error:
        parse_script("INSERT INTO t VALUES (1);", "x", batch_rows=10)
    assert error.value.code == "batches_not_possible"


def test_a_script_without_the_line_has_none() -> None:
    (statement,) = parse_script("UPDATE t SET a = 1", "x").statements
    assert statement.batches is None


def test_the_header_says_how_many_rows() -> None:
    header = parse_header("-- Batches: 5000 rows (about a second)\nDELETE FROM t;")
    assert (header.batches, header.transaction) == (5000, "none")
    assert parse_header("-- Batches: 5000 rows\n-- Transaction: none\nDELETE FROM t;").batches == 5000
    assert parse_header("DELETE FROM t;").batches is None


@pytest.mark.parametrize(
    "value", ["", "rows", "0 rows", "5000", "-1 rows", "5e3 rows", "5 rows each", "5,000 rows"]
)
def test_any_other_value_is_refused(value: str) -> None:
    with pytest.raises(SqlScriptError, match="is not a number of rows"):
        parse_header(f"-- Batches: {value}\nDELETE FROM t;")


def test_one_transaction_has_no_batches() -> None:
    with pytest.raises(SqlScriptError, match="says one"):
        parse_header("-- Batches: 10 rows\n-- Transaction: one\nDELETE FROM t;")
