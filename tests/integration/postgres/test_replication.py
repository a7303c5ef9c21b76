# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Subscriptions of a database: known, refused while they are enabled, and left without touching the publisher."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.replication import (
    detach_subscriptions,
    read_replication,
    refuse_enabled_subscriptions,
)

NOBODY = "'host=/nonexistent dbname=x'"


@pytest.fixture
def subscribed(server: Any, database: str) -> Iterator[Any]:
    """A connection in autocommit mode to a database with two subscriptions to a publisher that is not there."""
    with contextlib.closing(server.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in ('"Odd sub"', "plain"):
                cursor.execute(
                    f"CREATE SUBSCRIPTION {name} CONNECTION {NOBODY} PUBLICATION p"
                    " WITH (connect = false, slot_name = held)"
                )
            yield connection
            detach_subscriptions(connection)


def test_subscriptions_of_this_database_only(server: Any, subscribed: Any) -> None:
    with subscribed.cursor() as cursor:
        assert read_replication(cursor) == {"slots": [], "subscriptions": ["Odd sub", "plain"]}
    with contextlib.closing(server.connect("postgres")) as elsewhere, elsewhere.cursor() as cursor:
        assert read_replication(cursor) == {"slots": [], "subscriptions": []}


def test_an_enabled_one_is_refused_with_the_statement_that_stops_it(subscribed: Any) -> None:
    with subscribed.cursor() as cursor:
        refuse_enabled_subscriptions(cursor, "library")
        cursor.execute('ALTER SUBSCRIPTION "Odd sub" ENABLE')
        with pytest.raises(Refused) as refused:
            refuse_enabled_subscriptions(cursor, "library")
    assert refused.value.reason.endswith('ALTER SUBSCRIPTION "Odd sub" DISABLE;')
    assert "write to library (Odd sub)" in refused.value.reason


def test_they_go_without_a_word_to_the_publisher(subscribed: Any) -> None:
    """With its slot's name, DROP SUBSCRIPTION would want to reach the publisher."""
    with subscribed.cursor() as cursor:
        cursor.execute("ALTER SUBSCRIPTION plain ENABLE")
        detach_subscriptions(subscribed)
        assert read_replication(cursor)["subscriptions"] == []
        detach_subscriptions(subscribed)
