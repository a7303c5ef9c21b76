# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds of objects and of statements: how each is found in the database, taken back, and asked after."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting import (
    catalog_conditions,
    changing,
    describing,
    dropping,
    moved_checks,
    renaming,
    table_checks,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.addresses import address_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.checks import checks_of
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.undo import CannotInvert
from pglast import ast, parse_sql

from tests.unit.drafting.answers import draft, statements


@pytest.mark.parametrize(
    ("script", "address"),
    [
        ('DROP TABLE s."T"', ("relation", ("s", "T"), [])),
        ("DROP FUNCTION f(int, text)", ("function", ("f",), ["integer", "text"])),
        ("DROP FUNCTION f", ("routine of any arguments", ("f",), [])),
        ("DROP TYPE s.mood", ("type", ("s.mood",), [])),
        ("DROP CAST (s.a AS text)", ("cast", ("s.a",), ["text"])),
        ("DROP OPERATOR CLASS o USING btree", ("operator class", ("btree", "o"), [])),
        ("DROP TRIGGER g ON s.t", ("trigger", ("s", "t", "g"), [])),
        ("DROP SCHEMA s", ("schema", ("s",), [])),
    ],
)
def test_an_object_is_found_by_what_the_parser_says(
    script: str, address: tuple[str, tuple[str, ...], list[str]]
) -> None:
    (raw,) = parse_sql(script)
    assert address_of(raw.stmt.removeType, raw.stmt.objects[0]) == address


def test_a_kind_that_is_not_known_is_no_address() -> None:
    (raw,) = parse_sql("COMMENT ON TABLESPACE t IS 'x'")
    with pytest.raises(CannotInvert):
        address_of(raw.stmt.objtype, raw.stmt.object)


def test_each_kind_of_change_has_the_handler_of_its_file() -> None:
    assert changing.HANDLERS[ast.DropStmt] is dropping.drop
    assert changing.HANDLERS[ast.RenameStmt] is renaming.rename
    assert changing.HANDLERS[ast.AlterObjectSchemaStmt] is renaming.set_schema
    assert changing.HANDLERS[ast.AlterOwnerStmt] is renaming.owner
    assert changing.HANDLERS[ast.CommentStmt] is describing.comment
    assert changing.HANDLERS[ast.SecLabelStmt] is describing.label


def back(script: str) -> list[str]:
    """The statements that take a script back, in their order; nothing is left to a person."""
    made = draft(script)
    assert made.open_points() == []
    return statements(made)


@pytest.mark.parametrize(
    ("script", "statement"),
    [
        ("ALTER SCHEMA a RENAME TO b", "ALTER SCHEMA b RENAME TO a;"),
        ("ALTER DOMAIN d RENAME CONSTRAINT a TO b", "ALTER DOMAIN d RENAME CONSTRAINT b TO a;"),
        ("ALTER FUNCTION f(int) RENAME TO g", "ALTER FUNCTION g (integer) RENAME TO f;"),
        ("ALTER TABLE s.t SET SCHEMA u", "ALTER TABLE u.t SET SCHEMA s;"),
        ("ALTER TRIGGER a ON t RENAME TO b", "ALTER TRIGGER b ON t RENAME TO a;"),
        ("ALTER INDEX i RENAME TO j", "ALTER INDEX j RENAME TO i;"),
    ],
)
def test_a_name_is_given_back(script: str, statement: str) -> None:
    assert back(script) == [statement]


def test_what_the_script_made_and_drops_again_needs_nothing() -> None:
    assert back("CREATE TABLE t (id int); COMMENT ON TABLE t IS 'x'; DROP TABLE t") == []


def asked(script: str) -> dict[str, str]:
    return dict(checks_of(script))


def test_a_verify_script_asks_of_what_is_left_in_the_end() -> None:
    made = asked("CREATE TABLE t (id int NOT NULL, gone int); CREATE INDEX i ON t (id)")
    assert made["column t.id integer NOT NULL"].endswith("AND attnotnull)")
    assert "indisvalid" in made["valid index i on t"]
    later = asked(
        "CREATE TABLE t (id int, gone int); ALTER TABLE t DROP COLUMN gone; ALTER TABLE t RENAME TO u"
    )
    assert [*later] == ["u, renamed"]
    assert asked("CREATE TABLE t (id int); DROP TABLE t") == {"t dropped": "to_regclass('t') IS NULL"}


def test_parts_go_with_the_object_and_others_stay() -> None:
    found: catalog_conditions.Checks = {
        ("relation", "t"): ("table t", ""),
        ("column", "t", "a"): ("column t.a", ""),
        ("column", "tt", "a"): ("column tt.a", ""),
        ("type", "t"): ("type t", ""),
    }
    catalog_conditions.forget(found, ("t",), "column")
    assert ("column", "t", "a") not in found
    assert ("type", "t") in found
    catalog_conditions.forget(found, ("t",))
    assert [*found] == [("column", "tt", "a")]


def test_hostile_names_are_constants_in_conditions() -> None:
    assert catalog_conditions.regclass(("a'b",)) == "to_regclass('\"a''b\"')"
    found: catalog_conditions.Checks = {}
    table_checks.table(found, parse_sql("""CREATE TABLE "x'y" ("a'b" int)""")[0].stmt)
    moved_checks.drop(found, parse_sql("""DROP TABLE "x'y" """)[0].stmt)
    assert [*found.values()] == [('"x\'y" dropped', "to_regclass('\"x''y\"') IS NULL")]


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        ("CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE)", "confdeltype = 'c' AND confupdtype = 'a'"),
        (
            "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c ON UPDATE SET NULL",
            "confdeltype = 'a' AND confupdtype = 'n'",
        ),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "prosrc = 'SELECT 1'"),
    ],
)
def test_what_a_verify_script_asks_of_keys_and_functions(statement: str, asked: str) -> None:
    assert [condition for _, condition in checks_of(statement) if asked in condition]


@pytest.mark.parametrize("body", ["LANGUAGE c AS 'lib'", "LANGUAGE c AS 'lib', 'f'", "LANGUAGE sql RETURN 1"])
def test_of_a_function_without_a_text_it_asks_none(body: str) -> None:
    assert not [
        condition
        for _, condition in checks_of(f"CREATE FUNCTION f() RETURNS int {body}")
        if "prosrc" in condition
    ]
