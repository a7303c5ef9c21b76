# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Constraints that wait for COMMIT: fired when asked, and declared as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.constraints import (
    constraints_as_declared,
    fire_deferred,
)

SCHEMA = """
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (parent int CONSTRAINT waits REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE stepchild (parent int CONSTRAINT "may wait" REFERENCES parent DEFERRABLE);
    CREATE TABLE namesake (parent int CONSTRAINT waits REFERENCES parent);
    CREATE SCHEMA elsewhere;
    CREATE TABLE elsewhere.child (parent int CONSTRAINT waits REFERENCES parent DEFERRABLE)"""


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        connection.commit()
        yield cursor


def fails(cursor: Any, statement: Any) -> bool:
    """Whether a statement is refused for a foreign key at once."""
    cursor.execute("SAVEPOINT before")
    try:
        cursor.execute(statement)
    except psycopg2.errors.ForeignKeyViolation:
        cursor.execute("ROLLBACK TO SAVEPOINT before")
        return True
    cursor.execute("ROLLBACK TO SAVEPOINT before")
    return False


def test_what_waits_is_checked_and_waits_no_more(cursor: Any) -> None:
    cursor.execute("INSERT INTO child VALUES (1); INSERT INTO parent VALUES (1)")
    fire_deferred(cursor)
    assert fails(cursor, "INSERT INTO child VALUES (2)")


def test_what_does_not_hold_is_said(cursor: Any) -> None:
    cursor.execute("INSERT INTO child VALUES (1)")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="waits"):
        fire_deferred(cursor)


@pytest.mark.parametrize("earlier", ["SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED"])
def test_all_are_again_as_they_were_declared(cursor: Any, earlier: str) -> None:
    cursor.execute(earlier)
    constraints_as_declared(cursor)
    assert not fails(cursor, "INSERT INTO child VALUES (1)")
    assert fails(cursor, "INSERT INTO stepchild VALUES (1)")
    assert fails(cursor, "INSERT INTO namesake VALUES (1)")
    assert fails(cursor, "INSERT INTO elsewhere.child VALUES (1)")


def test_of_two_with_one_name_neither_stands_in_the_others_way(cursor: Any) -> None:
    """SET CONSTRAINTS takes all constraints of a name, of whatever table."""
    cursor.execute("CREATE TABLE third (parent int CONSTRAINT waits REFERENCES parent DEFERRABLE)")
    constraints_as_declared(cursor)
    assert not fails(cursor, "INSERT INTO child VALUES (1)")


def test_a_database_without_any(connection: Any) -> None:
    with connection.cursor() as cursor:
        constraints_as_declared(cursor)
        fire_deferred(cursor)
