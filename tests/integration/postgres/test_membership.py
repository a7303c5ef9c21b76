# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Acting as the owner of something: what is told is what lets the role, and never makes it a superuser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.default_privileges import (
    commands_to_forget,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.membership import (
    may_act_as,
    membership,
    to_act_as_owner_of_database,
)


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        cursor.execute('CREATE ROLE "De loyR.x"; CREATE ROLE "The Owner"; CREATE ROLE boss SUPERUSER')
        yield cursor
        connection.rollback()


def as_role(cursor: Any) -> None:
    cursor.execute('SET LOCAL ROLE "De loyR.x"')


def test_names_are_quoted_and_what_is_typed_lets_it(cursor: Any) -> None:
    command = membership(cursor, "De loyR.x", "The Owner")
    assert command == 'GRANT "The Owner" TO "De loyR.x"'
    as_role(cursor)
    assert may_act_as(cursor, "The Owner") == (False, False)
    cursor.execute("RESET ROLE")
    cursor.execute(command)
    as_role(cursor)
    assert may_act_as(cursor, "The Owner") == (False, True)
    assert may_act_as(cursor, "nobody there") == (False, True)


@pytest.mark.parametrize(
    ("owner", "end"), [("The Owner", 'GRANT "The Owner" TO'), ("boss", "ALTER DATABASE")]
)
def test_nobody_is_told_to_be_made_a_superuser(cursor: Any, owner: str, end: str) -> None:
    as_role(cursor)
    said = to_act_as_owner_of_database(cursor, "De loyR.x", "a db", owner)
    assert end in said.split(" types: ")[-1]
    assert 'GRANT "boss"' not in said
    if owner == "boss":
        assert said.startswith("boss is a superuser, of whom nobody is made a member")
        assert said.endswith('A superuser types: ALTER DATABASE "a db" OWNER TO "De loyR.x"')


def test_a_superuser_is_told_nothing_about_default_privileges(cursor: Any) -> None:
    cursor.execute('ALTER DEFAULT PRIVILEGES FOR ROLE boss GRANT SELECT ON TABLES TO "The Owner"')
    assert commands_to_forget(cursor) == {}
    as_role(cursor)
    assert commands_to_forget(cursor) == {
        "boss": ['ALTER DEFAULT PRIVILEGES FOR ROLE "boss" REVOKE SELECT ON TABLES FROM "The Owner"']
    }
