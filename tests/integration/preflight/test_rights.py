# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every right that a role lacks is named at once, and the commands that are named are all that it needs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.bookkeeping import keep_books_in
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.grants import missing_on_versions
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.owners import (
    Owned,
    owners_of_backup,
)
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.rights import (
    missing_in_production,
    missing_on_copy,
)

from tests.integration.step_runs import StepRuns


@pytest.fixture
def lacking(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """Tables of two owners and of a superuser, a policy that hides rows, and a role that may do nothing."""
    runs.execute(
        "CREATE ROLE deployer LOGIN",
        'CREATE ROLE "App Owner"',
        "CREATE ROLE reports",
        'GRANT ALL ON SCHEMA public TO "App Owner", reports',
        'ALTER TABLE notes OWNER TO "App Owner"',
        'ALTER TABLE schema_migrations OWNER TO "App Owner"',
        "CREATE TABLE monthly (id int)",
        "ALTER TABLE monthly OWNER TO reports",
        "ALTER TABLE monthly ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )
    yield runs
    runs.user = None
    runs.execute(
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
        'DROP OWNED BY deployer, "App Owner", reports CASCADE',
        'DROP ROLE deployer, "App Owner", reports',
    )


@pytest.fixture
def elsewhere(lacking: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """Besides, an index in a tablespace, and large objects: one of an owner, and many of another."""
    admin.execute(
        'DROP TABLESPACE IF EXISTS "Fast disk"',
        "SET allow_in_place_tablespaces = on",
        "CREATE TABLESPACE \"Fast disk\" LOCATION ''",
    )
    lacking.execute(
        'CREATE INDEX ON notes (body) TABLESPACE "Fast disk"',
        "SELECT lo_from_bytea(4711, 'x')",
        'ALTER LARGE OBJECT 4711 OWNER TO "App Owner"',
        "SELECT lo_from_bytea(oid::oid, 'y') FROM generate_series(5001, 5012) AS oid",
        "DO $$BEGIN FOR i IN 5001..5012 LOOP EXECUTE format('ALTER LARGE OBJECT %s OWNER TO reports', i);"
        " END LOOP; END$$",
    )
    yield lacking
    lacking.execute("DROP TABLE notes")
    admin.execute('REVOKE ALL ON TABLESPACE "Fast disk" FROM deployer', 'DROP TABLESPACE "Fast disk"')


def test_all_are_named_at_once_and_mended_by_what_is_named(elsewhere: StepRuns) -> None:
    lacking = elsewhere
    lacking.user = "deployer"
    answer = lacking.another().step("preflight")
    assert (answer["reason_code"], answer["outcome"]) == ("role_lacks_privilege", "refused")
    missing = answer["details"]["missing"]
    assert [sentence.split(" types: ")[1] for sentence in missing] == [
        f'GRANT CREATE ON DATABASE "{lacking.database}" TO "deployer"',
        'GRANT SELECT, INSERT, DELETE ON "public"."schema_migrations" TO "deployer"',
        'GRANT "App Owner" TO "deployer"',
        'GRANT "reports" TO "deployer"',
        'GRANT SELECT ON LARGE OBJECT 4711 TO "deployer"',
        "DO $$BEGIN EXECUTE (SELECT pg_catalog.format('GRANT SELECT ON LARGE OBJECT %s TO %I',"
        " pg_catalog.string_agg(oid::text, ', '), 'deployer') FROM pg_catalog.pg_largeobject_metadata"
        " WHERE pg_catalog.pg_get_userbyid(lomowner) = 'reports'); END$$",
        'ALTER ROLE "deployer" BYPASSRLS',
        'ALTER ROLE "deployer" CREATEDB',
        'GRANT "App Owner" TO "deployer"',
        'GRANT "reports" TO "deployer"',
        'GRANT CREATE ON TABLESPACE "Fast disk" TO "deployer"',
    ]
    assert (
        "large objects 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 5010, and 2 more"
        in answer["msg"]
    )
    assert all(sentence in answer["msg"] for sentence in missing)
    assert lacking.ask("SELECT to_regnamespace('runbook')") == [(None,)]
    for sentence in missing:
        lacking.execute(sentence.split(" types: ")[1])
    lacking.up_to("apply")
    lacking.conclude()
    lacking.execute("UPDATE notes SET author = 'ada' WHERE id = 1")
    lacking.another("emergency_rollback").roll_back()
    again = lacking.another()
    again.up_to("apply")
    again.conclude()
    assert lacking.ask("SELECT author FROM notes WHERE id = 1") == [("ada",)]
    assert lacking.another("status").must("status")["outputs"]["drift"] == []


def test_a_superuser_lacks_nothing(lacking: StepRuns) -> None:
    with (
        contextlib.closing(lacking.server.connect(lacking.database)) as connection,
        connection.cursor() as cursor,
    ):
        assert missing_in_production(cursor) == []
        assert missing_on_copy(cursor, {"App Owner": Owned()}, ["pageinspect"]) == []
        # To whom nothing is wanting, nothing needs to be named.
        assert owners_of_backup(cursor) == {"App Owner": ([], ()), "reports": ([], ())}


def test_nobody_is_made_a_member_of_a_superuser(lacking: StepRuns) -> None:
    lacking.execute(
        "CREATE TABLE of_superuser (id int)",
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
    )
    lacking.user = "deployer"
    missing = lacking.another().step("preflight")["details"]["missing"]
    assert missing[0].endswith('GRANT SELECT ON "public"."of_superuser" TO "deployer"')
    assert "ALTER TABLE ... OWNER TO ..." in missing[1]
    assert f'GRANT "{lacking.server.user}"' not in " ".join(missing)


def test_a_large_object_of_a_superuser_is_to_be_given_away(lacking: StepRuns) -> None:
    lacking.execute(
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "SELECT lo_from_bytea(4711, 'x'), lo_from_bytea(4712, 'y')",
        "GRANT SELECT ON LARGE OBJECT 4712 TO PUBLIC",
    )
    lacking.user = "deployer"
    reading, giving = lacking.another().step("preflight")["details"]["missing"]
    assert reading.endswith('types: GRANT SELECT ON LARGE OBJECT 4711 TO "deployer"')
    assert f"to its owner {lacking.server.user}: large object 4711; large object 4712. " in giving
    lacking.execute(
        'ALTER LARGE OBJECT 4711 OWNER TO "App Owner"', "ALTER LARGE OBJECT 4712 OWNER TO reports"
    )
    lacking.another().must("preflight")


def test_default_privileges_of_a_superuser_are_taken_back_by_what_is_named(lacking: StepRuns) -> None:
    """They can be given to no other owner: ALTER TABLE ... OWNER TO mends nothing."""
    user = lacking.server.user
    lacking.execute(
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO "App Owner"',
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO reports WITH GRANT OPTION",
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        f"ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO {user} WITH GRANT OPTION",
        "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC",
    )
    lacking.user = "deployer"
    answer = lacking.another().step("preflight")
    assert "missing" in answer["details"], answer["msg"]
    (sentence,) = answer["details"]["missing"]
    assert f"may not restore what is granted on objects that {user} will make" in sentence
    commands = sentence.split(" types: ")[1]
    begin = f'ALTER DEFAULT PRIVILEGES FOR ROLE "{user}"'
    assert commands.split("; ") == [
        f'{begin} REVOKE USAGE ON SEQUENCES FROM "reports"',
        f'{begin} REVOKE USAGE ON TYPES FROM "{user}"',
        f'{begin} GRANT USAGE ON TYPES TO "{user}"',
        f"{begin} GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        f"{begin} REVOKE USAGE ON SCHEMAS FROM PUBLIC",
        f'{begin} IN SCHEMA "public" REVOKE INSERT, SELECT ON TABLES FROM "App Owner"',
    ]
    lacking.execute(commands)
    assert lacking.ask("SELECT FROM pg_default_acl") == []
    lacking.another().must("preflight")


def test_whoever_may_read_all_large_objects_lacks_none(lacking: StepRuns) -> None:
    lacking.execute(
        "SELECT lo_from_bytea(4711, 'x')",
        f"ALTER DATABASE {lacking.database} SET lo_compat_privileges = on",
    )
    lacking.user = "deployer"
    assert "GRANT SELECT ON LARGE OBJECT" not in lacking.another().step("preflight")["msg"]


def test_a_member_that_may_not_act_as_an_owner_is_told_what_lets_it(lacking: StepRuns) -> None:
    lacking.execute(
        "ALTER ROLE deployer NOINHERIT CREATEDB BYPASSRLS",
        'GRANT "App Owner" TO deployer',
        "GRANT SELECT, INSERT, DELETE ON schema_migrations, notes TO deployer",
        "GRANT SELECT ON notes_id_seq, monthly TO deployer",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "CREATE SCHEMA closed AUTHORIZATION reports",
        "CREATE TABLE closed.t (id int)",
        "GRANT SELECT ON closed.t TO deployer",
        "ALTER TABLE closed.t OWNER TO reports",
        "ALTER SCHEMA public OWNER TO CURRENT_USER",
    )
    lacking.user = "deployer"
    missing = lacking.another().step("preflight")["details"]["missing"]
    assert missing[0].startswith("Role deployer may not look into schema closed, ")
    (of_superuser,) = (one for one in missing if " types: " not in one)
    assert any(one.endswith('GRANT "App Owner" TO "deployer" WITH INHERIT TRUE, SET TRUE') for one in missing)
    assert f"to its owner {lacking.server.user}: schema public. " in of_superuser
    assert "; ALTER SCHEMA public OWNER TO pg_database_owner)" in of_superuser
    lacking.execute(*(one.split(" types: ")[1] for one in missing if one != of_superuser))
    lacking.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
    lacking.another().must("preflight")


def test_of_a_tools_table_all_is_named_that_the_tool_would_write(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE ROLE of_tool; CREATE TABLE schema_migrations (version bigint, dirty boolean, id serial);"
            " GRANT SELECT ON schema_migrations TO of_tool; SET LOCAL ROLE of_tool"
        )
        try:
            keep_books_in({"tool": "golang", "entries": {}})
            (sentence,) = missing_on_versions(cursor, "of_tool")
        finally:
            keep_books_in({})
    assert sentence.split(" types: ")[1] == (
        'GRANT INSERT, UPDATE, DELETE ON "public"."schema_migrations" TO "of_tool";'
        ' GRANT USAGE ON SEQUENCE "public"."schema_migrations_id_seq" TO "of_tool"'
    )


def test_an_extension_that_only_a_superuser_may_make(lacking: StepRuns) -> None:
    lacking.execute(
        'GRANT "App Owner", reports TO deployer',
        "ALTER ROLE deployer CREATEDB BYPASSRLS",
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "CREATE EXTENSION pageinspect",
        "CREATE VIEW pages AS SELECT * FROM page_header(get_raw_page('notes', 0))",
        'ALTER VIEW pages OWNER TO "App Owner"',
    )
    lacking.user = "deployer"
    answer = lacking.another().step("preflight")
    assert "details" in answer, answer["msg"]
    (missing,) = answer["details"]["missing"]
    assert missing.startswith(
        "Objects of the application depend on extension pageinspect, which is not trusted"
    )
    name = CopyDatabase({}, lacking.run_id).name
    assert lacking.ask(f"SELECT FROM pg_database WHERE datname = '{name}'") == [], "what was tried is gone"
    checked = lacking.another().step("preflight", _ansible_check_mode=True)
    assert "is tried without --check only" in json.dumps(checked["warnings"])
    # A rollback makes no copy.
    assert "pageinspect" not in lacking.another("emergency_rollback").step("preflight").get("msg", "")
    lacking.execute("DROP VIEW pages")
    assert "pageinspect" not in lacking.another().step("preflight").get("msg", ""), "the copy does without it"


def test_a_role_that_may_make_nothing_temporary_is_told_so(lacking: StepRuns) -> None:
    lacking.execute(
        f"REVOKE TEMPORARY ON DATABASE {lacking.database} FROM PUBLIC",
        'GRANT "App Owner", reports TO deployer',
        f"GRANT CREATE ON DATABASE {lacking.database} TO deployer",
        "ALTER ROLE deployer BYPASSRLS CREATEDB",
        "ALTER TABLE notes ADD CHECK (length(body) > 0 OR body::varchar(3) IN ('a', 'b'))",
    )
    lacking.user = "deployer"
    answer = lacking.another().step("preflight")
    assert "missing" in answer["details"], answer["msg"]
    (sentence,) = answer["details"]["missing"]
    assert sentence.endswith(f'types: GRANT TEMPORARY ON DATABASE "{lacking.database}" TO "deployer"')
    lacking.execute(sentence.split(" types: ")[1])
    lacking.up_to("apply")
