# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Salvage through the steps of real runs: receipts, privileges, consents; what it keeps is tested by itself."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.production.apply import ApplyHooks

from tests.integration.step_runs import StepRuns

STAR = {
    "migrations__002_author": "CREATE TABLE star (id serial PRIMARY KEY, mark text);",
    "rollback__002_author_rollback": "DROP TABLE star;",
}

PRIVILEGES = "SELECT acl::text FROM pg_class, unnest(relacl) AS acl WHERE oid = 'star'::regclass ORDER BY 1"


def deploy(runs: StepRuns, **options: Any) -> dict[str, Any]:
    """Deploy 002; the outputs of apply for it."""
    run = runs.another()
    run.up_to("verify_restore")
    run.must("rehearse", **options)
    (applied,) = run.must("apply", **options)["outputs"]["migrations"]
    run.steps("verify", "smoke_test")
    run.conclude("deployed")
    return applied


def roll_back(runs: StepRuns) -> list[dict[str, Any]]:
    """Roll 002 back by hand; what was kept."""
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    run.must("backup", purpose="emergency", pg_bindir=run.server.bindir)
    (taken_back,) = run.must("emergency_rollback")["outputs"]["migrations"]
    run.steps("smoke_test")
    run.conclude("rolled_back")
    return taken_back["salvage"]


def test_rows_and_privileges_come_back_twice(runs: StepRuns) -> None:
    """The second time too: what came back is again what users had beyond the migration."""
    runs.write(**STAR)
    deploy(runs)
    runs.execute(
        "DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "INSERT INTO star (mark) VALUES ('a'), (NULL)",
        "GRANT SELECT, INSERT ON star TO reader WITH GRANT OPTION",
        "GRANT SELECT ON star TO PUBLIC",
    )
    rows = runs.ask("SELECT * FROM star ORDER BY id")
    privileges = runs.ask(PRIVILEGES)
    for _ in range(2):
        kept = roll_back(runs)
        assert {item["kind"]: item["rows"] for item in kept} == {
            "privileges": 2,
            "dropped table": 2,
            "sequence": 1,
        }
        (receipt,) = runs.ask(
            "SELECT document FROM runbook.receipt WHERE step = 'emergency_rollback' ORDER BY position DESC LIMIT 1"
        )
        assert json.loads(receipt[0])["outputs"]["salvage"] == kept, "the receipt has the digests"
        returned = deploy(runs)["salvage_returned"]
        assert sum(item["held_back"] for item in returned) == 0
        assert runs.ask("SELECT * FROM star ORDER BY id") == rows
        assert runs.ask(PRIVILEGES) == privileges
    runs.execute("DROP OWNED BY reader", "DROP ROLE reader")


def test_salvage_stays_where_it_is_not_wanted(runs: StepRuns) -> None:
    runs.write(**STAR)
    deploy(runs)
    runs.execute("INSERT INTO star (mark) VALUES ('a')")
    roll_back(runs)
    assert deploy(runs, restore_salvage=False)["salvage_returned"] == []
    assert runs.ask("SELECT count(*) FROM star") == [(0,)]
    status = runs.another("status").step("status")["outputs"]
    assert [(item["migration"], item["kind"], item["rows"]) for item in status["salvage"]] == [
        ("002", "dropped table", 1),
        ("002", "sequence", 1),
    ]


def test_verify_scripts_look_at_the_migrations_work_and_smoke_tests_at_all(runs: StepRuns) -> None:
    """With users' rows in it a new table is no longer as the migration made it, and need not be."""
    runs.write(**STAR, verify__002_author="SELECT count(*) = 0 FROM star;")
    deploy(runs)
    runs.execute("INSERT INTO star (mark) VALUES ('a')")
    roll_back(runs)
    assert deploy(runs)["salvage_returned"]
    assert runs.ask("SELECT mark FROM star") == [("a",)]
    roll_back(runs)
    runs.write(
        smoke__star="DO $$ BEGIN IF to_regclass('star') IS NOT NULL THEN"
        " IF EXISTS (SELECT FROM star) THEN RAISE 'a star'; END IF; END IF; END $$;"
    )
    run = runs.another()
    run.up_to("verify_restore")
    answer = run.step("rehearse")
    assert (answer["failed"], answer["outcome"]) == (True, "refused"), (
        "found on the copy, where it comes back first"
    )
    assert "smoke/star.sql" in answer["msg"]


@pytest.mark.parametrize("head", ["", "-- Transaction: none\n"], ids=["one transaction", "one by one"])
def test_a_verify_script_that_fails_in_production_is_noticed_where_salvage_returns(
    runs: StepRuns, head: str
) -> None:
    runs.write(**{name: head + text for name, text in STAR.items()})
    deploy(runs)
    runs.execute("INSERT INTO star (mark) VALUES ('a')")
    roll_back(runs)
    runs.write(
        verify__002_author=f"SELECT current_database() <> '{runs.database}' AND count(*) = 0 FROM star;"
    )
    run = runs.another()
    run.up_to("rehearse")
    answer = run.step("apply")
    assert (answer["failed"], answer["outcome"]) == (True, "failed" if head else "unchanged")
    assert "verify/002_author.sql line 1: the check returned false" in answer["msg"]
    if head:
        # What failed is taken back, as after any failed deploy; what users had was not brought back to it.
        assert answer["committed"] == ["002"]
        assert runs.ask("SELECT count(*) FROM star") == [(0,)]
        run.must("backup", purpose="emergency", automatic=True, pg_bindir=run.server.bindir)
        run.must("emergency_rollback", automatic=True)
    run.conclude("failed")
    runs.write(verify__002_author="SELECT count(*) = 0 FROM star;")
    returned = deploy(runs)["salvage_returned"]
    assert ("dropped table", 1, 0) in {(one["kind"], one["returned"], one["held_back"]) for one in returned}
    assert runs.ask("SELECT mark FROM star") == [("a",)]


@pytest.mark.parametrize("head", ["", "-- Transaction: none\n"], ids=["one transaction", "one by one"])
def test_the_receipts_name_the_verify_scripts_that_were_run(runs: StepRuns, head: str) -> None:
    verify = "verify/002_author.sql"
    runs.write(**{name: head + text for name, text in STAR.items()})
    runs.write(verify__002_author="SELECT count(*) = 0 FROM star;")
    first = runs.another()
    first.up_to("apply")
    assert first.must("verify")["outputs"]["verify_scripts"] == [verify]
    first.steps("smoke_test")
    first.conclude("deployed")
    runs.execute("INSERT INTO star (mark) VALUES ('a')")
    roll_back(runs)
    run = runs.another()
    (applied,) = run.up_to("apply")["outputs"]["migrations"]
    assert applied["verified"] == [verify]
    outputs = run.must("verify")["outputs"]
    assert (outputs["verify_scripts"], outputs["verified_before_salvage_returned"]) == ([], [verify])


def test_a_verify_script_that_apply_does_not_name_is_run(
    runs: StepRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apply of an earlier release, say: nobody has seen the script hold."""
    runs.write(**STAR, verify__002_author="SELECT count(*) = 0 FROM star;")
    deploy(runs)
    runs.execute("INSERT INTO star (mark) VALUES ('a')")
    roll_back(runs)
    run = runs.another()
    outputs = ApplyHooks.outputs
    monkeypatch.setattr(ApplyHooks, "outputs", lambda *arguments: {**outputs(*arguments), "verified": []})
    run.up_to("apply")
    assert "verify/002_author.sql line 1: the check returned false" in run.step("verify")["msg"]


ONE_BY_ONE = {
    "migrations__002_author": "CREATE TABLE star (id int PRIMARY KEY, mark text); ALTER TABLE notes ADD author text;"
    " CREATE INDEX notes_author ON notes (author); UPDATE notes SET body = upper(body);",
    "rollback__002_author_rollback": "DROP INDEX CONCURRENTLY notes_author;\nUPDATE star SET mark = 'gone';\n"
    "UPDATE notes SET body = lower(body);\nALTER TABLE notes DROP COLUMN author;\nDELETE FROM star WHERE id = 2;\n"
    "DROP TABLE star;\nVACUUM notes;",
    "verify__002_author": "SELECT count(*) = 0 FROM star;",
}
WRITES = (
    "INSERT INTO star VALUES (1, 'a'), (2, NULL)",
    "UPDATE notes SET author = 'ada', body = 'MiXed' WHERE id = 1",
    "INSERT INTO notes (body) VALUES ('New')",
    "GRANT SELECT ON star TO PUBLIC",
)
CONTENT = "SELECT id, body, author FROM notes ORDER BY id"


def test_a_rollback_whose_statements_commit_one_by_one_loses_nothing(runs: StepRuns) -> None:
    runs.write(**ONE_BY_ONE)
    deploy(runs)
    runs.execute(*WRITES)
    notes = runs.ask(CONTENT)
    kept = roll_back(runs)
    assert {item["kind"]: item["rows"] for item in kept} == {
        "dropped table": 2,
        "changed rows": 2,
        "privileges": 1,
    }
    (receipt,) = runs.ask(
        "SELECT document FROM runbook.receipt WHERE step = 'emergency_rollback' ORDER BY position DESC LIMIT 1"
    )
    assert json.loads(receipt[0])["outputs"]["salvage"] == kept, "the receipt has the digests"
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
    assert runs.ask(CONTENT) == notes
    assert any(privilege.startswith("=r/") for (privilege,) in runs.ask(PRIVILEGES))


@pytest.mark.parametrize("line", range(1, 8))
def test_a_rollback_killed_at_any_statement_is_finished_and_loses_nothing(runs: StepRuns, line: int) -> None:
    """With SIGKILL: between parts, and in the transaction of the one that changes rows."""
    runs.write(**ONE_BY_ONE)
    deploy(runs)
    runs.execute(*WRITES)
    notes = runs.ask(CONTENT)
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    run.must("backup", purpose="emergency", pg_bindir=run.server.bindir)
    kill_at_line(run, line)
    run.must("emergency_rollback")
    run.steps("smoke_test")
    run.conclude("rolled_back")
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
    assert runs.ask(CONTENT) == notes
    assert runs.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]


def kill_at_line(run: StepRuns, line: int) -> None:
    """Start the rollback and kill it with SIGKILL while it waits for its journal entry of this line.

    Another session holds the entry's number: it is written before the statement, in its transaction if it has one.
    """
    with contextlib.closing(run.server.connect(run.database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(journal_id), 0) + 1 FROM runbook.journal")
        (journal,) = cursor.fetchone()
        # An exclusion by the primary key: an insert of the same key waits for the end of this transaction.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO runbook.journal_statement (journal_id, ordinal, line, sha256) VALUES (%s, %s, %s, '')",
            (journal, line, line),
        )
        process = run.start("emergency_rollback")
        try:
            with contextlib.closing(run.server.connect(run.database)) as watcher:
                watcher.autocommit = True
                asking = watcher.cursor()
                waiting = False
                while not waiting and process.poll() is None:
                    asking.execute(
                        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)))",
                        (other.get_backend_pid(),),
                    )
                    (waiting,) = asking.fetchone()
                assert waiting, process.stdout.read()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        other.rollback()


def test_it_comes_back_to_a_migration_that_is_not_one_transaction(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE star (id int PRIMARY KEY, mark text);\n"
        "CREATE INDEX CONCURRENTLY star_mark ON star (mark);",
        rollback__002_author_rollback="DROP TABLE star;",
        verify__002_author="SELECT count(*) = 0 FROM star;",
    )
    deploy(runs)
    runs.execute("INSERT INTO star VALUES (1, 'a')")
    roll_back(runs)
    assert [item["returned"] for item in deploy(runs)["salvage_returned"]] == [1]
    assert runs.ask("SELECT * FROM star") == [(1, "a")]


EVERY_KIND = {
    "migrations__002_author": "CREATE SCHEMA shelf; CREATE TYPE shelf.mood AS ENUM ('sad', 'glad');"
    " CREATE DOMAIN shelf.mark AS text; CREATE TYPE shelf.pair AS (a int, b int);"
    " CREATE TABLE shelf.star (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mark text, mood shelf.mood);"
    " CREATE VIEW shelf.seen AS SELECT id FROM shelf.star; CREATE SEQUENCE shelf.ticket;"
    " CREATE FUNCTION shelf.one(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';"
    " CREATE PROCEDURE shelf.nothing() LANGUAGE sql AS 'SELECT 1';"
    " GRANT SELECT, INSERT ON shelf.star TO PUBLIC;",
    "rollback__002_author_rollback": "DROP SCHEMA shelf CASCADE;",
}

GRANTS = (
    "GRANT USAGE ON SCHEMA shelf TO reader",
    "GRANT SELECT (mark), UPDATE (mark) ON shelf.star TO reader WITH GRANT OPTION",
    "REVOKE INSERT ON shelf.star FROM PUBLIC",
    "GRANT SELECT ON shelf.seen TO reader",
    "GRANT USAGE ON SEQUENCE shelf.ticket, shelf.star_id_seq TO reader",
    "REVOKE EXECUTE ON FUNCTION shelf.one(int, text) FROM PUBLIC",
    "GRANT EXECUTE ON PROCEDURE shelf.nothing() TO reader",
    "REVOKE USAGE ON TYPE shelf.mood FROM PUBLIC",
    "GRANT USAGE ON TYPE shelf.mood, shelf.pair TO reader",
    "GRANT USAGE ON DOMAIN shelf.mark TO reader WITH GRANT OPTION",
)

ALL_PRIVILEGES = """
    SELECT 'relation', relname::text, acl::text FROM pg_class, unnest(relacl) acl
    WHERE relnamespace = 'shelf'::regnamespace
    UNION ALL SELECT 'column', attname, acl::text FROM pg_attribute, unnest(attacl) acl
    WHERE attrelid = 'shelf.star'::regclass
    UNION ALL SELECT 'function', proname, acl::text FROM pg_proc, unnest(proacl) acl
    WHERE pronamespace = 'shelf'::regnamespace
    UNION ALL SELECT 'type', typname, acl::text FROM pg_type, unnest(typacl) acl
    WHERE typnamespace = 'shelf'::regnamespace
    UNION ALL SELECT 'schema', nspname, acl::text FROM pg_namespace, unnest(nspacl) acl WHERE nspname = 'shelf'
    ORDER BY 1, 2, 3"""


def test_privileges_of_every_kind_come_back_and_those_taken_away_do_not(runs: StepRuns) -> None:
    runs.write(**EVERY_KIND)
    deploy(runs)
    runs.execute("DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$", *GRANTS)
    privileges = runs.ask(ALL_PRIVILEGES)
    roll_back(runs)
    returned = deploy(runs)["salvage_returned"]
    assert [item for item in returned if item["held_back"]] == []
    assert runs.ask(ALL_PRIVILEGES) == privileges
    runs.execute("DROP OWNED BY reader", "DROP ROLE reader")


def test_labels_that_people_added_come_back_with_the_values_that_need_them(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TYPE mood AS ENUM ('sad', 'glad');"
        " CREATE TABLE felt (id int PRIMARY KEY, mood mood);",
        rollback__002_author_rollback="DROP TABLE felt; DROP TYPE mood;",
    )
    deploy(runs)
    for label in ("'numb' BEFORE 'sad'", "'it''s fine' AFTER 'sad'", "'so so' AFTER 'it''s fine'"):
        runs.execute(f"ALTER TYPE mood ADD VALUE {label}")
    runs.execute("INSERT INTO felt VALUES (1, 'glad'), (2, 'it''s fine'), (3, 'numb'), (4, 'so so')")
    rows = runs.ask("SELECT * FROM felt ORDER BY mood")
    for _ in range(2):
        kept = roll_back(runs)
        assert {item["kind"]: item["rows"] for item in kept} == {"enum labels": 3, "dropped table": 4}
        returned = deploy(runs)["salvage_returned"]
        assert [item for item in returned if item["held_back"]] == []
        assert runs.ask("SELECT * FROM felt ORDER BY mood") == rows


def test_a_label_that_somebody_renamed_refuses_the_rollback(runs: StepRuns) -> None:
    runs.write(
        migrations__002_author="CREATE TYPE mood AS ENUM ('sad', 'glad');",
        rollback__002_author_rollback="DROP TYPE mood;",
    )
    deploy(runs)
    runs.execute("ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'")
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    run.must("backup", purpose="emergency", pg_bindir=run.server.bindir)
    answer = run.step("emergency_rollback")
    assert "enum public.mood: the migration made it, and its labels changed since" in answer["msg"]


APPLIED_ONE_BY_ONE = {
    "migrations__002_author": "UPDATE notes SET body = upper(body);\n"
    "CREATE INDEX CONCURRENTLY notes_body ON notes (body);",
    "rollback__002_author_rollback": "DROP INDEX notes_body;\nUPDATE notes SET body = lower(body);",
}


def test_a_migration_that_is_not_one_transaction_overwrites_nobodys_row(runs: StepRuns) -> None:
    runs.write(**APPLIED_ONE_BY_ONE)
    deploy(runs)
    runs.execute("UPDATE notes SET body = 'MiXed' WHERE id IN (1, 3)")
    roll_back(runs)
    runs.execute("UPDATE notes SET body = 'since' WHERE id = 1")
    (returned,) = deploy(runs)["salvage_returned"]
    assert (returned["returned"], returned["reasons"]) == (
        1,
        {"nothing in its row is as it was: another row may have its key by now": 1},
    )
    assert runs.ask("SELECT body FROM notes WHERE id <> 2 ORDER BY id") == [("SINCE",), ("MiXed",)]


def test_its_rehearsal_puts_it_back_too(runs: StepRuns) -> None:
    runs.write(**APPLIED_ONE_BY_ONE)
    deploy(runs)
    runs.execute("UPDATE notes SET body = 'MiXed' WHERE id = 1")
    roll_back(runs)
    runs.write(smoke__mixed="SELECT NOT EXISTS (SELECT FROM notes WHERE body = 'MiXed');")
    run = runs.another()
    run.up_to("verify_restore")
    answer = run.step("rehearse")
    assert (answer["failed"], answer["outcome"]) == (True, "refused"), (
        "found on the copy, and not in production"
    )
    assert "smoke/mixed.sql" in answer["msg"]


def test_untouched_rows_of_a_migration_that_is_no_longer_one_transaction(runs: StepRuns) -> None:
    """The first deploy was one, so that its rollback noted which rows it left alone."""
    apply = "ALTER TABLE notes ADD old text;\nUPDATE notes SET old = body, body = lower(body);\n"
    runs.write(
        migrations__002_author=apply,
        rollback__002_author_rollback="UPDATE notes SET body = old WHERE old IS NOT NULL;\n"
        "ALTER TABLE notes DROP COLUMN old;",
    )
    deploy(runs)
    runs.execute("INSERT INTO notes (body) VALUES ('MiXed')")
    roll_back(runs)
    runs.write(migrations__002_author="-- Transaction: none\n" + apply)
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT body FROM notes ORDER BY id DESC LIMIT 1") == [("MiXed",)]


CHANGING_ROWS = (
    "UPDATE star SET mark = 'gone';\nUPDATE notes SET body = lower(body);\nALTER TABLE notes DROP COLUMN author;\n"
    "DROP TABLE star;\n"
)


def roll_back_while_locked(
    runs: StepRuns, table: str, apply: str, rollback: str
) -> tuple[StepRuns, dict[str, Any]]:
    """The run and what its rollback answers while another session keeps a table to itself."""
    runs.write(migrations__002_author=apply, rollback__002_author_rollback=rollback)
    deploy(runs)
    runs.execute(*WRITES)
    run = runs.another("emergency_rollback")
    run.steps("preflight")
    run.must("backup", purpose="emergency", pg_bindir=run.server.bindir)
    with contextlib.closing(run.server.connect(run.database)) as other:
        other.cursor().execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        return run, run.step("emergency_rollback", lock_attempts=1, lock_timeout_seconds=0.2)


def test_a_rollback_whose_first_statement_fails_has_not_begun(runs: StepRuns) -> None:
    _, answer = roll_back_while_locked(
        runs, "star", ONE_BY_ONE["migrations__002_author"], CHANGING_ROWS + "VACUUM notes;"
    )
    assert (answer["failed"], answer["outcome"]) == (True, "unchanged")
    assert (
        "The rollback of 002 did not begin, so that it is still applied: No lock after 1 attempts"
        in answer["msg"]
    )
    assert runs.ask("SELECT count(*) FROM runbook.journal") == [(0,)]
    assert runs.ask("SELECT count(*) FROM runbook_salvage.manifest") == [(0,)]


def test_a_rollback_that_stops_half_way_says_what_to_type(runs: StepRuns) -> None:
    # Of a deploy that is not one transaction either it is not known which tables it wrote to.
    apply = "-- Transaction: none\n" + ONE_BY_ONE["migrations__002_author"]
    run, answer = roll_back_while_locked(runs, "notes", apply, "VACUUM star;\n" + CHANGING_ROWS)
    assert answer["failed"]
    assert "1 of 5 statements are committed and stay so" in answer["msg"]
    assert "run emergency_rollback.yml for the same migration again" in answer["msg"]
    (taken_back,) = run.must("emergency_rollback")["outputs"]["migrations"]
    assert {item["kind"]: item["rows"] for item in taken_back["salvage"]}["changed rows"] == 2
    run.steps("smoke_test")
    run.conclude("rolled_back")
    returned = deploy(runs)["salvage_returned"]
    assert sum(item["held_back"] for item in returned) == 0
    assert runs.ask("SELECT * FROM star ORDER BY id") == [(1, "a"), (2, None)]
