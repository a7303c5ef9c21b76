# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply and rollback in production: what was rehearsed or nothing, also when the answer to COMMIT is lost."""

from __future__ import annotations

import contextlib
import re
import threading
import time

import pytest

from tests.integration.step_runs import StepRuns

AUTHOR = "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'author'"
VERSIONS = "SELECT version FROM schema_migrations ORDER BY 1"


def applied(runs: StepRuns) -> bool:
    """Whether 002 is in place; schema, record and ledger must agree."""
    column, recorded = bool(runs.ask(AUTHOR)), ("002",) in runs.ask(VERSIONS)
    receipts = runs.ask(
        "SELECT FROM runbook.receipt WHERE step = 'apply' AND status = 'ok' AND migration = '002'"
    )
    assert column == recorded == bool(receipts)
    return column


# COMMIT --------------------------------------------------------------------------------------------------


def test_connection_lost_before_commit_took_effect(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    # A deferred trigger runs when COMMIT has begun and has not taken effect. The runbook has set all of them immediate
    # by then, so that this one has to be deferred again.
    runs.execute(
        "CREATE FUNCTION runbook.wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN SET CONSTRAINTS runbook.die DEFERRED; RETURN new; END'",
        "CREATE TRIGGER wait BEFORE INSERT ON runbook.receipt FOR EACH ROW EXECUTE FUNCTION runbook.wait()",
        "CREATE FUNCTION runbook.die() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON runbook.receipt DEFERRABLE INITIALLY DEFERRED"
        ' FOR EACH ROW WHEN (new.document LIKE \'%"status":"ok","step":"apply"%\')'
        " EXECUTE FUNCTION runbook.die()",
    )
    answer = runs.step("apply")
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert "connection was lost at COMMIT and the transaction was rolled back" in answer["msg"]
    assert not applied(runs)
    assert [one["status"] for one in answer["receipts"]] == ["failed"], "the lost receipt is not reported"


def test_connection_lost_after_commit_took_effect(runs: StepRuns) -> None:
    """COMMIT is durable here and waits for a standby that does not exist; then its session is ended."""
    runs.write(
        migrations__002_author="SET LOCAL synchronous_commit = on; ALTER TABLE notes ADD COLUMN author text;"
    )
    runs.execute(f"ALTER DATABASE {runs.database} SET synchronous_commit = local")
    runs.up_to("rehearse")
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    ended = []

    def end_the_waiting_session() -> None:
        deadline = time.monotonic() + 30
        while not ended and time.monotonic() < deadline:
            ended.extend(runs.ask(f"SELECT pid, pg_terminate_backend(pid) FROM ({waiting}) AS w"))
            time.sleep(0.05)

    runs.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    thread = threading.Thread(target=end_the_waiting_session)
    try:
        thread.start()
        answer = runs.step("apply")
    finally:
        runs.execute(
            "SET synchronous_commit = local",
            "ALTER SYSTEM RESET synchronous_standby_names",
            "SELECT pg_reload_conf()",
        )
        thread.join()
    assert ended, "the session was ended while it waited in COMMIT"
    assert not answer.get("failed"), answer
    assert applied(runs)
    assert [one["status"] for one in answer["receipts"]] == ["ok"]
    runs.steps("verify", "smoke_test")


def test_a_controller_killed_after_apply_can_go_on(runs: StepRuns) -> None:
    """Applied twice in one run: the second time the ledger says that it is done."""
    first = runs.up_to("apply")
    again = runs.step("apply")
    assert not again.get("failed"), again
    assert (
        again["outputs"]["migrations"][0]["catalog_after"]
        == first["outputs"]["migrations"][0]["catalog_after"]
    )
    assert applied(runs)


# What production is at that moment -----------------------------------------------------------------------


def test_a_schema_that_changed_since_the_rehearsal_is_not_touched(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.execute("CREATE INDEX made_meanwhile ON notes (body)")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "no longer the one that was rehearsed, so 002 was not applied" in answer["msg"]
    assert "made_meanwhile" in answer["msg"]
    assert not applied(runs)


def test_another_result_than_on_the_copy_is_rolled_back(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author=(
            "ALTER TABLE notes ADD COLUMN author text;"
            " DO $$ BEGIN IF current_database() NOT LIKE 'runbook%' THEN"
            " CREATE INDEX only_in_production ON notes (author); END IF; END $$;"
        )
    )
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "made another schema in production than on the copy" in answer["msg"]
    assert "only_in_production" in answer["msg"]
    assert not applied(runs)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("verify__002_author", "verify/002_author.sql line 1: the check returned false"),
        ("smoke__books", "smoke/books.sql line 1: the check returned false"),
    ],
)
def test_a_check_that_fails_only_in_production_is_rolled_back(
    runs: StepRuns, script: str, reason: str
) -> None:
    runs.write(**{script: "SELECT current_database() LIKE 'runbook%';"})
    runs.up_to("rehearse")
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert reason in answer["msg"]
    assert not applied(runs)


@pytest.mark.parametrize("increment", [1, -1])
def test_a_sequence_that_a_failed_script_set_is_where_it_was(runs: StepRuns, increment: int) -> None:
    """setval() is not undone by ROLLBACK; the next insert of the application would collide."""
    runs.execute(
        f"CREATE SEQUENCE other INCREMENT {increment}", "SELECT nextval('other') FROM generate_series(1, 9)"
    )
    runs.write(
        migrations__002_author=f"ALTER TABLE notes ADD COLUMN author text; SELECT setval('other', {increment}), "
        "setval('notes_id_seq', 1);",
        verify__002_author="SELECT current_database() LIKE 'runbook%';",
    )
    runs.up_to("backup")
    runs.steps("verify_restore", "rehearse")
    assert runs.step("apply")["outcome"] == "unchanged"
    assert not applied(runs)
    assert runs.ask("SELECT nextval('other'), nextval('notes_id_seq')") == [(10 * increment, 4)]


def test_a_statement_that_fails_only_in_production_is_rolled_back(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text;",
    )
    runs.execute(
        "CREATE FUNCTION runbook.no() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''not in production''; END'",
        "CREATE TRIGGER no BEFORE INSERT ON runbook.receipt FOR EACH ROW"
        ' WHEN (new.document LIKE \'%"status":"ok","step":"apply"%\') EXECUTE FUNCTION runbook.no()',
    )
    answer = runs.step("apply")
    assert answer["outcome"] == "unchanged"
    assert "not in production" in answer["msg"]
    assert not applied(runs)


# Rollback ------------------------------------------------------------------------------------------------


def deployed(runs: StepRuns, wanted: str) -> StepRuns:
    one = runs.another(wanted=wanted)
    one.up_to("verify")
    one.steps("smoke_test")
    one.conclude()
    return one


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


# Gates on real receipts ----------------------------------------------------------------------------------


def test_a_step_without_a_run_is_refused(runs: StepRuns) -> None:
    answer = runs.step("apply")
    assert answer["outcome"] == "refused"
    assert "belongs to no run of this database" in answer["msg"]
    assert runs.ask("SELECT to_regnamespace('runbook')") == [(None,)], "a refusal leaves no ledger"


def test_apply_without_rehearsal_is_refused(runs: StepRuns) -> None:
    runs.up_to("verify_restore")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "needs the receipt of step rehearse" in answer["msg"]


def test_other_bytes_of_sql_are_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.write(migrations__002_author="ALTER TABLE notes ADD COLUMN author text; -- edited")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "The apply script of migration 002 was edited after the preflight" in answer["msg"]


def test_an_old_backup_is_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    time.sleep(0.1)
    answer = runs.step("apply", backup_max_age_minutes=0)
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "backup_max_age_minutes allows 0" in answer["msg"]


def test_a_forged_receipt_is_refused(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.execute(
        "UPDATE runbook.receipt SET document = replace(document, '\"ok\"', '\"OK\"') WHERE step = 'backup'"
    )
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "receipt of step backup was changed after it was written" in answer["msg"]


def test_receipts_of_another_database_are_refused(runs: StepRuns) -> None:
    """The database is copied with its ledger in the middle of a run."""
    runs.up_to("rehearse")
    twin = f"{runs.database}_twin"
    admin = StepRuns(runs.server, "postgres", runs.folder)
    admin.execute(f"CREATE DATABASE {twin} TEMPLATE {runs.database}")
    try:
        other = StepRuns(runs.server, twin, runs.folder, run_id=runs.run_id)
        answer = other.step("apply")
        assert (answer["outcome"], other.ask(AUTHOR)) == ("refused", [])
        assert "belongs to another database" in answer["msg"]
    finally:
        admin.execute(f"DROP DATABASE {twin} WITH (FORCE)")


def test_a_finished_run_is_over(runs: StepRuns) -> None:
    runs.up_to("rehearse")
    runs.conclude("failed")
    answer = runs.step("apply")
    assert (answer["outcome"], runs.ask(AUTHOR)) == ("refused", [])
    assert "has ended (failed). Start a new run" in answer["msg"]


def test_an_expired_lease_lets_the_next_run_in(runs: StepRuns) -> None:
    runs.up_to("backup")
    later = runs.another()
    assert "Another run is in progress" in later.step("preflight")["msg"]
    runs.execute("UPDATE runbook.run SET lease_until = clock_timestamp() - interval '1 second'")
    answer = later.step("preflight")
    assert answer["outputs"]["interrupted_run"]["run_id"] == runs.run_id
    assert "has ended (failed)" in runs.step("verify_restore")["msg"], "the interrupted run cannot go on"


def test_a_run_that_was_stopped_after_its_commit_is_named(runs: StepRuns) -> None:
    """The same command again must not only say that there is nothing to do."""
    runs.up_to("apply")
    runs.execute("UPDATE runbook.run SET finished = now(), outcome = 'failed'")
    reason = runs.another().step("preflight")["msg"]
    assert reason.startswith("Migration 002 is already applied: schema_migrations records it.")
    assert f"Run {runs.run_id} applied it, but ended before the smoke tests" in reason
    assert "ansible-playbook emergency_rollback.yml -e migration=002" in reason


def test_a_migration_that_is_applied_and_tested_is_only_that(runs: StepRuns) -> None:
    runs.up_to("verify")
    runs.steps("smoke_test")
    runs.conclude()
    reason = runs.another().step("preflight")["msg"]
    assert reason == "Migration 002 is already applied: schema_migrations records it."
