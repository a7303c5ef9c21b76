# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The search_path of a session: PostgreSQL's own for the runbook's statements, the application's for its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.names import (
    SAFE_PATH,
    as_application,
    relation_oid,
)
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Cursor

from demo.local_server import LocalServer
from tests.integration.step_runs import target


@pytest.fixture
def session(server: LocalServer, database: str) -> Iterator[Connection]:
    """Of the runbook, in a database with a path of its own."""
    with contextlib.closing(server.connect(database)) as own, transaction(own) as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET search_path = app, public; CREATE SCHEMA app")
    with contextlib.closing(connect(target(server, database))) as connection:
        yield connection


def application_path(cursor: Cursor) -> str:
    with as_application(cursor):
        return path(cursor)


def path(cursor: Cursor) -> str:
    cursor.execute("SHOW search_path")
    return cursor.fetchall()[0][0]


def test_the_application_s_path_holds_only_inside(session: Connection) -> None:
    with transaction(session) as cursor:
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, "app, public")
        with as_application(cursor):
            assert path(cursor) == "app, public"
            cursor.execute("CREATE TABLE here ()")
        assert path(cursor) == SAFE_PATH
        assert relation_oid(cursor, "here") == relation_oid(cursor, "app.here") is not None
        assert relation_oid(cursor, "nowhere") is None


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("SET search_path = public", "public"),
        ("SET LOCAL search_path = public", "public"),
        ("SET search_path = ''", '""'),
        ("RESET ALL", "app, public"),
        ("RESET search_path", "app, public"),
    ],
)
def test_what_a_script_sets_holds_to_the_end_of_its_transaction(
    session: Connection, command: str, holds: str
) -> None:
    with transaction(session) as cursor:
        with as_application(cursor):
            cursor.execute(command)
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, holds)
    with transaction(session) as cursor:
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, "app, public")


@pytest.mark.parametrize("command", ["RESET ALL", "DISCARD ALL", "RESET search_path"])
def test_a_script_that_resets_all_has_the_database_s_path_again(session: Connection, command: str) -> None:
    session.autocommit = True
    with session.cursor() as cursor:
        with as_application(cursor):
            cursor.execute("SET search_path = public")
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, "public")
        with as_application(cursor):
            cursor.execute(command)
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, "app, public")


def test_after_an_error_too(session: Connection) -> None:
    with pytest.raises(psycopg2.Error), transaction(session) as cursor, as_application(cursor):
        cursor.execute("SELECT 1/0")
    session.autocommit = True
    with session.cursor() as cursor:
        with pytest.raises(psycopg2.Error), as_application(cursor):
            cursor.execute("SELECT 1/0")
        assert (path(cursor), application_path(cursor)) == (SAFE_PATH, "app, public")


def test_the_answer_stays(session: Connection) -> None:
    with transaction(session) as cursor:
        with as_application(cursor):
            cursor.execute("VALUES (1), (2)")
        assert (cursor.rowcount, cursor.fetchall()) == (2, [(1,), (2,)])


def test_another_path_is_left_alone(server: LocalServer, database: str) -> None:
    with contextlib.closing(server.connect(database)) as own, transaction(own) as cursor:
        cursor.execute("SET search_path = pg_catalog")
        with as_application(cursor):
            assert path(cursor) == "pg_catalog"
        assert (path(cursor), application_path(cursor)) == ("pg_catalog", "pg_catalog")
