# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every script begins in the same session, on the copy as in production, and leaves none of it to what follows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.production.applied import VERSIONS, applied
from tests.integration.production.there_and_back import back, there
from tests.integration.step_runs import StepRuns

APPLY = "ALTER TABLE public.notes ADD COLUMN author text;"
ROLLBACK = "ALTER TABLE public.notes DROP COLUMN author;"

#: What a script does to its session beside its work.
LEAVES = {
    "search_path": "SET search_path = app;",
    "the head of a dump": "SET statement_timeout = 0; SET lock_timeout = 0; SET client_encoding = 'UTF8';"
    " SELECT pg_catalog.set_config('search_path', '', false); SET row_security = off;",
    "another role": "SET ROLE session_guest;",
    "another user": "SET SESSION AUTHORIZATION session_guest;",
    "no triggers": "SET session_replication_role = replica;",
    "a temporary table": "CREATE TEMPORARY TABLE work AS SELECT 1 AS one; CREATE INDEX ON work (one);",
    "temporary objects": "CREATE TEMPORARY SEQUENCE s; CREATE TYPE pg_temp.pair AS (a int, b int);"
    " CREATE FUNCTION pg_temp.f() RETURNS pg_temp.pair LANGUAGE sql AS 'SELECT 1, 2';"
    " CREATE DOMAIN pg_temp.d AS int; CREATE TEMPORARY VIEW v AS SELECT 1;",
    "a prepared statement": "PREPARE p AS SELECT 1;",
    "a cursor": "DECLARE c CURSOR WITH HOLD FOR SELECT 1;",
    "an open cursor on a temporary table": "CREATE TEMPORARY TABLE work AS SELECT 1; DECLARE c CURSOR FOR TABLE work;",
    "a client encoding": "SET client_encoding = 'LATIN1'; COMMENT ON TABLE public.notes IS 'Größe';",
    "styles": "SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'; SET bytea_output = escape;"
    " SET IntervalStyle = iso_8601; SET extra_float_digits = -15; SET standard_conforming_strings = off;",
    "a temporary record of versions": "CREATE TEMPORARY TABLE schema_migrations (version text);",
}


@pytest.fixture
def guests(runs: StepRuns) -> Iterator[StepRuns]:
    runs.execute(
        "CREATE SCHEMA app",
        "DROP ROLE IF EXISTS session_guest",
        "CREATE ROLE session_guest SUPERUSER",
        "COMMENT ON TABLE notes IS 'before'",
    )
    yield runs
    runs.execute("DROP ROLE session_guest")


@pytest.mark.parametrize("leaves", LEAVES)
def test_what_a_script_leaves_decides_nothing_of_what_follows(guests: StepRuns, leaves: str) -> None:
    guests.write(
        migrations__002_author=LEAVES[leaves] + APPLY,
        rollback__002_author_rollback=f"{LEAVES[leaves]} {ROLLBACK} COMMENT ON TABLE public.notes IS 'before';",
        verify__002_author="SELECT current_user = session_user AND current_user <> 'session_guest',"
        " current_user; SELECT to_regclass('work') IS NULL; SELECT count(author) = 0 FROM notes;"
        " SELECT current_setting('session_replication_role') = 'origin';",
    )
    there(guests)
    assert applied(guests)
    if "client encoding" in leaves:
        assert guests.ask("SELECT obj_description('notes'::regclass)") == [("Größe",)]
    back(guests)
    assert guests.ask(VERSIONS) == [("001",)]
    assert guests.ask("SELECT count(*) FROM pg_class WHERE relname = 'schema_migrations'") == [(1,)]


NEEDS = {
    "search_path": ("SET search_path = app; ALTER TABLE t ADD b int;", "ALTER TABLE t DROP b;"),
    "a temporary table": (
        "CREATE TEMPORARY TABLE work AS SELECT 1 AS one; ALTER TABLE app.t ADD b int;",
        "SELECT one FROM work; ALTER TABLE app.t DROP b;",
    ),
    "a prepared statement": (
        "PREPARE p AS SELECT 1; ALTER TABLE app.t ADD b int;",
        "EXECUTE p; ALTER TABLE app.t DROP b;",
    ),
    "a setting of its own": (
        "SET own.name = 't'; ALTER TABLE app.t ADD b int;",
        "DO $$ BEGIN EXECUTE format('ALTER TABLE app.%I DROP b', current_setting('own.name')); END $$;",
    ),
}


@pytest.mark.parametrize("what", NEEDS)
def test_a_rollback_that_lives_on_what_its_migration_left_is_not_proven(runs: StepRuns, what: str) -> None:
    """In production it would come days later, in a session of its own."""
    runs.execute("CREATE SCHEMA app", "CREATE TABLE app.t (a int)")
    apply, rollback = NEEDS[what]
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=rollback)
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "statement_failed")
    assert "rollback/002_author_rollback.sql line 1" in answer["msg"]


def test_migrations_of_one_run_have_a_session_each(runs: StepRuns) -> None:
    """So that nothing is left either of what a transaction cannot take back, as a lock of the session."""
    is_free = (
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
        " AND objid = 4711) THEN RAISE 'left by another migration'; END IF; END $$;"
    )
    work = f"{is_free} SELECT pg_advisory_lock(4711);"
    runs.write(
        migrations__002_author=f"{work} {APPLY}",
        rollback__002_author_rollback=f"{work} {ROLLBACK}",
        migrations__003_editor=f"{work} ALTER TABLE notes ADD editor text;",
        rollback__003_editor_rollback=f"{work} ALTER TABLE notes DROP editor;",
    )
    run = runs.another(wanted="pending")
    assert len(run.up_to("apply")["outputs"]["migrations"]) == 2
    run.steps("verify", "smoke_test")
    run.conclude()


def test_a_second_record_of_versions_is_refused_on_the_copy(runs: StepRuns, admin: StepRuns) -> None:
    runs.execute("CREATE SCHEMA app")
    admin.execute(f"ALTER DATABASE {runs.database} SET search_path = app, public")
    runs.write(
        migrations__002_author=f"CREATE TABLE schema_migrations (version text); {APPLY}",
        rollback__002_author_rollback=f"DROP TABLE app.schema_migrations; {ROLLBACK}",
    )
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "version_table_hidden")
    assert "recorded in public.schema_migrations" in answer["msg"]
    assert "leads to app.schema_migrations instead" in answer["msg"]


FREEZE = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''versions are frozen''; END'"
FROZEN = {
    "at once": "CREATE TRIGGER no BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION no()",
    # The runbook has set all constraints immediate by then, so that this one has to be deferred again.
    "at COMMIT": "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN new; END';"
    " CREATE TRIGGER wait BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION wait();"
    " CREATE CONSTRAINT TRIGGER no AFTER INSERT ON schema_migrations DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION no()",
}


@pytest.mark.parametrize("when", FROZEN)
def test_an_error_after_the_last_statement_on_the_copy_names_migration_and_script(
    runs: StepRuns, when: str
) -> None:
    runs.execute(FREEZE, FROZEN[when])
    runs.up_to("verify_restore")
    answer = runs.step("rehearse")
    assert (answer["outcome"], answer["reason_code"]) == ("refused", "postgresql_error")
    assert answer["msg"] == (
        "Migration 002 fails on the copy: after the last statement of migrations/002_author.sql: versions are frozen."
        " Production was not touched."
    )


def test_a_limit_that_a_script_lifts_holds_and_is_noted_on_the_copy_already(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="SET lock_timeout = 0;"
        " DO $$ BEGIN ASSERT current_setting('lock_timeout') <> '0'; END $$;"
        " ALTER TABLE notes ADD COLUMN author text;"
    )
    (rehearsed,) = runs.up_to("rehearse")["outputs"]["migrations"]
    (done,) = runs.must("apply")["outputs"]["migrations"]
    for where in (rehearsed, done):
        assert [one.get("limits_lifted") for one in where["statements"]] == [["lock_timeout = 0"], None, None]
