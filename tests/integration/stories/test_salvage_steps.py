# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Salvage through the steps of real runs: receipts, privileges, consents; what it keeps is tested by itself."""

from __future__ import annotations

import json

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.production.apply import ApplyHooks

from tests.integration.salvage.salvage_runs import PRIVILEGES, deploy, roll_back
from tests.integration.step_runs import StepRuns

STAR = {
    "migrations__002_author": "CREATE TABLE star (id serial PRIMARY KEY, mark text);",
    "rollback__002_author_rollback": "DROP TABLE star;",
}


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
    run = runs.another("emergency_rollback").up_to_rollback()
    answer = run.step("emergency_rollback")
    assert "enum public.mood: the migration made it, and its labels changed since" in answer["msg"]
