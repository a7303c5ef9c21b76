# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Triggers of constraints that are switched off, known by what does not depend on their database."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.trigger_states import (
    read_trigger_states,
    set_trigger_states,
    states_not_alike,
)

from demo.local_server import LocalServer
from tests.fresh_database import fresh_database

TABLES = (
    "CREATE TABLE parent (id int PRIMARY KEY, code int UNIQUE DEFERRABLE);"
    "CREATE TABLE child (parent int REFERENCES parent);"
    "CREATE TABLE part (id int, parent int REFERENCES parent) PARTITION BY LIST (id);"
    "CREATE TABLE part_1 PARTITION OF part DEFAULT"
)

KEY = "public.child.child_parent_fkey"


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        yield cursor


def test_of_constraints_that_are_checked_nothing_is_read(cursor: Any) -> None:
    assert read_trigger_states(cursor) == []


@pytest.mark.parametrize(
    ("statement", "state", "tables"),
    [
        ("ALTER TABLE child DISABLE TRIGGER ALL", "D", ["public.child"] * 2),
        ("ALTER TABLE child ENABLE REPLICA TRIGGER ALL", "R", None),
        ("ALTER TABLE parent DISABLE TRIGGER ALL", "D", ["public.parent"] * 5),
        ("ALTER TABLE part_1 DISABLE TRIGGER ALL", "D", ["public.part_1"] * 2),
        ("ALTER TABLE ONLY part DISABLE TRIGGER ALL", "D", ["public.part"] * 2),
    ],
)
def test_another_database_gets_the_same_states(
    server: LocalServer, cursor: Any, statement: str, state: str, tables: list[str] | None
) -> None:
    if tables is None:
        # PostgreSQL has no word for all triggers but ENABLE and DISABLE.
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'child'::regclass ORDER BY 1")
        names = [name for (name,) in cursor.fetchall()]
        statement = "; ".join(f'ALTER TABLE child ENABLE REPLICA TRIGGER "{name}"' for name in names)
        tables = ["public.child"] * 2
    cursor.execute(statement)
    states = json.loads(json.dumps(read_trigger_states(cursor)))
    assert [one[0] for one in states] == tables
    assert {one[5] for one in states} == {state}
    with (
        fresh_database(server) as name,
        contextlib.closing(server.connect(name)) as other,
        other.cursor() as there,
    ):
        # Other numbers than in the original.
        there.execute(f"CREATE TABLE before (id int PRIMARY KEY, b int REFERENCES before); {TABLES}")
        assert states_not_alike(states, read_trigger_states(there)) != []
        set_trigger_states(there, states)
        assert read_trigger_states(there) == states
        assert states_not_alike(states, read_trigger_states(there)) == []


def test_each_difference_is_a_line(cursor: Any) -> None:
    cursor.execute("ALTER TABLE child DISABLE TRIGGER ALL")
    states = read_trigger_states(cursor)
    assert states_not_alike(states, []) == [
        f"triggers of constraint {KEY} on public.child were disabled, are enabled"
    ]
    assert states_not_alike([], states) == [
        f"triggers of constraint {KEY} on public.child were enabled, are disabled"
    ]


def test_triggers_of_people_are_not_meant(cursor: Any) -> None:
    cursor.execute("CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    cursor.execute("CREATE TRIGGER own BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION act()")
    cursor.execute("ALTER TABLE child DISABLE TRIGGER USER")
    assert read_trigger_states(cursor) == []
