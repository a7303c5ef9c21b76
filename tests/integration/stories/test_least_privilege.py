# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The chain with a role that is no superuser, as playbooks/bootstrap_roles.yml makes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.integration.stories.application import Application

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
    )
    application.variables.update(
        db_user="deployer",
        bootstrap_roles_admin=application.server.user,
        bootstrap_roles_owners=["app_owner"],
        bootstrap_roles_extensions=["pg_trgm"],
    )
    yield application
    execute(
        application,
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        "DROP OWNED BY app_owner CASCADE",
        "DROP TABLESPACE IF EXISTS fast",
        "DROP ROLE app_owner",
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

    deployed = owned.deploy("002")
    assert deployed.status == 0, deployed.output
    execute(owned, "UPDATE notes SET author = 'ada' WHERE id = 1")
    back = owned.run("emergency_rollback.yml", "-e", "migration=002")
    assert back.status == 0, back.output
    assert back.record["outcome"] == "rolled_back"
    status = owned.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert "the chain is whole" in status.output


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
