# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people granted and revoked on the objects of a migration is granted and revoked again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.privileges import (
    change_privileges_again,
    privileges_changed_since,
)

OBJECTS = """
    CREATE TABLE "Star" (id int, "My mark" text); CREATE VIEW stars AS SELECT id FROM "Star"; CREATE SEQUENCE numbers;
    CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql RETURN 1; CREATE TYPE mood AS ENUM ('a');
    CREATE SCHEMA extra; CREATE DOMAIN percent AS int"""


@pytest.fixture
def role(connection: Any, database: str) -> Iterator[str]:
    name = f"{database} reader"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{name}"')
        yield name
    connection.rollback()  # and with it the role


@pytest.mark.parametrize(
    "change",
    [
        'GRANT SELECT, INSERT ON "Star" TO {role}',
        'GRANT SELECT ON "Star" TO {role} WITH GRANT OPTION',
        'GRANT SELECT ("My mark") ON "Star" TO {role}',
        "GRANT SELECT ON stars TO PUBLIC",
        "GRANT USAGE ON SEQUENCE numbers TO {role}",
        "REVOKE EXECUTE ON FUNCTION twice FROM PUBLIC; GRANT EXECUTE ON FUNCTION twice TO {role}",
        "REVOKE USAGE ON TYPE mood FROM PUBLIC",
        "GRANT CREATE ON SCHEMA extra TO {role}",
        "REVOKE USAGE ON DOMAIN percent FROM PUBLIC",
    ],
)
def test_a_change_is_found_and_made_again(connection: Any, role: str, change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OBJECTS)
        made = read_schema(cursor)
        cursor.execute("SAVEPOINT made")
        cursor.execute(change.format(role=f'"{role}"'))
        now = read_schema(cursor)
        changed = privileges_changed_since(made, now)
        assert len(changed) == 1
        cursor.execute("ROLLBACK TO SAVEPOINT made")
        assert read_schema(cursor) == made
        for key, privileges in changed.items():
            assert change_privileges_again(cursor, key, **privileges) == [] or not privileges
        assert read_schema(cursor) == now


def test_what_did_not_change_or_is_gone_is_not_told() -> None:
    made = {
        "table public.a": {"privileges": ["x=r/o"]},
        "table public.b": {"privileges": ["x=r/o"]},
        "index public.c": {"privileges": ["x=r/o"]},
    }
    now = {"table public.a": {"privileges": ["x=r/o"]}, "index public.c": {"privileges": []}}
    assert privileges_changed_since(made, now) == {}


def test_what_cannot_be_granted_is_said_and_the_rest_is_done(connection: Any, role: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OBJECTS)
        cursor.execute("SELECT current_user::text")
        (owner,) = cursor.fetchone()
        here = f'"{role}"=r/{owner}'
        problems = change_privileges_again(cursor, "table public.nowhere", [here], [])
        assert problems == ["public.nowhere is gone"]
        assert change_privileges_again(cursor, 'table public."Star"', [here], []) == []
        cursor.execute("SELECT has_table_privilege(%s, 'public.\"Star\"', 'SELECT')", (role,))
        assert cursor.fetchone() == (True,)
