# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges on a database, given to another one: exactly those, and granted by whom they were granted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import sql, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.database_privileges import (
    carry_privileges,
    read_privileges,
)

from demo.local_server import LocalServer

ROLES = ("p owner", "p-App", "p'auditor", "p_maker")
ACL = "SELECT array(SELECT a::text FROM unnest(datacl) AS a ORDER BY 1) FROM pg_database WHERE datname = %s"


@pytest.fixture
def cursor(server: LocalServer) -> Iterator[Any]:
    """Of a superuser; p_from and p_to belong to the same role."""
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for role in ROLES:
                cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            for name in ("p_from", "p_to"):
                cursor.execute(f'CREATE DATABASE {name} OWNER "p owner"')
            yield cursor
            cursor.execute("RESET SESSION AUTHORIZATION")
            for name in ("p_from", "p_to"):
                cursor.execute(f"DROP DATABASE {name}")
            for role in ROLES:
                cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def carried(cursor: Any) -> list[str]:
    """What remains for a superuser, after the privileges of p_from were given to p_to."""
    cursor.connection.autocommit = False
    try:
        with transaction(cursor.connection) as own:
            return carry_privileges(own, "p_to", "p owner", read_privileges(own, "p_from"))
    finally:
        cursor.connection.autocommit = True


def acl(cursor: Any, name: str) -> list[str]:
    cursor.execute(ACL, (name,))
    return cursor.fetchone()[0]


GRANTED_ON = (
    "REVOKE ALL ON DATABASE p_from FROM PUBLIC",
    'GRANT CONNECT, TEMPORARY ON DATABASE p_from TO "p-App" WITH GRANT OPTION',
    'SET ROLE "p-App"',
    """GRANT CONNECT ON DATABASE p_from TO "p'auditor" WITH GRANT OPTION""",
    """SET ROLE "p'auditor\"""",
    "GRANT CONNECT ON DATABASE p_from TO p_maker",
    "RESET ROLE",
)


@pytest.mark.parametrize(
    "statements",
    [
        ("REVOKE CONNECT ON DATABASE p_from FROM PUBLIC",),
        ('REVOKE TEMPORARY ON DATABASE p_from FROM "p owner"', "GRANT CREATE ON DATABASE p_from TO PUBLIC"),
        ('REVOKE ALL ON DATABASE p_from FROM "p owner", PUBLIC',),
        GRANTED_ON,
    ],
    ids=["connect", "owner", "nothing", "granted on"],
)
def test_they_are_the_same_with_grantors_and_options(cursor: Any, statements: tuple[str, ...]) -> None:
    for statement in statements:
        cursor.execute(statement)
    cursor.execute("REVOKE CONNECT ON DATABASE p_to FROM PUBLIC")
    cursor.execute("GRANT CREATE ON DATABASE p_to TO p_maker WITH GRANT OPTION")
    assert carried(cursor) == []
    assert acl(cursor, "p_to") == acl(cursor, "p_from")
    assert read_privileges(cursor, "p_to") == read_privileges(cursor, "p_from")
    cursor.execute("SELECT current_user = session_user")
    assert cursor.fetchone() == (True,)


def test_nothing_granted_is_the_default(cursor: Any) -> None:
    cursor.execute("REVOKE ALL ON DATABASE p_to FROM PUBLIC")
    assert carried(cursor) == []
    assert read_privileges(cursor, "p_to") == read_privileges(cursor, "p_from")


def test_what_only_a_superuser_may_say_is_said_and_nobody_lacks_it(cursor: Any) -> None:
    for statement in GRANTED_ON:
        cursor.execute(statement)
    cursor.execute('SET SESSION AUTHORIZATION "p owner"')  # by SET ROLE it could still act as everybody
    left = carried(cursor)
    cursor.execute("RESET SESSION AUTHORIZATION")
    assert left == [
        """SET ROLE "p-App"; GRANT CONNECT ON DATABASE "p_to" TO "p'auditor" WITH GRANT OPTION; RESET ROLE""",
        """SET ROLE "p'auditor"; GRANT CONNECT ON DATABASE "p_to" TO "p_maker"; RESET ROLE""",
    ]
    assert [one[:3] for one in read_privileges(cursor, "p_to")] == [
        one[:3] for one in read_privileges(cursor, "p_from")
    ]
    for statement in left:
        cursor.execute(statement)
    assert set(map(tuple, read_privileges(cursor, "p_from"))) <= set(
        map(tuple, read_privileges(cursor, "p_to"))
    )
