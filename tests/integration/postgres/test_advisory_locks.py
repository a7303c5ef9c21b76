# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""No script gives away the advisory locks that its session had before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.advisory_locks import (
    holds,
    lock_of,
    locks_held,
    take_again,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.script_session import scripts_turn

from tests.integration.step_runs import target

KEYS = (0x72756E626F6F6B, 7, -1, -(2**63))
RELEASES = "SELECT pg_advisory_unlock_all()"


@pytest.fixture
def ours(server: Any, database: str) -> Iterator[Any]:
    with contextlib.closing(connect(target(server, database))) as connection, connection.cursor() as cursor:
        for key in KEYS:
            cursor.execute("SELECT pg_advisory_lock(%s)", (key,))
        cursor.execute("SELECT pg_advisory_lock(-3, 4)")
        connection.commit()
        yield connection


@pytest.fixture
def other(server: Any, database: str) -> Iterator[Any]:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


def gets(other: Any) -> list[bool]:
    """Which of them another session gets; it gives them back."""
    found = []
    for key in KEYS:
        other.execute("SELECT pg_try_advisory_lock(%s)", (key,))
        found.append(other.fetchone()[0])
    other.execute("SELECT pg_try_advisory_lock(-3, 4)")
    found.append(other.fetchone()[0])
    other.execute(RELEASES)
    return found


NONE, ALL = [False] * 5, [True] * 5


def test_a_lock_is_known_by_its_key(ours: Any) -> None:
    with ours.cursor() as cursor:
        assert all(holds(cursor, key) for key in KEYS)
        assert not holds(cursor, 8)
        assert len(locks_held(cursor)) == 5


def test_in_a_transaction_they_stay_while_the_script_runs_and_afterwards(ours: Any, other: Any) -> None:
    with ours.cursor() as cursor:
        with scripts_turn(cursor):
            cursor.execute(RELEASES)
            assert gets(other) == NONE
        ours.commit()
        assert gets(other) == NONE
        # Each is held once: whoever releases it has released it.
        cursor.execute(RELEASES)
        assert gets(other) == ALL


def test_a_script_that_releases_none_changes_nothing(ours: Any, other: Any) -> None:
    with ours.cursor() as cursor:
        with scripts_turn(cursor):
            cursor.execute("SELECT 1")
        ours.commit()
        assert gets(other) == NONE
        for key in KEYS:
            cursor.execute("SELECT pg_advisory_unlock(%s)", (key,))
        cursor.execute("SELECT pg_advisory_unlock(-3, 4)")
        ours.commit()
        assert gets(other) == ALL


@pytest.mark.parametrize("statement", [RELEASES, "DISCARD ALL"])
def test_outside_of_one_they_are_taken_again(ours: Any, other: Any, statement: str) -> None:
    ours.autocommit = True
    with ours.cursor() as cursor:
        with scripts_turn(cursor, whole=False):
            cursor.execute(statement)
        assert gets(other) == NONE


def test_what_another_session_got_meanwhile_is_said(ours: Any, other: Any) -> None:
    ours.autocommit = True
    with ours.cursor() as cursor:
        locks = locks_held(cursor)
        cursor.execute(RELEASES)
        other.execute("SELECT pg_advisory_lock(%s)", (KEYS[0],))
        with pytest.raises(StepFailed) as failed:
            take_again(cursor, locks)
    assert failed.value.code == "run_lock_lost"


def test_a_check_that_fails_has_released_none_either(ours: Any, other: Any) -> None:
    with ours.cursor() as cursor, contextlib.suppress(LookupError), scripts_turn(cursor):
        cursor.execute(RELEASES)
        raise LookupError
    ours.rollback()
    assert gets(other) == NONE


def test_after_a_statement_that_failed_the_next_attempt_takes_it_again(ours: Any, other: Any) -> None:
    with ours.cursor() as cursor:
        with contextlib.suppress(Exception), scripts_turn(cursor):
            cursor.execute(RELEASES)
            cursor.execute("SELECT 1 / 0")
        ours.rollback()
        assert gets(other) == ALL, "no rollback gives it back"
        take_again(cursor, [lock_of(KEYS[0])])
        ours.commit()
        assert gets(other) == [False, True, True, True, True]
