# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the schema: equal where it is equal, within the transaction, and without a trace."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import (
    carried_by_dump,
    dead_column_slots,
    digest,
    read_catalog,
)
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import describe, difference
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.excluded import (
    CATALOGS_LEFT_OUT,
    COLUMNS_LEFT_OUT,
)
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.rules import RULES
from psycopg2.extras import RealDictCursor

from demo.local_server import LocalServer
from tests.integration.catalog.dump import restore_into, schema_dump


def test_a_restored_copy_has_an_equal_schema(
    server: LocalServer, rich: Any, database: str, tmp_path: Path
) -> None:
    restore_into(server, "rich", database, tmp_path / "archive")
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        restored = read_catalog(cursor)
    assert describe(difference(carried_by_dump(rich[0]), carried_by_dump(restored))) == []


def test_uncommitted_changes_are_seen_and_gone_after_rollback(connection: Any) -> None:
    with connection.cursor() as cursor:
        before = read_catalog(cursor)
        cursor.execute("CREATE TABLE fresh (id int)")
        assert "table public.fresh" in read_catalog(cursor)
        connection.rollback()
        assert read_catalog(cursor) == before


def test_reading_leaves_every_setting_as_it_was_in_the_transaction_and_after_it(connection: Any) -> None:
    settings = "SELECT name, setting FROM pg_settings ORDER BY name"
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = elsewhere, public; SET TimeZone = 'Asia/Tokyo'")
        cursor.execute(settings)
        before = cursor.fetchall()
        read_catalog(cursor)
        cursor.execute(settings)
        assert cursor.fetchall() == before
        connection.commit()
        cursor.execute(settings)
        assert cursor.fetchall() == before


@pytest.mark.parametrize(
    "setting",
    [
        "search_path = app, public",
        "TimeZone = 'America/New_York'",
        "DateStyle = 'German'",
        "IntervalStyle = 'sql_standard'",
        "extra_float_digits = -3",
        "bytea_output = 'escape'",
        "quote_all_identifiers = on",
        "standard_conforming_strings = off",
    ],
)
def test_the_sessions_settings_do_not_matter(
    server: LocalServer, rich: Any, copy_of_rich: Any, setting: str
) -> None:
    constants = (
        "CREATE TABLE app.constants ("
        "a timestamptz DEFAULT '2020-01-02 03:04+00', b interval DEFAULT '1 mon 2 d',"
        " c float8 DEFAULT 0.1::float8 + 0.2, d bytea DEFAULT '\\x01ff'::bytea,"
        " e text DEFAULT E'back\\\\slash', f date DEFAULT '2020-01-02'::date,"
        " g regclass DEFAULT 'app.parents'::regclass)"
    )
    with contextlib.closing(server.connect(copy_of_rich)) as connection, connection.cursor() as cursor:
        cursor.execute(constants)
        expected = read_catalog(cursor)
        cursor.execute(f"SET {setting}")
        assert describe(difference(expected, read_catalog(cursor))) == []


@pytest.mark.parametrize("factory", [None, RealDictCursor])
def test_any_cursor_will_do(connection: Any, factory: Any) -> None:
    with connection.cursor(cursor_factory=factory) as cursor:
        cursor.execute("CREATE TABLE t (a int)")
        assert read_catalog(cursor)["column public.t.a"]["type"] == "integer"


def test_a_plain_role_reads_the_same_but_for_secrets(
    server: LocalServer, rich: Any, copy_of_rich: Any
) -> None:
    with contextlib.closing(server.connect(copy_of_rich)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE SUBSCRIPTION feed CONNECTION 'host=h password=secret' PUBLICATION p"
            " WITH (connect = false, slot_name = none)"
        )
        before = read_catalog(cursor)
        cursor.execute("SET ROLE other")
        found = difference(before, read_catalog(cursor))
        connection.rollback()
    assert "secret" not in json.dumps(before)
    assert not found.added
    assert not found.removed
    assert {key: set(facts) for key, facts in found.changed.items()} == {
        "subscription feed": {"connection digest"},
        "user mapping public on server remote": {"options digest"},
    }


def test_in_autocommit_mode_it_wants_a_transaction(connection: Any) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor:
        with pytest.raises(ValueError, match="BEGIN"):
            read_catalog(cursor)
        cursor.execute("BEGIN")
        assert read_catalog(cursor)


@pytest.mark.parametrize(
    "detour",
    [
        "ALTER TABLE app.parents ADD gone int; ALTER TABLE app.parents DROP gone",
        "CREATE INDEX gone ON app.base (id); DROP INDEX app.gone",
        "GRANT SELECT ON app.base TO other; REVOKE SELECT ON app.base FROM other",
        "GRANT EXECUTE ON FUNCTION app.touch() TO other; REVOKE EXECUTE ON FUNCTION app.touch() FROM other",
        "ALTER TABLE app.base ADD gone text; ALTER TABLE app.base DROP gone",  # leaves a TOAST table
        "CREATE RULE gone AS ON DELETE TO app.base DO INSTEAD NOTHING; DROP RULE gone ON app.base",
        "VACUUM FULL app.parents",
        "ANALYZE",
        "DROP VIEW app.names; CREATE VIEW app.names AS SELECT id, name FROM app.parents",
        "ALTER TABLE app.parents SET (fillfactor = 50, autovacuum_enabled = off);"
        "ALTER TABLE app.parents RESET (fillfactor, autovacuum_enabled)",
        "REINDEX TABLE app.parents",
        "CREATE TABLE runbook.more (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "INSERT INTO app.parents (name) VALUES ('a'); SELECT nextval('app.numbers'); SELECT lo_create(0)",
    ],
)
def test_another_history_of_the_same_schema_is_no_difference(
    server: LocalServer, rich: Any, copy_of_rich: Any, detour: str
) -> None:
    with contextlib.closing(server.connect(copy_of_rich)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in detour.split(";"):
                cursor.execute(statement)
            cursor.execute("BEGIN")
            assert describe(difference(rich[0], read_catalog(cursor))) == []


def test_the_order_of_options_and_grants_is_no_difference(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int) WITH (fillfactor = 50, autovacuum_enabled = off)")
        cursor.execute("GRANT SELECT ON t TO pg_monitor; GRANT SELECT ON t TO pg_read_all_data")
        before = digest(read_catalog(cursor))
        cursor.execute("ALTER TABLE t RESET (fillfactor); ALTER TABLE t SET (fillfactor = 50)")
        cursor.execute("REVOKE SELECT ON t FROM pg_monitor; GRANT SELECT ON t TO pg_monitor")
        assert digest(read_catalog(cursor)) == before


def test_another_column_order_is_one_entry(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int, b int)")
        before = read_catalog(cursor)
        cursor.execute("ALTER TABLE t DROP a; ALTER TABLE t ADD a int")
        found = difference(before, read_catalog(cursor))
        assert list(found.changed) == ["column order public.t"]
        assert not found.added
        assert not found.removed
        assert dead_column_slots(cursor) == {"public.t": 1}


def test_a_column_made_and_dropped_is_no_difference_and_its_slot_is_counted(connection: Any) -> None:
    """A table may have 1600 columns in its life, dropped ones included (manual, "Limits")."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int, b int)")
        before = read_catalog(cursor)
        cursor.execute("ALTER TABLE t ADD c int; ALTER TABLE t DROP c")
        assert read_catalog(cursor) == before
        assert dead_column_slots(cursor) == {"public.t": 1}


def test_an_invalid_index_is_seen_where_pg_dump_shows_none(
    server: LocalServer, database: str, connection: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int)")
        connection.commit()
        before, dumped = read_catalog(cursor), schema_dump(server, database)
        cursor.execute("CREATE INDEX t_a ON t (a)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass")
        connection.commit()
        assert schema_dump(server, database) == dumped
        found = difference(before, read_catalog(cursor))
        assert list(found.added) == ["index public.t_a"]
        assert carried_by_dump(read_catalog(cursor)) == carried_by_dump(before)


def test_two_dumps_of_one_schema_are_equal_only_with_a_constant_restrict_key(
    server: LocalServer, database: str
) -> None:
    """Since the releases of August 2025 (CVE-2025-8714) pg_dump writes a random key into each dump."""
    first, second = (schema_dump(server, database) for _ in range(2))
    assert first == second
    first, second = (schema_dump(server, database, restrict_key=None) for _ in range(2))
    assert first != second


def test_no_secret_and_no_oid_gets_into_the_catalog(server: LocalServer, rich: Any) -> None:
    text = json.dumps(rich[0])
    assert "secret" not in text
    with contextlib.closing(server.connect("rich")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(oid::text) FROM (SELECT oid FROM pg_class UNION ALL SELECT oid FROM pg_type"
            " UNION ALL SELECT oid FROM pg_proc UNION ALL SELECT oid FROM pg_constraint) AS o"
            " WHERE oid >= 16384"
        )
        oids = cursor.fetchone()[0]
    assert set(oids) & set(re.findall(r"\w+", text)) == set()


def test_every_exclusion_names_something_that_exists(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a"
            " ON attrelid = c.oid"
            " WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' GROUP BY 1"
        )
        columns = dict(cursor.fetchall())
    assert set(CATALOGS_LEFT_OUT) <= set(columns)
    assert set(RULES) <= set(columns)
    for catalog, left_out in COLUMNS_LEFT_OUT.items():
        assert set(left_out) - {"attcacheoff"} <= set(columns[catalog])  # attcacheoff: until version 17
    assert not set(CATALOGS_LEFT_OUT) & set(RULES)
