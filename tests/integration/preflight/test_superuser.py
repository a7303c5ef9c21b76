# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Functions of others that a restore, or a row that is put back, has a superuser call are named before a run begins."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.superuser import called_as_superuser

from tests.integration.step_runs import StepRuns, target

FUNCTIONS = {
    "check_of_table": "bool",
    "check_not_valid": "bool",
    "check_of_domain": "bool",
    "generated": "int",
    "by_default": "int",
    "of_index": "int",
    "in_predicate": "bool",
    "excluded": "int",
    "partition_key": "int",
    "behind_operator": "bool",
    "behind_cast": "int",
    "of_view": "int",
}

TABLES = """
    CREATE DOMAIN app.small AS int CHECK (app.check_of_domain(VALUE));
    CREATE TYPE app.pair AS (one app.small, other int);
    CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = app.behind_operator);
    CREATE TYPE app.mood AS ENUM ('a', 'b');
    CREATE FUNCTION app.mood_as_int(app.mood) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN RAISE WARNING 'called behind_cast by %', current_user; RETURN 1; END $$;
    CREATE CAST (app.mood AS int) WITH FUNCTION app.mood_as_int(app.mood) AS IMPLICIT;
    CREATE TABLE app.bait (x int CONSTRAINT c CHECK (app.check_of_table(x)) CONSTRAINT o CHECK (x OPERATOR(app.===) x),
        p app.pair, m app.mood CHECK (m + 1 > 0), g int GENERATED ALWAYS AS (app.generated(x)) STORED,
        d int DEFAULT app.by_default(1), CONSTRAINT e EXCLUDE ((app.excluded(x)) WITH =));
    INSERT INTO app.bait (x, p, m) VALUES (1, ROW(1, 2), 'a');
    ALTER TABLE app.bait ADD CHECK (app.check_not_valid(x)) NOT VALID;
    CREATE INDEX i ON app.bait (app.of_index(x));
    CREATE INDEX j ON app.bait (x) WHERE app.in_predicate(1);
    CREATE TABLE app.parted (x int) PARTITION BY RANGE (app.partition_key(x));
    CREATE TABLE app.part PARTITION OF app.parted FOR VALUES FROM (0) TO (9);
    INSERT INTO app.parted VALUES (1);
    CREATE MATERIALIZED VIEW app.seen AS SELECT app.of_view(x) FROM app.bait"""

BY_RESTORE = {
    "check_of_table",
    "check_of_domain",
    "generated",
    "partition_key",
    "behind_operator",
    "behind_cast",
}


@pytest.fixture
def eve(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    """A role that owns a schema, and functions that are called by whatever can call one."""
    made = "".join(
        f"CREATE FUNCTION app.{name}(int{', int' if name == 'behind_operator' else ''}) RETURNS {kind} LANGUAGE plpgsql"
        f" IMMUTABLE AS $$ BEGIN RAISE WARNING 'called {name} by %', current_user;"
        f" RETURN {'true' if kind == 'bool' else '$1'}; END $$;"
        for name, kind in FUNCTIONS.items()
        if name != "behind_cast"
    )
    runs.execute("CREATE ROLE eve", "CREATE SCHEMA app AUTHORIZATION eve")
    runs.execute(f"SET ROLE eve; {made} {TABLES}")
    yield runs
    runs.execute("DROP OWNED BY eve CASCADE", "DROP ROLE eve")


def said(runs: StepRuns) -> list[str]:
    with (
        contextlib.closing(connect(target(runs.server, runs.database))) as connection,
        connection.cursor() as cursor,
    ):
        return called_as_superuser(cursor, None)


def test_all_are_named_once_with_whose_they_are_and_what_calls_them(eve: StepRuns) -> None:
    (sentence,) = said(eve)
    assert "app.check_of_table(integer), which eve owns (check c of app.bait)" in sentence
    assert "app.check_of_domain(integer), which eve owns (column or partition key of app.bait)" in sentence
    assert "app.generated(integer), which eve owns (generated column g of app.bait)" in sentence
    assert "app.behind_operator(integer,integer), which eve owns (check o of app.bait)" in sentence
    assert "and 1 more" in sentence
    assert "ansible-playbook playbooks/bootstrap_roles.yml" in sentence
    assert "of_view" not in sentence


def test_what_a_restore_calls_as_the_superuser_is_among_them(eve: StepRuns, admin: StepRuns) -> None:
    """The truth of it: what PostgreSQL of this release calls as whom."""
    eve.execute("SET ROLE eve; DROP INDEX app.j; DROP INDEX app.i; ALTER TABLE app.bait DROP CONSTRAINT e")
    (sentence,) = said(eve)
    admin.execute(
        "DROP DATABASE IF EXISTS restored_by_hand", "CREATE DATABASE restored_by_hand TEMPLATE template0"
    )
    connection = ["-h", eve.server.host, "-p", str(eve.server.port), "-U", eve.server.user]
    try:
        dumped = subprocess.run(
            [f"{eve.server.bindir}/pg_dump", *connection, "-Fc", eve.database],
            capture_output=True,
            check=True,
        )
        restored = subprocess.run(
            [f"{eve.server.bindir}/pg_restore", *connection, "-v", "-d", "restored_by_hand"],
            input=dumped.stdout,
            capture_output=True,
            check=True,
        )
    finally:
        admin.execute("DROP DATABASE restored_by_hand")
    called = {line.split("called ")[1] for line in restored.stderr.decode().splitlines() if "called " in line}
    as_superuser = {one.split()[0] for one in called if not one.endswith("by eve")}
    assert as_superuser == BY_RESTORE
    assert "of_view by eve" in called
    assert [name for name in as_superuser if f"app.{name}" not in sentence] == ["behind_cast"]
    assert "app.mood_as_int(app.mood)" in sentence


def test_a_superuser_on_the_server_of_the_copies_is_one_too(eve: StepRuns) -> None:
    there = target(eve.server, eve.database)
    with contextlib.closing(connect(there)) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION AUTHORIZATION eve")
        assert called_as_superuser(cursor, None) == []
        (sentence,) = called_as_superuser(cursor, there)
    assert f"Role {eve.server.user} is a superuser on the server of the copies" in sentence


def test_preflight_warns_and_goes_on(eve: StepRuns) -> None:
    answer = eve.must("preflight")
    eve.conclude("failed")
    (sentence,) = answer["outputs"]["called_as_superuser"]
    assert sentence in str(answer["warnings"])
    assert eve.another("emergency_rollback", "001").step("preflight").get("warnings", []) == []


def test_nothing_is_said_of_a_superusers_or_to_a_lesser_role(runs: StepRuns) -> None:
    runs.execute(
        "CREATE FUNCTION mine(int) RETURNS bool LANGUAGE sql AS 'SELECT true'",
        "ALTER TABLE notes ADD CHECK (mine(id)), ADD CHECK (body <> ''), ADD made timestamptz DEFAULT now()",
    )
    assert said(runs) == []


def test_functions_of_postgresql_in_an_operator_class_of_an_extension_are_nobodys(connection: Any) -> None:
    """That of pg_trgm has btint4cmp, whoever owns the table that it indexes."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION pg_trgm; CREATE TABLE tags (name text)")
        cursor.execute("CREATE INDEX ON tags USING gin (name gin_trgm_ops)")
        assert called_as_superuser(cursor, None) == []
