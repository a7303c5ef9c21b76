# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settings that decide how values are written: pinned, and put back as they were."""

from __future__ import annotations

from typing import Any

import psycopg2.extras
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import (
    PINNED_SETTINGS,
    QUICKER_SETTINGS,
    pin_session,
    restore_session,
)


def settings(cursor: Any) -> dict[str, str]:
    cursor.execute(
        "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)", ([*PINNED_SETTINGS],)
    )
    found = {row[0]: row[1] for row in cursor.fetchall()}
    return {name: found[name] for name in PINNED_SETTINGS if name in found}


PINNED = {name: pinned.value for name, pinned in PINNED_SETTINGS.items()}


@pytest.fixture
def odd(connection: Any) -> Any:
    """A cursor of a session whose every setting is another one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET IntervalStyle = 'iso_8601';"
            " SET extra_float_digits = 0; SET bytea_output = escape; SET xmlbinary = hex; SET xmloption = document;"
            " SET search_path = public, pg_catalog; SET quote_all_identifiers = on;"
            " SET standard_conforming_strings = off; SET row_security = on"
        )
        connection.commit()
        yield cursor


def test_pinned_for_the_transaction_and_put_back(odd: Any) -> None:
    before = settings(odd)
    previous = pin_session(odd, local=True)
    assert settings(odd) == {name: PINNED[name] for name in before}
    assert {name: previous[name] for name in before} == before
    restore_session(odd, previous)
    assert settings(odd) == before


def test_pinned_locally_it_ends_with_the_transaction(odd: Any) -> None:
    before = settings(odd)
    pin_session(odd, local=True)
    odd.connection.commit()
    assert settings(odd) == before


def test_pinned_for_the_session_it_outlives_the_transaction(odd: Any) -> None:
    previous = pin_session(odd, local=False)
    odd.connection.commit()
    assert settings(odd)["TimeZone"] == "UTC"
    restore_session(odd, previous, local=False)
    odd.connection.commit()
    assert settings(odd)["TimeZone"] == "Asia/Tokyo"


def test_values_are_written_alike_whatever_the_session_had(odd: Any) -> None:
    query = (
        "SELECT ROW('2026-03-01 12:00+00'::timestamptz, '1 day 2 h'::interval, 0.1::float8 * 3,"
        " decode('00ff', 'hex'))::text"
    )
    odd.execute(query)
    (before,) = odd.fetchone()
    pin_session(odd, local=True)
    odd.execute(query)
    (pinned,) = odd.fetchone()
    assert pinned == '("2026-03-01 12:00:00+00","1 day 02:00:00",0.30000000000000004,"\\\\x00ff")'
    assert before != pinned


def test_a_cursor_of_mappings_serves_too(connection: Any) -> None:
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        assert set(pin_session(cursor, local=True)) == {*PINNED_SETTINGS, *QUICKER_SETTINGS}


@pytest.mark.parametrize(("had", "has"), [("1MB", "64MB"), ("256MB", "256MB")])
def test_our_statements_have_memory_and_are_not_compiled_meanwhile(
    connection: Any, had: str, has: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET work_mem = '{had}'; SET jit = on")
        query = "SELECT current_setting('work_mem'), current_setting('jit')"
        previous = pin_session(cursor, local=True)
        cursor.execute(query)
        assert cursor.fetchone() == (has, "off")
        restore_session(cursor, previous, local=True)
        cursor.execute(query)
        assert cursor.fetchone() == (had, "on")
