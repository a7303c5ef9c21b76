# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names from a database of another encoding, which this one is shown as bytes that are no text of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres import lock_waits
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.other_encodings import (
    as_bytes,
    read_name,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

ROLE, DATABASE = "rôle_é", "dbé"


@pytest.fixture
def in_latin1(server: LocalServer) -> Iterator[Callable[[str], None]]:
    """A function that executes a statement in a database of LATIN1; a role and a database are made there."""

    def execute(statement: str, name: str = "of_latin1") -> None:
        with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)

    execute(
        "CREATE DATABASE of_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'",
        "postgres",
    )
    try:
        execute(f'CREATE ROLE "{ROLE}"')
        execute(f'CREATE DATABASE "{DATABASE}"')
        yield execute
    finally:
        execute(f'DROP DATABASE "{DATABASE}"')
        execute(f'DROP ROLE "{ROLE}"')
        execute("DROP DATABASE of_latin1", "postgres")


def test_a_name_is_read_as_far_as_it_is_text(
    server: LocalServer, in_latin1: Callable[[str], None], runs: StepRuns
) -> None:
    query = f"SELECT {as_bytes('rolname')} FROM pg_roles WHERE rolname LIKE 'r%le!__' ESCAPE '!'"
    for database, read in ((runs.database, r"r\xf4le_\xe9"), ("of_latin1", ROLE)):
        with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            ((name,),) = cursor.fetchall()
            assert read_name(cursor, name) == read
            cursor.execute(f"SELECT {as_bytes('%s')}", ("a\\b ä\\351 'c'",))
            ((value,),) = cursor.fetchall()
            assert read_name(cursor, value) == "a\\b ä\\351 'c'"


def test_what_a_database_has_nothing_to_do_with_stops_nothing(
    in_latin1: Callable[[str], None], runs: StepRuns
) -> None:
    runs.write(
        migrations__002_author="DO $$ BEGIN EXECUTE 'ALTER TABLE notes ADD COLUMN author text'; END $$"
    )
    runs.deploy()
    runs.another("emergency_rollback").roll_back()


def test_a_name_that_is_needed_is_refused_with_what_mends_it(
    in_latin1: Callable[[str], None], runs: StepRuns
) -> None:
    runs.deploy()
    in_latin1(f'GRANT CONNECT ON DATABASE "{runs.database}" TO "{ROLE}"')
    try:
        back = runs.another("emergency_rollback")
        back.steps("preflight")
        for answer in (runs.another("status").step("status"), back.step("backup", purpose="emergency")):
            assert answer["reason_code"] == "text_in_another_encoding", answer
            assert r"role r\xf4le_\xe9" in answer["msg"]
            assert r"database db\xe9" in answer["msg"]
            assert "ALTER ... RENAME TO" in answer["msg"]
        back.conclude("failed")
    finally:
        in_latin1(f'REVOKE CONNECT ON DATABASE "{runs.database}" FROM "{ROLE}"')
    runs.another("emergency_rollback").roll_back()


def test_whoever_keeps_the_databases_locked_is_named_from_wherever_he_is(
    server: LocalServer,
    in_latin1: Callable[[str], None],
    runs: StepRuns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lock_waits, "DATABASES_SECONDS", 0.3)
    runs.steps("preflight", "maintenance_window", "backup")
    with contextlib.closing(server.connect("of_latin1")) as other, other.cursor() as cursor:
        pid = other.info.backend_pid
        cursor.execute("SET application_name = 'nightly'; LOCK TABLE pg_database IN SHARE MODE /* \xe9 */")
        answer = runs.step("verify_restore")
    assert answer["reason_code"] == "lock_not_available", answer
    assert f"pid {pid} (user {server.user}, application nightly, idle in" in answer["msg"]
    assert r"/* \xe9 */ holds pg_database" in answer["msg"]
    runs.steps("verify_restore")
