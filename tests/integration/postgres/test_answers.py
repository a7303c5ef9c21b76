# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the answer to a query that always has a row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.answers import has_relation, one_row
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor


@pytest.fixture
def cursor(connection: Connection) -> Iterator[Cursor]:
    with connection.cursor() as cursor:
        yield cursor


def test_the_one_row(cursor: Cursor) -> None:
    cursor.execute("SELECT count(*), 'a' FROM pg_catalog.pg_class WHERE false")
    assert one_row(cursor) == (0, "a")


def test_a_query_without_a_row_is_a_defect_and_said_so(cursor: Cursor) -> None:
    cursor.execute("SELECT 1 WHERE false")
    with pytest.raises(LookupError, match="gave none"):
        one_row(cursor)


def test_a_table_is_there_by_its_name_as_sql_has_it(cursor: Cursor) -> None:
    cursor.execute('CREATE SCHEMA shop; CREATE TABLE shop."Order"()')
    assert has_relation(cursor, 'shop."Order"')
    assert not has_relation(cursor, "shop.Order")
    assert not has_relation(cursor, "nowhere.at_all")
