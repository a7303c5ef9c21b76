# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers that were given out are kept when a sequence goes back or is dropped, and are not given out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.rows.sequences import advance_sequence
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.sequences import (
    keep_positions,
    sequence_positions,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore

UP, DOWN = ("public", "up"), ("public", "down")


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SEQUENCE up; CREATE SEQUENCE down INCREMENT -1;"
            " SELECT nextval('up'), nextval('down') FROM generate_series(1, 9)"
        )
        yield cursor


def kept(cursor: Any, *statements: str) -> list[tuple[str, str]]:
    """(sequence, next value) of what is kept when the statements are a rollback."""
    before = sequence_positions(cursor, [])
    assert {name: before[name] for name in (UP, DOWN)} == {UP: (10, 1), DOWN: (-10, -1)}
    for statement in statements:
        cursor.execute(statement)
    keep_positions(SalvageStore(cursor), "run", "002", before, sequence_positions(cursor, []))
    cursor.execute("SELECT to_regclass('runbook_salvage.manifest') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return []
    cursor.execute(
        "SELECT m.table_name, r.kept FROM runbook_salvage.manifest m"
        " JOIN runbook_salvage.kept_row r USING (item) ORDER BY 1"
    )
    return cursor.fetchall()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", []),
        ("ALTER SEQUENCE up RESTART 12; ALTER SEQUENCE down RESTART -12", []),
        ("ALTER SEQUENCE up RESTART 9", [("up", "10")]),
        ("ALTER SEQUENCE down RESTART -9", [("down", "-10")]),
        ("DROP SEQUENCE up, down", [("down", "-10"), ("up", "10")]),
    ],
)
def test_a_sequence_that_goes_back_or_is_dropped_is_kept(
    cursor: Any, statement: str, expected: list[tuple[str, str]]
) -> None:
    assert kept(cursor, statement) == expected


@pytest.mark.parametrize(
    ("name", "wanted", "following"), [(UP, 20, 20), (UP, 5, 10), (DOWN, -20, -20), (DOWN, -5, -10)]
)
def test_a_sequence_is_moved_on_and_never_back(
    cursor: Any, name: tuple[str, str], wanted: int, following: int
) -> None:
    assert advance_sequence(cursor, name, wanted)
    cursor.execute(f"SELECT nextval('{name[1]}')")
    assert cursor.fetchone() == (following,)


def test_one_that_is_gone_is_said_to_be(cursor: Any) -> None:
    assert not advance_sequence(cursor, ("public", "gone"), 3)
