# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What PostgreSQL and libpq say, in one line and without the rows that they quote."""

from __future__ import annotations

import contextlib

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.message import one_line

from demo.local_server import LocalServer


def said(server: LocalServer, database: str, statement: str) -> str:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.Error) as caught:
            cursor.execute(statement)
        return one_line(caught.value)


def test_only_the_primary_message_is_told(server: LocalServer, database: str) -> None:
    statement = "CREATE TABLE t (name text UNIQUE); INSERT INTO t VALUES ('secret'), ('secret')"
    assert said(server, database, statement) == 'duplicate key value violates unique constraint "t_name_key"'


def test_lines_become_one(server: LocalServer, database: str) -> None:
    assert said(server, database, "DO $$ BEGIN RAISE EXCEPTION E'one\\n\\n  two'; END $$") == "one two"


def test_without_a_server_libpq_is_quoted(server: LocalServer) -> None:
    with pytest.raises(psycopg2.OperationalError) as caught:
        psycopg2.connect(host="/nowhere", dbname="x")
    assert "\n" not in one_line(caught.value)
    assert "/nowhere/.s.PGSQL.5432" in one_line(caught.value)


def test_what_psycopg2_itself_says_is_told(server: LocalServer, database: str) -> None:
    connection = server.connect(database)
    connection.close()
    with pytest.raises(psycopg2.InterfaceError) as caught:
        connection.cursor()
    assert one_line(caught.value) == "connection already closed"
