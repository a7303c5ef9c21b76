# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script creates and leaves in place, as its top-level statements say."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql.footprint import footprint_of
from pglast import parse_sql

BODY = "RETURNS int LANGUAGE sql AS 'SELECT 1'"


def creates(text: str) -> dict[str, list[list[str | None]]]:
    found = footprint_of(one.stmt for one in parse_sql(text))
    assert list(found) == ["tables", "columns", "indexes", "views", "functions", "types"]
    return {kind: names for kind, names in found.items() if names}


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


@pytest.mark.parametrize("path", ['"$user", app', "''", "'app, public'"])
def test_a_search_path_that_does_not_begin_with_a_schema_gives_none(path: str) -> None:
    assert creates(f"SET search_path = {path}; CREATE TABLE t ()") == {"tables": [[None, "t"]]}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("CREATE TABLE a.t (); CREATE TABLE b.t (); DROP TABLE a.t", {"tables": [["b", "t"]]}),
        ("ALTER TABLE f ADD x int; ALTER TABLE f RENAME x TO y", {"columns": [[None, "f", "y"]]}),
        (f"CREATE FUNCTION g(int4) {BODY}; DROP FUNCTION g(int)", {}),
        (f"CREATE FUNCTION g(int[]) {BODY}; DROP FUNCTION g(int)", {"functions": [[None, "g"]]}),
    ],
)
def test_what_is_dropped_is_told_from_what_is_only_called_alike(text: str, left: dict[str, list]) -> None:
    assert creates(text) == left


@pytest.mark.parametrize("text", ["ALTER TYPE c ADD ATTRIBUTE x int", "ALTER FUNCTION g(int) RENAME TO h"])
def test_changes_of_what_is_no_relation_are_not_followed(text: str) -> None:
    assert creates(text) == {}


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
