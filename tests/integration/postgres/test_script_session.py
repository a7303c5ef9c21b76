# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runbook's turn and a script's turn in one session."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.script_session import (
    OUR_SETTINGS,
    leave_nothing,
    schemas_of_role,
    scripts_turn,
)
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.statement_limits import StatementLimits

from tests.integration.step_runs import target

_numbers = itertools.count(1)

#: What a role may have, with the value that psql shows: none of it is ours.
OF_ROLE = {
    "search_path": "app, public",
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "German, DMY",
    "bytea_output": "escape",
    "row_security": "on",
    "default_transaction_isolation": "serializable",
    "session_replication_role": "replica",
    "synchronous_commit": "off",
    "work_mem": "3MB",
    "own.setting": "mine",
}
SHOWN = "SELECT n, current_setting(n, true) FROM unnest(%s) AS s(n)"


@pytest.fixture
def role(server: Any, database: str) -> Iterator[str]:
    """A superuser with settings of its own."""
    name = f"scripts_turn_{next(_numbers)}"
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE ROLE {name} SUPERUSER LOGIN; CREATE SCHEMA app")
        for setting, value in OF_ROLE.items():
            text = value if setting in ("search_path", "DateStyle") else f"'{value}'"
            cursor.execute(f"ALTER ROLE {name} SET {setting} = {text}")
        yield name
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))
        cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def ours(server: Any, database: str, role: str) -> Iterator[Any]:
    with contextlib.closing(connect({**target(server, database), "login_user": role})) as connection:
        yield connection


def shown(cursor: Any, names: Any = (*OUR_SETTINGS, *OF_ROLE)) -> dict[str, str]:
    cursor.execute(SHOWN, (list(names),))
    return dict(cursor.fetchall())


def test_a_connection_begins_in_our_turn_and_a_script_in_that_of_its_role(ours: Any) -> None:
    with transaction(ours) as cursor:
        before = shown(cursor)
        for name, pinned in OUR_SETTINGS.items():
            assert before[name] in (pinned.value, None), name
        assert before["synchronous_commit"] == "local", (
            "a COMMIT that is reported stays, and waits for no standby"
        )
        with scripts_turn(cursor):
            assert {name: shown(cursor)[name] for name in OF_ROLE} == OF_ROLE
        after = shown(cursor)
        assert {name: after[name] for name in OUR_SETTINGS} == {name: before[name] for name in OUR_SETTINGS}
    with transaction(ours) as cursor:
        assert shown(cursor) == after, "after COMMIT too"


CHANGES = """
    SET search_path = app; SET TimeZone = 'Europe/Berlin'; SET own.setting = 'other'; SET LOCAL work_mem = '1MB';
    SET session_replication_role = replica; CREATE TEMPORARY TABLE work (id serial PRIMARY KEY);
    PREPARE p AS TABLE work; DECLARE c CURSOR WITH HOLD FOR TABLE work; LISTEN x;
    CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
    SET SESSION AUTHORIZATION pg_monitor; SET ROLE pg_monitor"""


@pytest.mark.parametrize("autocommit", [False, True])
def test_nothing_that_a_script_does_to_its_session_is_left(ours: Any, autocommit: bool) -> None:
    ours.autocommit = autocommit
    with ours.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE of_ours AS SELECT 1 AS one")
        before = shown(cursor)
        with scripts_turn(cursor):
            cursor.execute(CHANGES)
        assert {**shown(cursor), "own.setting": None, "work_mem": None} == {
            **before,
            "own.setting": None,
            "work_mem": None,
        }
        cursor.execute(
            "SELECT current_user = session_user, to_regclass('pg_temp.work'), (SELECT count(*) FROM pg_temp.of_ours),"
            " (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),"
            " (SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema())"
        )
        assert cursor.fetchone() == (True, None, 1, 0, 0, 0)
        with scripts_turn(cursor):
            assert {name: shown(cursor)[name] for name in OF_ROLE} == OF_ROLE, "the next one begins anew"


def test_a_script_in_parts_keeps_what_it_made_until_its_end(ours: Any) -> None:
    ours.autocommit = True
    with ours.cursor() as cursor:
        with scripts_turn(cursor, whole=False):
            cursor.execute("CREATE TEMPORARY TABLE work AS SELECT 1; PREPARE p AS TABLE pg_temp.work")
        with scripts_turn(cursor, whole=False):
            cursor.execute("EXECUTE p")
            assert cursor.fetchall() == [(1,)]
        leave_nothing(cursor, [])
        cursor.execute("SELECT to_regclass('pg_temp.work')")
        assert cursor.fetchone() == (None,)


def test_after_a_failure_the_transaction_is_undone_and_our_turn_with_it(ours: Any) -> None:
    with transaction(ours) as cursor:
        before = shown(cursor)
    with pytest.raises(psycopg2.errors.DivisionByZero), transaction(ours) as cursor, scripts_turn(cursor):
        cursor.execute("SET search_path = app; SELECT 1/0")
    with transaction(ours) as cursor:
        assert shown(cursor) == before
    with (
        pytest.raises(RuntimeError, match="not of the server"),
        transaction(ours) as cursor,
        scripts_turn(cursor),
    ):
        raise RuntimeError("not of the server")
    with transaction(ours) as cursor:
        assert shown(cursor) == before


def test_another_attempt_after_one_that_was_undone_begins_as_the_first(ours: Any) -> None:
    """No ROLLBACK takes a prepared statement back."""
    for _ in range(2):
        with (
            pytest.raises(psycopg2.errors.LockNotAvailable),
            transaction(ours) as cursor,
            scripts_turn(cursor),
        ):
            cursor.execute("PREPARE p AS SELECT 1; DO $$ BEGIN RAISE lock_not_available; END $$")


def test_the_schemas_are_those_of_the_role_and_the_session_does_not_notice(ours: Any) -> None:
    with transaction(ours) as cursor:
        assert schemas_of_role(cursor) == ["app", "public"]
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("pg_catalog, pg_temp",)


# Limits -----------------------------------------------------------------------------------------------------------

LIMITS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")


def test_a_script_may_make_a_limit_stricter_and_not_lift_it(ours: Any) -> None:
    with transaction(ours) as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '15min'")
        with scripts_turn(cursor) as limits:
            assert limits.set_again(cursor) == []
            cursor.execute(
                "SET lock_timeout = 0; SET LOCAL statement_timeout = '30s'; SET transaction_timeout = '1h'"
            )
            assert limits.set_again(cursor) == ["lock_timeout = 0"]
            found = shown(cursor, LIMITS)
            assert (found["lock_timeout"], found["statement_timeout"]) == ("2s", "30s")
            cursor.execute("SELECT set_config('statement_timeout', '1d', false)")
            assert limits.set_again(cursor) == ["statement_timeout = 1d"]
        found = shown(cursor, LIMITS)
        assert (found["lock_timeout"], found["statement_timeout"]) == ("2s", "15min")
        assert found["transaction_timeout"] in ("0", None)
    with transaction(ours) as cursor:
        assert set(shown(cursor, LIMITS).values()) <= {"0", None}, "they end with the transaction"


def test_limits_of_role_and_database_end_no_script(server: Any, database: str, connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET statement_timeout = '400ms'")
    connection.commit()
    with contextlib.closing(connect(target(server, database))) as ours, transaction(ours) as cursor:
        with scripts_turn(cursor):
            cursor.execute("SELECT pg_sleep(0.6)")
        assert StatementLimits.in_force(cursor).values["statement_timeout"] == "0"


def test_what_is_sent_is_read_as_it_was_written_whatever_a_script_says(ours: Any) -> None:
    with transaction(ours) as cursor, scripts_turn(cursor) as limits:
        cursor.execute("SET client_encoding = 'LATIN1'")
        limits.set_again(cursor)
        cursor.execute("SELECT length('é')")
        assert cursor.fetchone() == (1,)
