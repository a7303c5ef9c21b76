# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Extensions that a copy can do without, and which of them a role may make."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.lone_extensions import (
    make_those_allowed,
    read_lone_extensions,
    those_missing,
)


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hstore; CREATE EXTENSION unaccent"
        )
        yield cursor


def lone(cursor: Any) -> list[str]:
    return [one.name for one in read_lone_extensions(cursor)]


def test_what_nothing_depends_on_is_found(cursor: Any) -> None:
    found = read_lone_extensions(cursor)
    assert [tuple(one) for one in found] == [
        ("hstore", "hstore", "public"),
        ("pg_stat_statements", "pg_stat_statements", "public"),
        ("unaccent", "unaccent", "public"),
    ]


@pytest.mark.parametrize(
    ("statement", "used"),
    [
        ("CREATE TABLE t (h hstore)", "hstore"),
        ("CREATE TABLE t (h hstore[])", "hstore"),
        ("CREATE TABLE t (w text DEFAULT unaccent('a'))", "unaccent"),
        ("CREATE VIEW v AS SELECT queryid FROM pg_stat_statements", "pg_stat_statements"),
        (
            "CREATE FUNCTION f(pg_stat_statements) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "pg_stat_statements",
        ),
        ("REVOKE SELECT ON pg_stat_statements FROM PUBLIC", "pg_stat_statements"),
        ("GRANT EXECUTE ON FUNCTION pg_stat_statements_reset TO PUBLIC", "pg_stat_statements"),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f DEPENDS ON EXTENSION hstore",
            "hstore",
        ),
        ("CREATE EXTENSION hstore_plperl CASCADE", "hstore"),
    ],
)
def test_what_the_application_uses_is_not(cursor: Any, statement: str, used: str) -> None:
    if "plperl" in statement:
        cursor.execute("SELECT FROM pg_available_extensions WHERE name = 'hstore_plperl'")
        if not cursor.fetchone():
            pytest.skip("the server has no plperl")
    before = lone(cursor)
    cursor.execute(statement)
    assert [name for name in before if name not in lone(cursor)] == [used]


def test_a_role_makes_what_it_may(connection: Any) -> None:
    wanted = [["hstore", "hstore", "public"], ["pageinspect", "pageinspect", "public"]]
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE makes_some; GRANT CREATE ON SCHEMA public TO makes_some")
        cursor.execute("SELECT format('GRANT CREATE ON DATABASE %I TO makes_some', current_database())")
        cursor.execute(cursor.fetchone()[0])
        connection.commit()
        try:
            cursor.execute("SET ROLE makes_some")
            connection.commit()
            assert make_those_allowed(connection, wanted) == ["pageinspect"]
            assert [one.name for one in those_missing(cursor, wanted)] == ["pageinspect"]
        finally:
            connection.rollback()
            cursor.execute("RESET ROLE; DROP OWNED BY makes_some CASCADE; DROP ROLE makes_some")
            connection.commit()
