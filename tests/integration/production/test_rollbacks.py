# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks in production: what they give back, and what is undone."""

from __future__ import annotations

import contextlib
import re

import pytest

from tests.integration.production.applied import AUTHOR, VERSIONS
from tests.integration.step_runs import StepRuns


def deployed(runs: StepRuns, wanted: str) -> StepRuns:
    return runs.another(wanted=wanted).deploy()


def rollback(runs: StepRuns, wanted: str) -> StepRuns:
    one = runs.another("emergency_rollback", wanted)
    one.steps("preflight")
    answer = one.step("backup", purpose="emergency")
    assert not answer.get("failed"), answer
    return one


@pytest.fixture
def two_deployed(runs: StepRuns) -> StepRuns:
    runs.write(
        migrations__003_tag="-- Requires: 001\nCREATE TABLE tag (name text); ALTER TABLE notes ADD COLUMN tag text;",
        rollback__003_tag_rollback="ALTER TABLE notes DROP COLUMN tag; DROP TABLE tag;",
    )
    deployed(runs, "002")
    deployed(runs, "003")
    return runs


def test_rollback_with_a_later_independent_migration_in_place(two_deployed: StepRuns) -> None:
    runs = two_deployed
    runs.execute("UPDATE notes SET author = 'ada', tag = 'kept'")
    answer = rollback(runs, "002").step("emergency_rollback")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["schema_restored"] is True
    assert runs.ask(VERSIONS) == [("001",), ("003",)]
    assert runs.ask(AUTHOR) == []
    assert runs.ask("SELECT DISTINCT tag FROM notes") == [("kept",)]


def test_rollback_needs_no_script_that_it_does_not_run(two_deployed: StepRuns) -> None:
    """Its own migration's apply script is broken as well, one that is applied, and one that is not."""
    runs = two_deployed
    runs.write(
        migrations__003_tag="-- Risk Level: none at all\nCREATE TABLE tag (name text);",
        migrations__004_next="-- Requires: 999\nSELECT 1;",
        migrations__005_last="-- Requires: 006\nSELECT 1;",
        migrations__006_circle="-- Requires: 005\nSELECT 1;",
        verify__003_tag="SELEC true;",
    )
    (runs.sql_dir / "migrations" / "002_author.sql").write_bytes(b"ALTER TABLE notes \xff;")
    (runs.sql_dir / "migrations" / "odd name.sql").write_text("SELECT 1;", encoding="utf-8")
    answer = rollback(runs, "002").step("emergency_rollback")
    assert not answer.get("failed"), answer
    assert answer["outputs"]["migrations"][0]["schema_restored"] is True
    assert runs.ask(VERSIONS) == [("001",), ("003",)]
    unusable = runs.step("status")["outputs"]["unusable"]
    assert [re.search(r"\d\d\d_\w+", problem)[0] for problem in unusable] == [
        "002_author",
        "003_tag",
        "004_next",
    ]


def test_rollback_needs_its_own_script(two_deployed: StepRuns) -> None:
    runs = two_deployed
    (runs.sql_dir / "rollback" / "002_author_rollback.sql").write_bytes(b"\xff")
    answer = runs.another("emergency_rollback", "002").step("preflight")
    assert answer["outcome"] == "refused"
    assert "rollback/002_author_rollback.sql" in answer["msg"]


def test_rollback_that_would_undo_a_later_change_is_undone(two_deployed: StepRuns) -> None:
    runs = two_deployed
    runs.execute("ALTER TABLE notes ALTER COLUMN author SET DEFAULT 'nobody'")
    answer = rollback(runs, "002").step("emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "What 002 made was changed after its deploy" in answer["msg"]
    assert runs.ask(AUTHOR)
    assert ("002",) in runs.ask(VERSIONS)


def test_rollback_that_leaves_something_behind_is_undone(two_deployed: StepRuns) -> None:
    runs = two_deployed
    runs.write(
        rollback__002_author_rollback="ALTER TABLE notes DROP COLUMN author; CREATE TABLE left_behind ();"
    )
    one = runs.another("emergency_rollback", "002")
    answer = one.step("preflight", accept_edited_scripts=True)
    assert not answer.get("failed"), answer
    one.step("backup", purpose="emergency")
    answer = one.step("emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "public.left_behind: was not there before" in answer["msg"]
    assert runs.ask("SELECT to_regclass('left_behind')") == [(None,)]
    assert runs.ask(AUTHOR)


def test_rollback_that_would_make_the_next_insert_collide_is_undone(runs: StepRuns) -> None:
    """Sound when it was rehearsed, and no more once people have written rows."""
    runs.write(
        migrations__002_author="CREATE TABLE tag (id int);",
        rollback__002_author_rollback="DROP TABLE tag; SELECT setval('notes_id_seq', 3);",
    )
    deployed(runs, "002")
    runs.execute("INSERT INTO notes (body) VALUES ('four')")
    answer = rollback(runs, "002").step("emergency_rollback")
    assert answer["outcome"] == "unchanged"
    assert "002 is still applied: after it sequence public.notes_id_seq would give 4 next" in answer["msg"]
    assert runs.ask("SELECT to_regclass('tag') IS NOT NULL, nextval('notes_id_seq')") == [(True, 5)]


def test_the_rollback_of_a_failed_deploy_takes_back_what_was_committed(runs: StepRuns) -> None:
    runs.up_to("apply")
    runs.execute("INSERT INTO notes (body, author) VALUES ('new', 'ada')")
    assert not runs.step("backup", purpose="emergency", automatic=True).get("failed")
    answer = runs.step("emergency_rollback", automatic=True)
    assert not answer.get("failed"), answer
    assert runs.ask(AUTHOR) == []
    assert runs.ask(VERSIONS) == [("001",)]
    assert runs.ask("SELECT count(*) FROM notes") == [(4,)], "the row that a user wrote meanwhile stays"


def test_the_rollback_of_a_deploy_that_committed_nothing_does_nothing(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    with contextlib.closing(runs.server.connect(runs.database)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT FROM notes")
        answer = runs.step("apply", lock_timeout_seconds=0.2, lock_attempts=1)
        assert answer["outcome"] == "unchanged"
        # Even where nobody could make a backup: there is nothing to take back.
        cursor.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
        backup = runs.step("backup", purpose="emergency", automatic=True, lock_timeout_seconds=0.2)
    assert not backup.get("failed"), backup
    assert not (runs.backups / runs.run_id / "emergency_backup").exists()
    answer = runs.step("emergency_rollback", automatic=True)
    assert (answer.get("failed", False), answer["outputs"]["migrations"]) == (False, [])


@pytest.fixture
def one_by_one_over_002(runs: StepRuns) -> StepRuns:
    """003 commits statement by statement and needs 002, whose rollback fails where rows forbid it."""
    runs.write(
        rollback__002_author_rollback="DO $$ BEGIN IF EXISTS (SELECT FROM notes WHERE body = 'no') THEN"
        " RAISE 'not with these rows'; END IF; END $$; ALTER TABLE notes DROP COLUMN author;",
        migrations__003_index="-- Requires: 002\nCREATE INDEX CONCURRENTLY by_author ON notes (author);",
        rollback__003_index_rollback="DROP INDEX CONCURRENTLY by_author;",
    )
    deployed(runs, "002")
    deployed(runs, "003")
    runs.execute("UPDATE notes SET body = 'no'")
    return runs


def test_where_the_one_before_has_been_taken_back_production_is_not_unchanged(
    one_by_one_over_002: StepRuns,
) -> None:
    runs = one_by_one_over_002
    one = runs.another("emergency_rollback", "002")
    one.must("preflight", cascade=True)
    one.migration = "pending"  # the plan has the scripts of both
    one.must("backup", purpose="emergency")
    answer = one.step("emergency_rollback")
    assert runs.ask(VERSIONS) == [("001",), ("002",)]
    assert (answer["outcome"], answer["reason_code"]) == ("failed", "statement_failed"), answer
    assert "003 has been taken back, and stays so" in answer["msg"]
    assert "002 was tried and undone, so that it is still applied" in answer["msg"]
