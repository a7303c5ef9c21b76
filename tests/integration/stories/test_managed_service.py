# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A database as a managed service lends it: docs/managed.md, step by step.

The role is no superuser, belongs to no predefined role, reads no files of the server and may end nobody's session. The
service's superuser has made extensions in the database, and is connected to it all the time.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stories.application import Application
from tests.integration.stories.test_least_privilege import connect_as, drop_replaced, execute

CUSTOMER = "customer"

SERVICE = (
    f"CREATE ROLE {CUSTOMER} LOGIN CREATEDB CREATEROLE",
    "CREATE ROLE colleague LOGIN",
    # For its monitoring: nothing of the customer's depends on it, and only a superuser may make it.
    "CREATE EXTENSION pageinspect",
    # Where its agent writes, and nobody else looks.
    "CREATE TABLE agent_log (id int)",
    "INSERT INTO agent_log VALUES (1)",
    "ALTER EXTENSION pageinspect ADD TABLE agent_log",
    # Which everybody may make, and the service has made.
    "CREATE EXTENSION pg_trgm",
    "ALTER TABLE notes OWNER TO customer",
    "ALTER TABLE schema_migrations OWNER TO customer",
    "CREATE INDEX notes_trgm ON notes USING gin (body gin_trgm_ops)",
)


@pytest.fixture
def managed(application: Application) -> Iterator[Application]:
    (name,) = application.databases
    execute(application, *SERVICE, f"ALTER DATABASE {name} OWNER TO {CUSTOMER}")
    application.variables["db_user"] = CUSTOMER
    yield application
    drop_replaced(application)
    execute(
        application,
        "DROP SCHEMA IF EXISTS runbook, runbook_salvage CASCADE",
        f"ALTER DATABASE {name} OWNER TO CURRENT_USER",
        f"DROP OWNED BY {CUSTOMER}, colleague CASCADE",
        f"DROP ROLE {CUSTOMER}, colleague",
    )


@contextlib.contextmanager
def session_of_the_service(application: Application) -> Iterator[Any]:
    """The agent's own, which its superuser has open in every database."""
    with contextlib.closing(application.server.connect(application.databases[0])) as agent:
        yield agent


def words(output: str) -> str:
    return " ".join(output.split())


def test_the_chain_passes_beside_a_session_of_the_service(managed: Application) -> None:
    with session_of_the_service(managed):
        deployed = managed.deploy("002")
        assert deployed.status == 0, deployed.output
        source, said = deployed.record["run_id"], words(deployed.output)
        assert "A restore of this database would be refused" not in said, "it is asked for when it is needed"
        assert "The restored database has no pageinspect: the role may not make such an extension" in said
        assert deployed.receipt("verify_restore")["outputs"]["extensions_left_out"] == ["pageinspect"]
        execute(managed, "UPDATE notes SET author = 'ada' WHERE id = 1")
        back = managed.run("emergency_rollback.yml", "-e", "migration=002")
        assert back.status == 0, back.output
        again = managed.deploy("002")
        assert again.status == 0, again.output
        assert execute(managed, "SELECT author FROM notes WHERE id = 1") == [("ada",)]
        status = managed.run("playbooks/status.yml")
        assert status.status == 0, status.output
        refused = managed.run("playbooks/restore.yml", "-e", f"run_id={source}")
        assert refused.status != 0
        assert refused.record["reason_code"] == "role_lacks_privilege"
        assert f"has sessions in this database, which role {CUSTOMER} may not end" in words(refused.output)
    restored = managed.run("playbooks/restore.yml", "-e", f"run_id={source}")
    assert restored.status == 0, restored.output
    assert "CREATE EXTENSION pageinspect" in words(restored.output)
    assert execute(managed, "SELECT extname FROM pg_extension ORDER BY 1") == [("pg_trgm",), ("plpgsql",)]


def test_sessions_of_others_keep_the_application_in(managed: Application) -> None:
    """Neither a restore nor maintenance_mode can end them; a deploy needs neither."""
    source = managed.deploy("002").record["run_id"]
    with contextlib.closing(connect_as("colleague", managed)):
        warned = managed.deploy("003", "--check")
        assert f"Role {CUSTOMER} may not end the sessions of colleague" in words(warned.output)
        held = managed.deploy("003", "-e", "maintenance_mode=block")
        assert held.status != 0
        assert held.record["reason_code"] == "role_lacks_privilege"
        refused = managed.run("playbooks/restore.yml", "-e", f"run_id={source}")
        assert refused.record["reason_code"] == "role_lacks_privilege"
        assert managed.deploy("003").status == 0


def test_a_backup_is_restored_beside_by_hand(managed: Application) -> None:
    """With the commands of docs/managed.md, where the database itself cannot be replaced."""
    deployed = managed.deploy("002")
    assert deployed.status == 0, deployed.output
    page = Path("docs/managed.md").read_text(encoding="utf-8")
    (block,) = [part for part in page.split("\n\n") if "pg_restore --list" in part]
    beside = f"{managed.databases[0]}_restored"
    script = "\n".join(line.strip() for line in block.splitlines())
    script = script.replace("app_restored", beside)
    dump = Path(managed.folder, "backups", deployed.record["run_id"], "backup", "dump")
    script = script.replace("/var/backups/runbook/<run_id>/backup/dump", str(dump))
    server = managed.server
    environment = {
        "PATH": f"{server.bindir}:/usr/bin:/bin",
        "PGHOST": str(server.host),
        "PGPORT": str(server.port),
        "PGUSER": CUSTOMER,
    }
    try:
        done = subprocess.run(
            ["/bin/sh", "-eu"],
            input=script,
            text=True,
            capture_output=True,
            env=environment,
            cwd=managed.folder,
        )
        assert done.returncode == 0, done.stderr
        with contextlib.closing(server.connect(beside)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM notes")
            assert cursor.fetchone() == (4,)
    finally:
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(f'DROP DATABASE IF EXISTS "{beside}" WITH (FORCE)')


def test_an_extension_that_the_application_uses_is_tried_and_named(managed: Application) -> None:
    execute(
        managed,
        "CREATE VIEW pages AS SELECT * FROM page_header(get_raw_page('notes', 0))",
        f"ALTER VIEW pages OWNER TO {CUSTOMER}",
    )
    refused = managed.deploy("002")
    assert refused.status != 0
    assert refused.record["reason_code"] == "role_lacks_privilege"
    assert "Objects of the application depend on extension pageinspect" in words(refused.output)
