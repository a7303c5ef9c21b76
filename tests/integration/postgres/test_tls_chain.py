# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy and a rollback as a role that gets in with TLS, a client's certificate and a password, and in no other way.

So pg_dump and pg_restore have shown them too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fresh_database import fresh_database
from tests.integration.step_runs import StepRuns
from tests.tls_server import TlsServer

SCRIPTS = {
    "migrations__001_notes": "CREATE TABLE notes (id serial PRIMARY KEY, body text);",
    "rollback__001_notes_rollback": "DROP TABLE notes;",
    "migrations__002_author": "ALTER TABLE notes ADD COLUMN author text;",
    "rollback__002_author_rollback": "ALTER TABLE notes DROP COLUMN author;",
}


@pytest.fixture
def runs(tls: TlsServer, tmp_path: Path) -> Iterator[StepRuns]:
    with fresh_database(tls.server) as database:
        made = StepRuns(
            tls.server,
            database,
            tmp_path,
            connection=tls.target(
                database, options="-c work_mem=64MB -c statement_timeout=1h -c search_path=public"
            ),
        )
        made.write(**SCRIPTS)
        made.execute(
            "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
            "INSERT INTO schema_migrations VALUES ('001')",
            "CREATE TABLE notes (id serial PRIMARY KEY, body text)",
            "INSERT INTO notes (body) VALUES ('one'), (NULL), ('drei')",
        )
        yield made


def columns(runs: StepRuns) -> list[tuple[Any, ...]]:
    return runs.ask(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attnum > 0 AND NOT attisdropped"
    )


def test_the_chain_goes_through_and_the_options_hold(runs: StepRuns) -> None:
    memory = "DO $$ BEGIN ASSERT current_setting('work_mem') = '64MB'; END $$;"
    runs.write(migrations__002_author=f"{memory} ALTER TABLE notes ADD COLUMN author text;")
    runs.deploy()
    assert columns(runs) == [("id",), ("body",), ("author",)]
    runs.another("emergency_rollback").roll_back()
    assert columns(runs) == [("id",), ("body",)]
    assert runs.connection["login_password"] not in "".join(
        path.read_text(errors="replace") for path in runs.folder.rglob("*") if path.is_file()
    )


def test_the_copy_may_be_on_a_server_that_is_reached_in_another_way(
    runs: StepRuns, tls: TlsServer, server: Any
) -> None:
    target = runs.connection
    over_socket = {
        "login_host": tls.server.host,
        "login_user": tls.server.user,
        "ssl_cert": "",
        "ssl_key": "",
    }
    runs.connection = {**over_socket, "login_port": tls.server.port}
    copy = {**target, "login_db": "postgres"}
    runs.must("preflight", copy_target=copy)
    runs.steps("maintenance_window", "backup")
    assert runs.must("verify_restore", copy_target=copy)["outputs"]
    without = runs.step("verify_restore", copy_target={**copy, "ssl_cert": ""})
    assert (without["failed"], without["reason_code"]) == (True, "server_unreachable")
    assert "db_sslcert" in without["msg"]
    runs.step("announce", outcome="failed", copy_target=copy)
