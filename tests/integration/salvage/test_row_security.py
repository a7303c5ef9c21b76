# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that row level security keeps from somebody do not become readable by being kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2 import sql

from tests.integration.step_runs import StepRuns

KEPT = "SELECT count(*) FROM runbook_salvage.kept_row"


@pytest.fixture
def reader(runs: StepRuns) -> Iterator[Callable[[str], list[tuple]]]:
    """Asks as a role that may read every table, and passes no policy by."""
    runs.execute("CREATE ROLE all_reader LOGIN", "GRANT pg_read_all_data TO all_reader")

    def ask(query: str) -> list[tuple]:
        server = runs.server
        with (
            contextlib.closing(
                psycopg2.connect(host=server.host, port=server.port, user="all_reader", dbname=runs.database)
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql.SQL(query))
            return cursor.fetchall()

    yield ask
    runs.execute("DROP OWNED BY all_reader", "DROP ROLE all_reader")


def test_what_somebody_was_not_to_see_he_does_not_see_in_the_salvage(
    runs: StepRuns, reader: Callable[[str], list[tuple]]
) -> None:
    runs.execute(
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON notes FOR SELECT TO all_reader USING (id = 1)",
    )
    runs.deploy()
    runs.execute("UPDATE notes SET author = 'ada'")
    assert reader("SELECT author FROM notes") == [("ada",)]
    runs.another("emergency_rollback").roll_back()
    assert runs.ask(KEPT) == [(3,)]
    assert reader(KEPT) == [(0,)]
    runs.another().deploy()
    assert runs.ask("SELECT count(author) FROM notes") == [(3,)]


def test_where_there_is_no_row_security_a_dump_of_a_reader_goes_on(
    runs: StepRuns, reader: Callable[[str], list[tuple]]
) -> None:
    runs.deploy()
    runs.execute("UPDATE notes SET author = 'ada'")
    runs.another("emergency_rollback").roll_back()
    assert reader(f"SET row_security = off; {KEPT}") == [(3,)]


def test_a_large_object_that_is_kept_is_its_owner_s(
    runs: StepRuns, reader: Callable[[str], list[tuple]]
) -> None:
    runs.write(
        migrations__002_author="CREATE TABLE files (content oid); SELECT lo_from_bytea(815, 'made');",
        rollback__002_author_rollback="SELECT lo_unlink(815); DROP TABLE files;",
    )
    runs.deploy()
    runs.execute("SELECT lo_put(815, 0, 'secret')")
    runs.another("emergency_rollback").roll_back()
    assert runs.ask(KEPT) != [(0,)]
    assert reader(KEPT) == [(0,)]
