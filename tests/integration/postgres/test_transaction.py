# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A transaction is committed at its end, and undone by whatever ends it before."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import transaction


def tables(connection: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return cursor.fetchall()


def test_what_is_done_stays(connection: Any) -> None:
    with transaction(connection) as cursor:
        cursor.execute("CREATE TABLE kept ()")
    connection.rollback()
    assert tables(connection) == [("kept",)]


def fail(connection: Any, error: BaseException, *statements: str, close: bool = False) -> None:
    with transaction(connection) as cursor:
        for statement in statements:
            cursor.execute(statement)
        if close:
            connection.close()
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_ends_with_an_error_is_undone(connection: Any, error: type[BaseException]) -> None:
    with pytest.raises(error):
        fail(connection, error(), "CREATE TABLE undone ()")
    assert connection.info.transaction_status == 0
    assert tables(connection) == []


def test_a_connection_that_was_lost_hides_no_error(connection: Any) -> None:
    with pytest.raises(ValueError, match="the first one"):
        fail(connection, ValueError("the first one"), close=True)
