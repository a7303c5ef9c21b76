# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role of playbooks/bootstrap_roles.yml takes the main chain, there and back, on every release that is at hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.local_server import LocalServer
from tests.integration.stories.application import Application, prepare
from tests.releases import programs_of_other_releases

DATABASE = "shop"

OWNED = (
    "CREATE ROLE app_owner",
    f"ALTER DATABASE {DATABASE} OWNER TO app_owner",
    "GRANT ALL ON SCHEMA public TO app_owner",
    "ALTER TABLE notes OWNER TO app_owner",
    "ALTER TABLE schema_migrations OWNER TO app_owner",
)


@pytest.fixture(params=programs_of_other_releases() or [None], ids=str)
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalServer]:
    if request.param is None:
        pytest.skip("no other release of PostgreSQL is installed")
    server = LocalServer(
        tmp_path / "server", fsync=False, programs=request.param, roles=("midi", "app_owner", "deployer")
    )
    try:
        server.start()
        yield server
    finally:
        server.remove()


def execute(server: LocalServer, database: str, *statements: str) -> list[tuple]:
    rows: list[tuple] = []
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
    return rows


@pytest.fixture
def owned(release: LocalServer, scripts: Path, tmp_path: Path) -> Application:
    """The application of a role that nobody logs in as, before anybody has deployed."""
    execute(release, "postgres", f"CREATE DATABASE {DATABASE}")
    prepare(release, DATABASE)
    execute(release, DATABASE, *OWNED)
    application = Application(release, tmp_path, scripts, [DATABASE])
    application.variables.update(
        db_user="deployer", bootstrap_roles_admin=release.user, bootstrap_roles_owners=["app_owner"]
    )
    return application


def test_a_deploy_a_rollback_and_a_restore(owned: Application) -> None:
    for _ in range(2):
        made = owned.run("playbooks/bootstrap_roles.yml")
        assert made.status == 0, made.output
    assert "changed=0" in made.output, made.output
    groups = "SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'deployer'::regrole ORDER BY 1"
    assert execute(owned.server, DATABASE, groups) == [("app_owner",), ("pg_read_all_stats",)]
    superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = 'deployer'"
    assert execute(owned.server, DATABASE, superuser) == [(False,)]

    deployed = owned.deploy("002")
    assert (deployed.status, deployed.record["outcome"]) == (0, "deployed"), deployed.output
    execute(owned.server, DATABASE, "UPDATE notes SET author = 'ada' WHERE id = 1")
    back = owned.run("emergency_rollback.yml", "-e", "migration=002")
    assert (back.status, back.record["outcome"]) == (0, "rolled_back"), back.output
    again = owned.deploy("002")
    assert (again.status, again.record["outcome"]) == (0, "deployed"), again.output
    assert execute(owned.server, DATABASE, "SELECT author FROM notes WHERE id = 1") == [("ada",)]
    restored = owned.run("playbooks/restore.yml", "-e", f"run_id={again.record['run_id']}")
    assert (restored.status, restored.record["outcome"]) == (0, "restored"), restored.output
    status = owned.run("playbooks/status.yml")
    assert status.status == 0, status.output
    assert "the chain is whole" in status.output
