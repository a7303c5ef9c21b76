# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The chain with a role that is no superuser, as playbooks/bootstrap_roles.yml makes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.integration.stories.application import Application

OWNER = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()"
ALL_ROLES = "SELECT array_agg(r::text ORDER BY 1) FROM pg_authid AS r"
ROLES = "SELECT rolname, rolsuper, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = 'deployer'"


def execute(application: Application, *statements: str) -> list[tuple]:
    rows: list[tuple] = []
    with contextlib.closing(application.server.connect(application.databases[0])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
    return rows


def connect_as(role: str, application: Application) -> Any:
    server = application.server
    return psycopg2.connect(host=server.host, port=server.port, user=role, dbname=application.databases[0])


def drop_replaced(application: Application) -> None:
    pattern = f"{application.databases[0]}\\_before\\_%"
    with contextlib.closing(application.server.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (pattern,))
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def owned(application: Application) -> Iterator[Application]:
    """The application's objects belong to a role that nobody logs in as; a superuser has made an extension."""
    execute(
        application,
        "CREATE ROLE app_owner",
        "GRANT ALL ON SCHEMA public TO app_owner",
        "ALTER TABLE notes OWNER TO app_owner",
        "ALTER TABLE schema_migrations OWNER TO app_owner",
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
        "CREATE EXTENSION citext",
        'CREATE ROLE "The Owner"',
        f'ALTER DATABASE {application.databases[0]} OWNER TO "The Owner"',
    )
    application.variables.update(
        db_user="deployer",
        bootstrap_roles_admin=application.server.user,
        bootstrap_roles_owners=["app_owner"],
        bootstrap_roles_extensions=["pg_trgm"],
    )
    yield application
    drop_replaced(application)
    execute(
        application,
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        "DROP OWNED BY app_owner CASCADE",
        "DROP TABLESPACE IF EXISTS fast",
        "DROP ROLE app_owner",
        f"ALTER DATABASE {application.databases[0]} OWNER TO CURRENT_USER",
        'DROP OWNED BY "The Owner" CASCADE',
        'DROP ROLE "The Owner"',
        "DO $$ BEGIN DROP OWNED BY deployer CASCADE; DROP ROLE deployer;"
        " EXCEPTION WHEN undefined_object THEN NULL; END $$",
    )


def test_the_chain_passes_with_a_role_that_is_no_superuser(owned: Application) -> None:
    playbook = "playbooks/bootstrap_roles.yml"
    checked = owned.run(playbook, "--check")
    assert checked.status == 0, checked.output
    assert execute(owned, ROLES) == []
    made = owned.run(playbook)
    assert made.status == 0, made.output
    assert execute(owned, ROLES) == [("deployer", False, True, False)]
    again = owned.run(playbook)
    assert again.status == 0, again.output
    assert "changed=0" in again.output, again.output
    assert "role_names" not in again.output, "it is no step"

    deployed = owned.deploy("002")
    assert deployed.status == 0, deployed.output
    source = deployed.record["run_id"]
    execute(owned, "UPDATE notes SET author = 'ada' WHERE id = 1")
    back = owned.run("emergency_rollback.yml", "-e", "migration=002")
    assert back.status == 0, back.output
    assert back.record["outcome"] == "rolled_back"

    # The application is connected, as it is at night.
    execute(owned, "ALTER ROLE app_owner LOGIN")
    with contextlib.closing(connect_as("app_owner", owned)):
        restored = owned.run("playbooks/restore.yml", "-e", f"run_id={source}")
    assert restored.status == 0, restored.output
    assert restored.record["outcome"] == "restored"
    assert "For a superuser" not in restored.output
    assert execute(owned, OWNER) == [("The Owner",)]
    status = owned.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert "the chain is whole" in status.output


def test_no_superuser_loses_what_he_is(owned: Application) -> None:
    """As with the first inventory of somebody whose db_user is the administrator, perhaps the only one there is."""
    server = owned.server
    execute(owned, "CREATE ROLE other_admin SUPERUSER")
    try:
        for name in (server.user, "other_admin"):
            for options in ([], ["--check"]):
                refused = owned.run("playbooks/bootstrap_roles.yml", "-e", f"db_user={name}", *options)
                assert refused.status != 0, refused.output
                assert f"{name} is a superuser" in refused.output
                assert "Nothing was changed" in refused.output
        superusers = "SELECT rolname::text FROM pg_roles WHERE rolsuper AND rolname IN (%s, %s) ORDER BY 1"
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(superusers, (server.user, "other_admin"))
            assert sorted(name for (name,) in cursor.fetchall()) == sorted([server.user, "other_admin"])
    finally:
        execute(owned, "DROP ROLE other_admin")


def test_a_role_that_was_there_before_inherits_what_it_is_given(owned: Application) -> None:
    """Since PostgreSQL 16 a membership says itself whether it is inherited, and as whom the member may act."""
    with_all = (
        "SELECT pg_has_role('deployer', 'app_owner', 'USAGE'), pg_has_role('deployer', 'app_owner', 'SET')"
    )
    execute(
        owned,
        "CREATE ROLE deployer LOGIN NOINHERIT",
        "GRANT app_owner TO deployer WITH INHERIT FALSE, SET FALSE",
    )
    assert execute(owned, with_all) == [(False, False)]
    made = owned.run("playbooks/bootstrap_roles.yml")
    assert made.status == 0, made.output
    assert execute(owned, with_all) == [(True, True)], made.output
    assert "changed=0" in owned.run("playbooks/bootstrap_roles.yml").output


@pytest.fixture
def administrator(owned: Application) -> Iterator[str]:
    """Who may make roles, and has the right to give those that the deploy role needs, and is no superuser."""
    execute(
        owned,
        "CREATE ROLE administrator LOGIN CREATEROLE CREATEDB BYPASSRLS",
        'GRANT app_owner, "The Owner", pg_signal_backend, pg_read_all_stats TO administrator WITH ADMIN OPTION',
    )
    yield "administrator"
    execute(
        owned,
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        "DO $$ BEGIN DROP OWNED BY deployer CASCADE; DROP ROLE deployer;"
        " EXCEPTION WHEN undefined_object THEN NULL; END $$",
        "DROP OWNED BY administrator CASCADE",
        "DROP ROLE administrator",
    )


def test_an_administrator_who_is_no_superuser_makes_it(owned: Application, administrator: str) -> None:
    owned.variables["bootstrap_roles_admin"] = administrator
    made = owned.run("playbooks/bootstrap_roles.yml")
    assert made.status == 0, made.output
    assert "changed=0" in owned.run("playbooks/bootstrap_roles.yml").output
    deployed = owned.deploy("002", "--check")
    assert deployed.status == 0, deployed.output
    # A role to which the ledger of another one is closed is told how it is opened.
    owned.variables["db_user"] = administrator
    refused = owned.deploy("002", "--check")
    assert refused.status != 0
    said = " ".join(refused.output.split())
    assert "Role administrator may not read the runbook's schemas, which belong to deployer." in said
    assert "playbooks/bootstrap_roles.yml" in said


ODD = "De-loy R.x ä;"


def test_a_database_of_a_superuser_is_told_with_what_lets_the_role_restore(owned: Application) -> None:
    """Also with a name that has to be quoted: spaces, upper case, dashes, dots."""
    name, owned.variables["db_user"] = owned.databases[0], ODD
    execute(owned, f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
    try:
        first = owned.run("playbooks/bootstrap_roles.yml")
        assert first.status == 0, first.output
        said = " ".join(first.output.split())
        assert f"{ODD} cannot restore a backup: database {name} belongs to {owned.server.user}" in said
        command = f"ALTER DATABASE {name} OWNER TO app_owner"
        assert f"A superuser types: {command}" in said
        warned = owned.deploy("002", "--check")
        assert warned.status == 0, warned.output
        assert "A restore of this database would be refused" in " ".join(warned.output.split())
        execute(owned, command)
        again = owned.run("playbooks/bootstrap_roles.yml")
        assert again.status == 0, again.output
        assert "cannot restore" not in again.output
        deployed = owned.deploy("002")
        assert deployed.status == 0, deployed.output
        assert "would be refused" not in deployed.output
        restored = owned.run("playbooks/restore.yml", "-e", f"run_id={deployed.record['run_id']}")
        assert restored.status == 0, restored.output
        assert execute(owned, OWNER) == [("app_owner",)]
    finally:
        execute(
            owned,
            "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
            f"ALTER DATABASE {name} OWNER TO CURRENT_USER",
            f'DROP OWNED BY "{ODD}" CASCADE',
        )
        drop_replaced(owned)
        execute(owned, f'DROP ROLE "{ODD}"')


@pytest.mark.parametrize("name", ["De'p", 'De"p', "De%p", "a,b", "Public"])
def test_a_name_that_the_modules_cannot_quote_is_refused_before_anything_is_done(
    owned: Application, name: str
) -> None:
    before = execute(owned, ALL_ROLES)
    for variable in ("db_user", "bootstrap_roles_owners"):
        given = dict(owned.variables)
        owned.variables[variable] = name if variable == "db_user" else ["app_owner", name]
        run = owned.run("playbooks/bootstrap_roles.yml")
        owned.variables.update(given)
        assert run.status != 0
        assert f"{variable}: the name {name!r}" in " ".join(run.output.split()), run.output
        assert "Nothing was changed" in run.output
        assert "name_unusable" in run.output
    assert execute(owned, ALL_ROLES) == before


def test_an_owner_of_such_a_name_is_refused_too(owned: Application) -> None:
    name = owned.databases[0]
    before = execute(owned, ALL_ROLES)
    execute(owned, """ALTER ROLE "The Owner" RENAME TO "The'Owner\"""")
    try:
        run = owned.run("playbooks/bootstrap_roles.yml")
        assert run.status != 0
        assert """owner of the database: the name "The'Owner\"""" in run.output
        without = owned.run("playbooks/bootstrap_roles.yml", "-e", "bootstrap_roles_restore=false", "--check")
        assert without.status == 0, without.output
    finally:
        execute(owned, """ALTER ROLE "The'Owner" RENAME TO "The Owner\"""")
    assert execute(owned, ALL_ROLES) == before
    assert execute(owned, OWNER) == [("The Owner",)], name


def test_what_a_superuser_has_deployed_is_given_to_the_role(owned: Application) -> None:
    owned.variables["bootstrap_roles_extensions"] = []  # one that is made beside a run is drift
    execute(
        owned,
        "SET allow_in_place_tablespaces = on",
        "CREATE TABLESPACE fast LOCATION ''",
        "CREATE INDEX ON notes (body) TABLESPACE fast",
        "SELECT lo_from_bytea(4711, 'x')",
    )
    before = owned.variables.pop("db_user")
    assert owned.deploy("002").status == 0
    owned.variables["db_user"] = before
    made = owned.run("playbooks/bootstrap_roles.yml")
    assert made.status == 0, made.output
    assert execute(owned, "SET ROLE deployer", "SELECT lo_get(4711)")[0][0].tobytes() == b"x"
    # Read by the role, but of a superuser, to whom it could not give the copy's.
    execute(owned, "ALTER LARGE OBJECT 4711 OWNER TO app_owner")
    found = owned.deploy("003", "--check")  # it reads the ledger, and asks for every right
    assert found.status == 0, found.output
