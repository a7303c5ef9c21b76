# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A migration that uses objects of another one says so in its header, or is not deployed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import read_catalog
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.dependencies import (
    dependency_edges,
    used_objects,
)

from tests.integration.step_runs import StepRuns

REFUSED = "Checklist item 'dependencies identified': migrations/{} uses objects of {}, but its header does not require"

BEFORE = """
    CREATE SCHEMA app;
    CREATE TABLE app."Odd. ""a"" one" (id int PRIMARY KEY, "a.b" text);
    CREATE TABLE app.plain (id int);
    CREATE TYPE app.mood AS ENUM ('calm');
    CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE VIEW app.seen AS SELECT id FROM app.plain;
"""
ODD = 'table app."Odd. ""a"" one"'


@pytest.mark.parametrize(
    ("statement", "uses"),
    [
        ("CREATE TABLE alone (id int)", set()),
        ('ALTER TABLE app."Odd. ""a"" one" ADD "c.d" int', {ODD}),
        ('CREATE INDEX ON app."Odd. ""a"" one" ("a.b")', {ODD}),
        (
            'CREATE TABLE child (id int REFERENCES app."Odd. ""a"" one")',
            {ODD, 'index app."Odd. ""a"" one_pkey"'},
        ),
        ('ALTER TABLE app."Odd. ""a"" one" DROP "a.b"', {'column app."Odd. ""a"" one"."a.b"'}),
        ("CREATE TABLE child (m app.mood[])", {"enum app.mood"}),
        ("CREATE TABLE child () INHERITS (app.plain)", {"table app.plain"}),
        ("CREATE VIEW more AS SELECT * FROM app.seen", {"view app.seen"}),
        (
            "CREATE TRIGGER t BEFORE INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION app.touch()",
            {"table app.plain", "function app.touch()"},
        ),
        ("COMMENT ON TABLE app.plain IS 'x'", {"table app.plain"}),
        ("DROP VIEW app.seen", {"view app.seen"}),
        ("CREATE TABLE app.in_a_schema_of_others (id int)", {"schema app"}),
    ],
)
def test_what_a_migration_uses(connection: Any, statement: str, uses: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(BEFORE)
        before = read_catalog(cursor), dependency_edges(cursor)
        cursor.execute(statement)
        found = set(used_objects(before, (read_catalog(cursor), dependency_edges(cursor))))
    assert found - {"schema app", "column app.seen.id"} == uses - {"schema app"}
    assert "schema app" in found or "schema app" not in uses


def deployed(runs: StepRuns, wanted: str) -> None:
    runs.another(wanted=wanted).deploy()


def rehearsed(runs: StepRuns, wanted: str) -> dict:
    one = runs.another(wanted=wanted)
    one.up_to("verify_restore")
    return one.step("rehearse")


def test_an_object_of_a_migration_that_was_recorded_by_others(runs: StepRuns) -> None:
    """The ledger does not know what 001 made; its script does."""
    runs.write(migrations__002_author="-- Requires: none\nALTER TABLE notes ADD COLUMN author text;")
    answer = rehearsed(runs, "002")
    assert answer["outcome"] == "refused"
    assert REFUSED.format("002_author.sql", "001") in answer["msg"]
    assert "It uses table public.notes of 001." in answer["msg"]
    assert runs.ask("SELECT version FROM schema_migrations") == [("001",)]


def test_an_object_that_no_migration_made(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="-- Requires: none\nALTER TABLE of_others ADD COLUMN author text;",
        rollback__002_author_rollback="ALTER TABLE of_others DROP COLUMN author;",
    )
    runs.execute("CREATE TABLE of_others (id int)")
    answer = rehearsed(runs, "002")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["depends_on"] == []


@pytest.fixture
def two(runs: StepRuns) -> StepRuns:
    """Deployed besides 001: 002, which makes a table where no parser sees it. 003 makes a column in that."""
    runs.write(
        migrations__002_author="-- Requires: none\nDO $$ BEGIN EXECUTE 'CREATE TABLE hidden (id int)'; END $$;",
        rollback__002_author_rollback="DROP TABLE hidden;",
        migrations__003_more="-- Requires: 001\nALTER TABLE hidden ADD COLUMN n int;",
        rollback__003_more_rollback="ALTER TABLE hidden DROP COLUMN n;",
    )
    return runs


def test_an_object_of_a_migration_that_the_runbook_deployed(two: StepRuns) -> None:
    deployed(two, "002")
    answer = rehearsed(two, "003")
    assert answer["outcome"] == "refused"
    assert REFUSED.format("003_more.sql", "002") in answer["msg"]
    assert "table public.hidden of 002" in answer["msg"]


def test_an_object_of_a_migration_of_the_same_run(two: StepRuns) -> None:
    answer = rehearsed(two, "pending")
    assert answer["outcome"] == "refused"
    assert REFUSED.format("003_more.sql", "002") in answer["msg"]


@pytest.mark.parametrize("line", ["-- Requires: 002", "-- Requires: 0025"])
def test_required_itself_or_through_another(two: StepRuns, line: str) -> None:
    two.write(
        migrations__003_more=f"{line}\nALTER TABLE hidden ADD COLUMN n int;",
        migrations__0025_between="-- Requires: 002\nCREATE TABLE between ();",
        rollback__0025_between_rollback="DROP TABLE between;",
    )
    deployed(two, "002")
    deployed(two, "0025")
    answer = rehearsed(two, "003")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["depends_on"] == ["002"]


def test_a_script_without_the_line_is_reported_on_only(two: StepRuns) -> None:
    two.write(
        migrations__003_more="ALTER TABLE hidden ADD COLUMN n int; ALTER TABLE notes ADD COLUMN n int;",
        rollback__003_more_rollback="ALTER TABLE hidden DROP COLUMN n; ALTER TABLE notes DROP COLUMN n;",
    )
    deployed(two, "002")
    answer = rehearsed(two, "003")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["depends_on"] == ["001", "002"]
