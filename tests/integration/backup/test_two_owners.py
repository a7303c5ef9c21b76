# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A schema of one owner with objects of others is restored by a role that is no superuser, privileges as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.restoring import creators_needed

from tests.integration.restore_runs import Restore, drop_what_restores_left
from tests.integration.step_runs import StepRuns

ROLES = 'own_schema, "Own Objects", own_nothing, copies'

# Who may create in a schema: by a grant of its owner, by one to everybody, by none, by being the database's owner.
OBJECTS = (
    "CREATE SCHEMA app AUTHORIZATION own_schema",
    'CREATE SCHEMA "Odd; schema" AUTHORIZATION own_schema',
    "CREATE SCHEMA quiet AUTHORIZATION own_schema",
    'GRANT USAGE, CREATE ON SCHEMA app TO "Own Objects" WITH GRANT OPTION',
    'GRANT ALL ON SCHEMA "Odd; schema" TO PUBLIC',
    "CREATE TABLE app.t (id int PRIMARY KEY, body text)",
    "INSERT INTO app.t VALUES (1, 'one')",
    "CREATE SEQUENCE app.sq",
    "CREATE TYPE app.mood AS ENUM ('a')",
    "CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    # Called, as the owner of the table, when its index is made.
    "CREATE FUNCTION app.two(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN app.one() + $1; END'",
    "CREATE INDEX ON app.t (app.two(id))",
    "CREATE PUBLICATION of_notes FOR TABLE notes",
    'ALTER FUNCTION app.two(int) OWNER TO "Own Objects"',
    "ALTER PUBLICATION of_notes OWNER TO own_schema",
    'CREATE VIEW "Odd; schema".v AS SELECT * FROM app.t',
    "CREATE DOMAIN quiet.name AS text",
    "CREATE TABLE quiet.t (id int)",
    'ALTER TABLE app.t OWNER TO "Own Objects"',
    "ALTER SEQUENCE app.sq OWNER TO own_nothing",
    'ALTER TYPE app.mood OWNER TO "Own Objects"',
    'ALTER FUNCTION app.one() OWNER TO "Own Objects"',
    'ALTER VIEW "Odd; schema".v OWNER TO "Own Objects"',
    "ALTER DOMAIN quiet.name OWNER TO own_nothing",
    "ALTER TABLE quiet.t OWNER TO own_nothing",
    # The owner of the table of versions may create nothing beside it.
    "ALTER TABLE schema_migrations OWNER TO own_nothing",
    "ALTER TABLE notes OWNER TO own_schema",
)

CREATORS = """
    SELECT n.nspname::text, a.grantee::regrole::text, a.grantor::regrole::text, a.privilege_type, a.is_grantable
    FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    WHERE n.nspname IN ('app', 'Odd; schema', 'quiet', 'public')
    ORDER BY 1, 2, 4"""


@pytest.fixture
def owned(runs: StepRuns, admin: StepRuns) -> Iterator[StepRuns]:
    admin.execute(
        "CREATE ROLE own_schema",
        'CREATE ROLE "Own Objects"',
        "CREATE ROLE own_nothing",
        'CREATE ROLE copies LOGIN CREATEDB IN ROLE own_schema, "Own Objects", own_nothing',
        f"ALTER DATABASE {runs.database} OWNER TO own_schema",
    )
    runs.execute(*OBJECTS, f"GRANT CREATE ON DATABASE {runs.database} TO copies")
    yield runs
    runs.conclude("failed")
    drop_what_restores_left(admin, runs.database)
    for database in (CopyDatabase({}, runs.run_id).name, runs.database):
        admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    admin.execute(f"CREATE DATABASE {runs.database}", f"DROP ROLE {ROLES}")


def test_who_has_to_create_where_is_read_from_the_catalog(owned: StepRuns) -> None:
    with (
        contextlib.closing(owned.server.connect(owned.database)) as connection,
        connection.cursor() as cursor,
    ):
        assert sorted(creators_needed(cursor), key=str) == [
            ["Odd; schema", "Own Objects", []],
            ["app", "Own Objects", ["CREATE", "USAGE"]],
            ["app", "own_nothing", []],
            ["public", "own_nothing", []],
            ["public", "own_schema", []],
            ["quiet", "own_nothing", []],
            [None, "own_schema", []],
        ]


def test_objects_of_other_owners_are_restored(owned: StepRuns) -> None:
    before = owned.ask(CREATORS)
    owned.user = "copies"
    answer = owned.up_to("verify_restore")
    copy = StepRuns(owned.server, answer["outputs"]["copy"], owned.folder)
    assert copy.ask(CREATORS) == before
    assert copy.ask("SELECT tableowner FROM pg_tables WHERE tablename = 'schema_migrations'") == [
        ("own_nothing",)
    ]
    assert {row[1] for row in before if row[0] == "quiet"} == {"own_schema"}, "nothing was granted there"


def test_and_put_in_the_place_of_production(owned: StepRuns) -> None:
    before = owned.ask(CREATORS)
    owned.user = "copies"
    owned.up_to("verify_restore")
    owned.conclude("failed")
    owned.execute("DROP TABLE app.t CASCADE")
    restore = Restore(owned)
    restore.steps("preflight", "restore", "count_rows", "swap")
    restore.run.conclude("restored")
    assert owned.ask(
        "SELECT body, tableowner FROM app.t, pg_tables WHERE tablename = 't' ORDER BY tableowner"
    ) == [
        ("one", "Own Objects"),
        ("one", "own_nothing"),
    ]
    assert owned.ask(CREATORS) == before
