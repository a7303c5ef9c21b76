# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rehearsal of all migrations goes on after a failure, and names all that failed at its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.step_runs import StepRuns

SOUND = {
    "migrations__001_notes": "CREATE TABLE notes (id serial PRIMARY KEY, body text);",
    "rollback__001_notes_rollback": "DROP TABLE notes;",
    "sample__001_notes": "INSERT INTO notes (body) VALUES ('one'), ('two');",
    "migrations__002_author": "-- Requires: 001\nALTER TABLE notes ADD COLUMN author text;",
    "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN author;",
}


@pytest.fixture
def all_of_them(runs: StepRuns) -> StepRuns:
    """Two sound migrations; what a test writes comes after them."""
    runs.write(**SOUND)
    return runs.another("rehearse", "all")


def rehearsed(run: StepRuns, **options: Any) -> dict[str, Any]:
    run.selected = run.must("preflight")["outputs"]["migrations"]
    run.migration = "pending"
    return run.step("rehearse_from_empty", **options)


def codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["migration"], one["reason_code"]) for one in answer["details"]["failures"]]


def test_all_that_fail_are_named_and_what_needs_them_is_not_blamed(all_of_them: StepRuns) -> None:
    all_of_them.write(
        # The rollback leaves something; what comes later finds the migration in place all the same.
        migrations__003_shelf="-- Requires: 001\nCREATE TABLE shelf (id int); CREATE TABLE forgotten (id int);",
        rollback__003_shelf_rollback="DROP TABLE shelf;",
        migrations__004_on_shelf="-- Requires: 003\nALTER TABLE shelf ADD COLUMN note text;",
        rollback__004_on_shelf_rollback="ALTER TABLE shelf DROP COLUMN note;",
        # Cannot be applied.
        migrations__005_short="-- Requires: 001\nALTER TABLE notes ADD COLUMN short text; SELECT 1/0;",
        rollback__005_short_rollback="ALTER TABLE notes DROP COLUMN short;",
        migrations__006_on_short="-- Requires: 005\nCREATE INDEX shorts ON notes (short);",
        rollback__006_on_short_rollback="DROP INDEX shorts;",
        # Names no requirement, and so requires all before it; it needs none that failed.
        migrations__007_tag="ALTER TABLE notes ADD COLUMN tag text;",
        rollback__007_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
        # Shows only with rows in what it has made.
        migrations__008_rating="-- Requires: 001\nCREATE TABLE rating (n int);",
        rollback__008_rating_rollback=(
            "DO $$ BEGIN IF EXISTS (SELECT FROM rating) THEN RAISE 'in use'; END IF; END $$; DROP TABLE rating;"
        ),
        sample__008_rating="INSERT INTO rating VALUES (5);",
    )
    answer = rehearsed(all_of_them, generated_rows=0)
    assert answer["reason_code"] == "rehearsal_failed_for_several", answer
    assert codes(answer) == [
        ("003", "rehearsal_rollback_schema_differs"),
        ("005", "statement_failed"),
        ("008", "statement_failed"),
    ]
    assert answer["details"]["untried"] == {"006": ["005"]}
    rows = {version: one["rows"] for version, one in answer["details"]["proven_on"].items()}
    assert rows == {"001": 2, "002": 2, "004": 2, "007": 2}
    said = answer["msg"]
    assert said.startswith("3 of 8 migrations fail the rehearsal: 003, 005, 008. 003: Checklist item"), said
    assert "table public.forgotten: was not there before" in said
    assert "division by zero" in said
    assert "in use" in said
    assert said.endswith("Not tried: 006 (it requires 005).")
    left = all_of_them.ask("SELECT datname FROM pg_database WHERE datname LIKE 'runbook%'")
    assert left == [], "each database that it began anew is gone"


def test_one_failure_keeps_its_code_and_its_sentence(all_of_them: StepRuns) -> None:
    all_of_them.write(rollback__001_notes_rollback="ALTER TABLE notes RENAME TO old_notes;")
    answer = rehearsed(all_of_them)
    assert answer["reason_code"] == "rehearsal_rollback_schema_differs"
    assert answer["msg"].startswith("Checklist item 'rollback tested on a copy': the rollback of 001")
    assert "Not tried" not in answer["msg"]
    assert list(answer["details"]["proven_on"]) == ["002"]


def test_statements_that_commit_one_by_one_leave_nothing_for_what_follows(all_of_them: StepRuns) -> None:
    all_of_them.write(
        migrations__003_half="-- Requires: 001\nCREATE INDEX CONCURRENTLY half ON notes (body); SELECT 1/0;",
        rollback__003_half_rollback="DROP INDEX IF EXISTS half;",
        migrations__004_half="-- Requires: 001\nCREATE INDEX half ON notes (body);",
        rollback__004_half_rollback="DROP INDEX half;",
    )
    answer = rehearsed(all_of_them)
    assert codes(answer) == [("003", "statement_failed")]
    assert list(answer["details"]["proven_on"]) == ["001", "002", "004"]


def test_on_generated_rows_as_well(all_of_them: StepRuns) -> None:
    all_of_them.write(
        sample__001_notes="SELECT 1;",
        migrations__003_upper="-- Requires: 001\nUPDATE notes SET body = upper(body);",
        rollback__003_upper_rollback="UPDATE notes SET body = lower(body);",
        migrations__004_tag="-- Requires: 001\nALTER TABLE notes ADD COLUMN tag text;",
        rollback__004_tag_rollback="ALTER TABLE notes DROP COLUMN tag;",
        migrations__005_gone="-- Requires: 001\nDELETE FROM notes;",
        rollback__005_gone_rollback="SELECT 1;",
    )
    answer = rehearsed(all_of_them, generated_rows=5)
    assert codes(answer) == [
        ("003", "rollback_loses_generated_rows"),
        ("005", "rollback_loses_generated_rows"),
    ]
    rows = {version: one["rows"] for version, one in answer["details"]["proven_on"].items()}
    assert rows == {"001": 5, "002": 5, "004": 5}


def test_a_script_that_ends_its_own_session_is_one_failure_among_others(all_of_them: StepRuns) -> None:
    gone = "SELECT pg_terminate_backend(pg_backend_pid());"
    all_of_them.write(
        migrations__003_gone=f"-- Requires: 001\nALTER TABLE notes ADD COLUMN gone text; {gone}",
        rollback__003_gone_rollback="ALTER TABLE notes DROP COLUMN gone;",
        migrations__004_tag="-- Requires: 001\nALTER TABLE notes ADD COLUMN tag text;",
        rollback__004_tag_rollback=gone,
    )
    answer = rehearsed(all_of_them)
    assert [version for version, _code in codes(answer)] == ["003", "004"], answer
    assert list(answer["details"]["proven_on"]) == ["001", "002"]


def test_sample_rows_that_cannot_be_loaded_are_a_failure_of_their_own(all_of_them: StepRuns) -> None:
    all_of_them.write(
        sample__001_notes="INSERT INTO nowhere VALUES (1);",
        rollback__002_author_rollback="SELECT 1;",
    )
    answer = rehearsed(all_of_them)
    assert codes(answer) == [
        ("001", "sample_rows_unusable"),
        ("002", "rehearsal_rollback_schema_differs"),
    ]


BAD = {
    "migrations__003_syntax": "CREATE TABLEX wrong (id int);",
    "rollback__003_syntax_rollback": "DROP TABLE wrong;",
    "migrations__004_fails": "-- Requires: 001\nCREATE TABLE d (i int REFERENCES nowhere);",
    "rollback__004_fails_rollback": "DROP TABLE d;",
    "migrations__005_upper": "-- Requires: 001\nUPDATE notes SET body = upper(body);",
    "rollback__005_upper_rollback": "SELECT 1;",
    "migrations__006_tag": "ALTER TABLE notes ADD COLUMN tag text;",
    "rollback__006_tag_rollback": "ALTER TABLE notes DROP COLUMN tag;",
    "migrations__007_on_syntax": "-- Requires: 003\nALTER TABLE wrong ADD COLUMN b int;",
    "rollback__007_on_syntax_rollback": "ALTER TABLE wrong DROP COLUMN b;",
}


def test_scripts_that_cannot_be_begun_and_others_that_fail_take_no_rows_from_the_rest(
    all_of_them: StepRuns,
) -> None:
    all_of_them.write(sample__001_notes="SELECT 1;", **BAD)
    answer = rehearsed(all_of_them, generated_rows=5)
    assert sorted(codes(answer)) == [
        ("003", "script_syntax_error"),
        ("004", "statement_failed"),
        ("005", "rollback_loses_generated_rows"),
    ], answer
    assert answer["details"]["untried"] == {"007": ["003"]}
    rows = {version: one["rows"] for version, one in answer["details"]["proven_on"].items()}
    assert rows["002"] == rows["006"] == 5, rows
    assert 'syntax error at or near "TABLEX"' in answer["msg"]


def test_where_none_can_be_begun_preflight_says_so(runs: StepRuns) -> None:
    for path in (runs.sql_dir / "migrations").iterdir():
        path.write_text("CREATE TABLEX a (i int);")
    answer = runs.another("rehearse", "all").step("preflight")
    assert answer["reason_code"] == "script_syntax_error"
    assert answer["msg"].startswith("The scripts have 2 faults")
