# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client that is gone does not keep its locks; transactions are of the isolation that the runbook counts on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import (
    client_options,
    connect,
    connect_again,
    read_committed,
    transaction,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.script_session import (
    OUR_SETTINGS,
    scripts_turn,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import target

# What a module does when it is killed: it holds the lock of its run, and a statement is under way.
HOLDER = """
import json, sys
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
connection = connect(json.loads(sys.argv[1]))
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_advisory_lock(7)")
    print("held", flush=True)
    cursor.execute("SELECT pg_sleep(600)")
"""


def test_a_killed_clients_locks_are_let_go_while_its_statement_still_runs(
    server: LocalServer, database: str, connection: Any
) -> None:
    with connection.cursor() as cursor:
        # The test server notices by itself; production's need not.
        cursor.execute(f"ALTER DATABASE {database} SET client_connection_check_interval = 0")
    connection.commit()
    connection.autocommit = True
    client = subprocess.Popen(
        [sys.executable, "-c", HOLDER, json.dumps(target(server, database))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout.readline() == "held\n"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(7)")
            assert cursor.fetchone() == (False,)
            client.kill()
            free, deadline = False, time.monotonic() + 30
            while not free and time.monotonic() < deadline:
                time.sleep(0.1)
                cursor.execute("SELECT pg_try_advisory_lock(7)")
                (free,) = cursor.fetchone()
    finally:
        client.kill()
        client.wait()
        client.stdout.close()
    assert free


# Isolation -----------------------------------------------------------------------------------------------


def level_of(cursor: Any) -> Any:
    cursor.execute("SELECT current_setting('transaction_isolation')")
    return cursor.fetchone()[0]


@pytest.fixture(params=["repeatable read", "serializable"])
def isolated(
    request: pytest.FixtureRequest, server: LocalServer, database: str, connection: Any
) -> Iterator[Any]:
    """A connection of ours to a database with another default."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = '{request.param}'")
    ours = connect(target(server, database))
    yield ours
    ours.close()


def test_every_transaction_is_read_committed(isolated: Any) -> None:
    again = connect_again(isolated)
    for one in (isolated, again):
        with transaction(one) as cursor:
            assert level_of(cursor) == "read committed"
        one.autocommit = True
        with one.cursor() as cursor:
            cursor.execute("BEGIN")
            assert level_of(cursor) == "read committed"
            cursor.execute("COMMIT")
        one.autocommit = False
    again.close()


def test_what_needs_one_snapshot_says_so_and_leaves_the_session_as_it_was(isolated: Any) -> None:
    isolated.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with transaction(isolated) as cursor:
        assert level_of(cursor) == "repeatable read"
    isolated.set_session(isolation_level="DEFAULT", readonly=False)
    with transaction(isolated) as cursor:
        assert level_of(cursor) == "read committed"


def test_a_script_that_resets_the_session_does_not_reach_the_next_transaction(isolated: Any) -> None:
    with transaction(isolated) as cursor:
        cursor.execute("RESET ALL")
    with transaction(isolated) as cursor:
        read_committed(cursor)
        assert level_of(cursor) == "read committed"


@pytest.mark.parametrize(("had", "has"), [("8MB", "64MB"), ("128MB", "128MB")])
def test_temporary_tables_have_memory(
    server: LocalServer, database: str, connection: Any, had: str, has: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET temp_buffers = '{had}'")
    connection.commit()
    ours = connect(target(server, database))
    with transaction(ours) as cursor:
        cursor.execute("CREATE TEMPORARY TABLE t (); SHOW temp_buffers")
        assert cursor.fetchone() == (has,)
    ours.close()


# Options of the session ----------------------------------------------------------------------------------

AGAINST_US = {
    "search_path": "theirs",
    "default_transaction_isolation": "serializable",
    "statement_timeout": "5min",
    "DateStyle": "German",
    "bytea_output": "escape",
    "extra_float_digits": "0",
    "array_nulls": "off",
    "client_encoding": "LATIN1",
    "application_name": "theirs",
}


def test_our_own_settings_stand_above_options_and_scripts_have_the_options(
    server: LocalServer, database: str
) -> None:
    options = " ".join(f"-c {name}={value}" for name, value in {**AGAINST_US, "work_mem": "9MB"}.items())
    ours = connect({**target(server, database), "options": options})
    read = f"SELECT {', '.join(f'current_setting({name!r})' for name in AGAINST_US)}, current_setting('work_mem')"
    with transaction(ours) as cursor:
        cursor.execute(read)
        mine = dict(zip([*AGAINST_US, "work_mem"], cursor.fetchone(), strict=True))
        for name, pinned in OUR_SETTINGS.items():
            assert mine.get(name, pinned.value) == pinned.value, name
        assert {mine["client_encoding"], mine["application_name"]} == {"UTF8", "pgops.runbook"}
        assert mine["work_mem"] == "9MB"
        with scripts_turn(cursor):
            cursor.execute(read)
            script = dict(zip([*AGAINST_US, "work_mem"], cursor.fetchone(), strict=True))
    ours.close()
    assert {name: script[name] for name in ("search_path", "bytea_output", "work_mem")} == {
        "search_path": "theirs",
        "bytea_output": "escape",
        "work_mem": "9MB",
    }


def test_the_host_that_is_named_is_the_one_that_is_reached(
    server: LocalServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq would go to an address from the environment, whatever the host."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.9")
    given = target(server, database)
    first = connect(given)
    second = connect_again(first)
    for one in (first, second):
        with transaction(one) as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == (database,)
        one.close()
    psql = [
        str(Path(server.bindir, "psql")),
        *client_options(given),
        "-X",
        "-A",
        "-t",
        "-c",
        "SELECT 'there'",
    ]
    assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "there\n"
