# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Locks that are sampled beside a statement: seen while they are held, and never taken for none where nobody looked."""

from __future__ import annotations

import time
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.impact import locks
from ansible_collections.pgops.runbook.plugins.module_utils.impact.locks import LockSampler
from ansible_collections.pgops.runbook.plugins.module_utils.impact.one_by_one import ImpactOneByOne


def until_seen(sampler: LockSampler, table: str) -> None:
    for _ in range(600):
        if any(lock["table"] == table for lock in sampler.locks):
            return
        time.sleep(0.05)
    pytest.fail(f"no lock on {table} was seen")


@pytest.fixture
def holder(connection: Any) -> Any:
    """Holds a lock on a table."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE held (id int)")
        connection.commit()
        cursor.execute("LOCK TABLE held IN SHARE MODE")
    return connection


def test_a_lock_is_seen_while_it_is_held(holder: Any) -> None:
    with LockSampler(holder) as sampler:
        until_seen(sampler, "public.held")
    assert sampler.observed
    assert ("public.held", "ShareLock") in {(lock["table"], lock["mode"]) for lock in sampler.locks}


def test_a_look_that_breaks_down_has_observed_nothing(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*arguments: Any) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(locks, "held_locks", lost)
    holder.rollback()
    holder.autocommit = True
    impact = ImpactOneByOne()
    with holder.cursor() as cursor, impact.outside_transaction(cursor):
        time.sleep(10 * locks.LOOK_EVERY_SECONDS)
    assert impact.result()["locks_observed"] is False


def test_nor_has_one_that_finds_no_connection(holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise locks.RunbookError("server_unreachable", "too many clients")

    monkeypatch.setattr(locks, "connect_again", full)
    with LockSampler(holder) as sampler:
        pass
    assert not sampler.observed
