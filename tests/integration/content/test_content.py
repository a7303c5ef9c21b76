# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The content fingerprint sees every value, and nothing but values."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.content import fingerprint
from ansible_collections.pgops.runbook.plugins.module_utils.content.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.content.fingerprint import (
    columns_before,
    content_fingerprint,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed
from psycopg2 import sql

from demo.local_server import LocalServer
from tests.integration.content.values import DEFINITIONS, VALUES

CHANGES = int(os.environ.get("VALUE_CHANGES", "60"))


def _digest(cursor: Any, table: str = "public.t") -> Any:
    return content_fingerprint(cursor)["tables"][table]["digest"]


@pytest.fixture(scope="module")
def typed_database(server: LocalServer) -> Iterator[Any]:
    """A connection to a database with the types defined."""
    with contextlib.closing(server.connect("postgres")) as outside:
        outside.autocommit = True
        with outside.cursor() as cursor:
            cursor.execute("CREATE DATABASE typed")
            with contextlib.closing(server.connect("typed")) as connection:
                with connection.cursor() as own:
                    own.execute(DEFINITIONS)
                connection.commit()
                yield connection
            cursor.execute("DROP DATABASE typed WITH (FORCE)")


@pytest.fixture
def typed(typed_database: Any) -> Iterator[Any]:
    """The same connection, with what the test before did taken back."""
    yield typed_database
    typed_database.rollback()


@pytest.mark.parametrize("type_name", VALUES)
def test_different_values_of_a_type_have_different_digests(typed: Any, type_name: Any) -> None:
    with typed.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (v {type_name})")
        digests = {}
        for value in VALUES[type_name]:
            cursor.execute(f"TRUNCATE t; INSERT INTO t VALUES ({value})")
            digests[value] = _digest(cursor)
    assert len(set(digests.values())) == len(VALUES[type_name]), digests


def test_any_single_change_is_found_in_its_table_and_taken_back(typed: Any) -> None:
    """VALUE_CHANGES=1000 pytest … tries as many."""
    chance = random.Random(7)
    types = list(VALUES)
    with typed.cursor() as cursor:
        for table in ("t", '"Ü T"', "u"):
            columns = ", ".join(f'"c {n}" {name}' for n, name in enumerate(types))
            cursor.execute(f"CREATE TABLE {table} (n int, {columns})")
            for row in range(20):
                values = ", ".join(chance.choice(VALUES[name]) for name in types)
                cursor.execute(f"INSERT INTO {table} SELECT {row}, {values}")
        before = content_fingerprint(cursor)
        for _ in range(CHANGES):
            table, number, row = (
                chance.choice(["t", '"Ü T"', "u"]),
                chance.randrange(len(types)),
                chance.randrange(20),
            )
            cursor.execute("SAVEPOINT change")
            type_name = types[number]
            changed = 0
            while not changed:
                value = chance.choice(VALUES[type_name])
                cursor.execute(
                    f'UPDATE {table} SET "c {number}" = {value} WHERE n = {row}'
                    f' AND ROW("c {number}")::text IS DISTINCT FROM ROW(CAST({value} AS {type_name}))::text'
                )
                changed = cursor.rowcount
            found = difference(before, content_fingerprint(cursor))
            assert [item["table"] for item in found] == [f"public.{table}"], (type_name, value)
            cursor.execute("ROLLBACK TO change")
        assert difference(before, content_fingerprint(cursor)) == []


def test_physical_order_does_not_matter_and_duplicates_count(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (a int, b text); INSERT INTO t SELECT n, 'x' FROM generate_series(1, 99) n"
        )
        before = _digest(cursor)
        cursor.execute("UPDATE t SET b = 'y' WHERE a < 50; UPDATE t SET b = 'x'")
        assert _digest(cursor) == before
        cursor.execute("TRUNCATE t; INSERT INTO t SELECT n, 'x' FROM generate_series(99, 1, -1) n")
        assert _digest(cursor) == before
        cursor.execute("INSERT INTO t VALUES (100, 'x'), (100, 'x')")
        twice = _digest(cursor)
        cursor.execute("INSERT INTO t VALUES (100, 'x'), (100, 'x')")
        four_times = _digest(cursor)
        assert len({before, twice, four_times}) == 3
        cursor.execute("UPDATE t SET a = 101 WHERE a = 100")
        assert content_fingerprint(cursor)["tables"]["public.t"]["rows"] == 103
        assert _digest(cursor) != four_times  # under xor, four equal rows would be nothing


def test_the_order_of_columns_does_not_matter(connection: Any) -> None:
    """A column that comes back stands at the end; a dump puts columns of a parent first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (a int, b text, c text); INSERT INTO t VALUES (1, 'b', 'c'), (2, NULL, '')"
        )
        before = content_fingerprint(cursor)
        cursor.execute("ALTER TABLE t RENAME a TO gone; ALTER TABLE t ADD a int; UPDATE t SET a = gone")
        cursor.execute("ALTER TABLE t DROP gone")
        assert not difference(before, content_fingerprint(cursor))
        assert not difference(before, content_fingerprint(cursor, only_columns=before))
        cursor.execute(
            "ALTER TABLE t RENAME b TO x; ALTER TABLE t RENAME c TO b; ALTER TABLE t RENAME x TO c"
        )
        assert difference(before, content_fingerprint(cursor)), "values in other columns are other rows"


def test_values_do_not_wander_between_columns_or_rows(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a text, b text); INSERT INTO t VALUES ('x', 'y'), ('z', NULL)")
        digests = [_digest(cursor)]
        for rows in (
            "('y','x'), ('z',NULL)",
            "('x',NULL), ('z','y')",
            "('x','y'), (NULL,'z')",
            "('x,y',''), ('z',NULL)",
        ):
            cursor.execute(f"TRUNCATE t; INSERT INTO t VALUES {rows}")
            digests.append(_digest(cursor))
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    "setting",
    [
        "TimeZone = 'Asia/Tokyo'",
        "DateStyle = 'German'",
        "IntervalStyle = 'iso_8601'",
        "extra_float_digits = -10",
        "bytea_output = 'escape'",
        "search_path = pg_catalog",
        "quote_all_identifiers = on",
    ],
)
def test_the_sessions_settings_do_not_matter(typed: Any, setting: str) -> None:
    types = list(VALUES)
    with typed.cursor() as cursor:
        columns = ", ".join(f"c{n} {name}" for n, name in enumerate(types))
        cursor.execute(f"CREATE TABLE t ({columns})")
        for row in range(9):
            values = ", ".join(VALUES[name][row % len(VALUES[name])] for name in types)
            cursor.execute(f"INSERT INTO t VALUES ({values})")
        before = _digest(cursor)
        cursor.execute(f"SET LOCAL {setting}")
        assert _digest(cursor) == before


def test_what_counts_as_content(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE SCHEMA "Ö.1"; CREATE TABLE "Ö.1"."Mixed ""q"" x" ("ж "" x" text);
            CREATE TABLE measured (at int) PARTITION BY LIST (at);
            CREATE TABLE measured_1 PARTITION OF measured FOR VALUES IN (1);
            CREATE TABLE base (id int); CREATE TABLE heir () INHERITS (base); INSERT INTO heir VALUES (1);
            CREATE TABLE empty (); INSERT INTO empty DEFAULT VALUES;
            CREATE UNLOGGED TABLE cache (id int);
            CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
            CREATE MATERIALIZED VIEW filled AS SELECT 1 AS one;
            CREATE MATERIALIZED VIEW hollow AS SELECT 1 AS one WITH NO DATA;
            CREATE VIEW shown AS SELECT 1; CREATE TEMP TABLE mine (id int);
            CREATE SCHEMA runbook; CREATE TABLE runbook.receipts (id int); CREATE SCHEMA runbook_salvage;
            CREATE TABLE runbook_salvage.rows (id serial)
            """
        )
        found = content_fingerprint(cursor)
    tables = found["tables"]
    assert set(tables) == {
        '"Ö.1"."Mixed ""q"" x"',
        "public.measured_1",
        "public.base",
        "public.heir",
        "public.empty",
        "public.cache",
        "public.generated",
        "public.filled",
        "public.hollow",
    }
    assert tables["public.base"]["rows"] == 0
    assert tables["public.empty"]["rows"] == 1
    assert tables["public.filled"]["kind"] == "materialized view"
    assert tables["public.hollow"]["populated"] is False
    assert tables["public.generated"]["columns"] == ["a", "b"]
    assert found["sequences"] == {}


def test_row_security_raises_instead_of_hiding_rows(
    server: LocalServer, connection: Any, database: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE ROLE reader LOGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1);"
            " ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO reader; SET ROLE reader"
        )
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            content_fingerprint(cursor)
    connection.rollback()


def test_sequences_give_their_next_value(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE SEQUENCE fresh START 5; CREATE SEQUENCE used INCREMENT 10; SELECT nextval('used')"
        )
        assert content_fingerprint(cursor)["sequences"] == {"public.fresh": 5, "public.used": 11}


def test_large_objects_count_with_bytes_owner_and_holes(connection: Any) -> None:
    with connection.cursor() as cursor:
        empty = content_fingerprint(cursor)
        cursor.execute("SELECT lo_from_bytea(99001, 'abc')")
        one = content_fingerprint(cursor)
        cursor.execute("SELECT lo_put(99001, 5000000, 'x')")
        longer = content_fingerprint(cursor)
        cursor.execute("SELECT lo_put(99001, 4999999, '\\x00')")
        filled = content_fingerprint(cursor)
    assert one["large_objects"]["count"] == 1
    assert difference(empty, one)[0]["table"] == "large objects"
    assert difference(one, longer)
    assert difference(longer, filled) == []


def test_another_owner_of_a_large_object_counts_also_where_nobody_has_a_privilege_on_it(
    connection: Any,
) -> None:
    """Otherwise the owner's own privileges tell."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT lo_from_bytea(4711, 'x')")
        cursor.execute("REVOKE ALL ON LARGE OBJECT 4711 FROM CURRENT_USER")
        before = content_fingerprint(cursor)
        cursor.execute("ALTER LARGE OBJECT 4711 OWNER TO pg_monitor")
        assert difference(before, content_fingerprint(cursor))[0]["problem"] == "as many, with other content"
    connection.rollback()


def test_restricted_to_the_columns_of_before(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (2, NULL)")
        before = content_fingerprint(cursor)
        cursor.execute("ALTER TABLE t ADD c int DEFAULT 3; CREATE TABLE more (id int)")
        assert difference(before, content_fingerprint(cursor, before)) == []
        assert difference(before, content_fingerprint(cursor, columns_before(before))) == []
        assert len(difference(before, content_fingerprint(cursor))) == 2
        cursor.execute("ALTER TABLE t DROP a; ALTER TABLE t ADD a int")
        assert difference(before, content_fingerprint(cursor, before))[0]["table"] == "public.t"
        cursor.execute("UPDATE t SET a = CASE WHEN b IS NULL THEN 2 ELSE 1 END")
        assert difference(before, content_fingerprint(cursor, before)) == []  # the columns' order is schema
        cursor.execute("ALTER TABLE t DROP b")
        now = content_fingerprint(cursor, before)
        assert now["tables"]["public.t"]["missing_columns"] == ["b"]
        problem = difference(before, now)[0]
        assert problem == {
            "table": "public.t",
            "problem": "columns are missing: b",
            "rows_before": 2,
            "rows_after": 2,
        }
        cursor.execute("DROP TABLE t")
        assert difference(before, content_fingerprint(cursor, before))[0]["problem"] == "the table is missing"
        assert content_fingerprint(cursor, {"tables": {}})["tables"] == {}


def test_columns_before_takes_a_catalog_too() -> None:
    catalog = {"table public.t": {}, "column order public.t": {"columns": ["a", '"B ""b"']}}
    assert columns_before(catalog) == {"public.t": ["a", 'B "b']}


def test_an_extensions_own_rows_are_left_out_as_in_a_dump(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE EXTENSION hstore; CREATE TABLE own (id int); CREATE TABLE saved (id int, mine bool)"
        )
        cursor.execute("INSERT INTO saved VALUES (1, true), (2, false)")
        cursor.execute("ALTER EXTENSION hstore ADD TABLE own; ALTER EXTENSION hstore ADD TABLE saved")
        cursor.execute(
            "UPDATE pg_extension SET extconfig = ARRAY['saved'::regclass::oid], extcondition = '{WHERE mine}'"
            " WHERE extname = 'hstore'"
        )
        tables = content_fingerprint(cursor)["tables"]
    assert set(tables) == {"public.saved"}
    assert tables["public.saved"]["rows"] == 1


def test_a_restored_copy_has_equal_content(
    server: LocalServer, typed: Any, database: str, tmp_path: Path
) -> None:
    types = list(VALUES)
    with typed.cursor() as cursor:
        columns = ", ".join(f"c{n} {name}" for n, name in enumerate(types))
        cursor.execute(f"CREATE TABLE every ({columns})")
        for row in range(9):
            values = ", ".join(VALUES[name][row % len(VALUES[name])] for name in types)
            cursor.execute(f"INSERT INTO every VALUES ({values})")
        cursor.execute("CREATE SEQUENCE counted; SELECT nextval('counted'); SELECT lo_from_bytea(0, 'abc')")
        cursor.execute("SELECT lo_put(lo_from_bytea(0, 'a'), 9999, 'z')")
        typed.commit()
        before = content_fingerprint(cursor)
        typed.commit()
    where = ["-h", str(server.host), "-p", str(server.port), "-U", server.user]
    archive = str(tmp_path / "archive")
    for command in (["pg_dump", "-Fc", "-f", archive, "typed"], ["pg_restore", "-d", database, archive]):
        subprocess.run([str(Path(server.bindir) / command[0]), *where, *command[1:]], check=True)
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        after = content_fingerprint(cursor)
    assert after["tables"]["public.every"]["rows"] == 9
    assert difference(before, after, sequences=True) == []


def test_in_autocommit_mode_it_wants_a_transaction(connection: Any) -> None:
    connection.autocommit = True
    with connection.cursor() as cursor, pytest.raises(ValueError, match="BEGIN"):
        content_fingerprint(cursor)


def test_names_are_quoted_not_trusted(connection: Any) -> None:
    with connection.cursor() as cursor:
        name = 'x"; DROP TABLE victim; --%s'
        cursor.execute("CREATE TABLE victim (a int)")
        cursor.execute(
            sql.SQL("CREATE TABLE {} ({} int)").format(sql.Identifier(name), sql.Identifier("a%s'"))
        )
        assert len(content_fingerprint(cursor)["tables"]) == 2


def test_a_row_that_is_too_long_for_a_text_is_named(connection: Any) -> None:
    with connection.cursor() as cursor:
        # Stored in a few megabytes: it is one byte again and again.
        cursor.execute("CREATE TABLE files (id int PRIMARY KEY, content bytea)")
        cursor.execute("INSERT INTO files SELECT 1, convert_to(repeat(repeat('x', 1000000), 540), 'UTF8')")
        with pytest.raises(StepFailed) as failed:
            content_fingerprint(cursor)
    assert failed.value.code == "row_too_long"
    assert "A row of public.files cannot be read: invalid memory alloc request size" in failed.value.reason
    assert "Keep such values in large objects or files, or divide them" in failed.value.reason


@pytest.mark.parametrize("tables", [3, 6, 7])
def test_what_was_read_is_locked_no_more(
    connection: Any, monkeypatch: pytest.MonkeyPatch, tables: int
) -> None:
    """The server has room for so many locks of all its sessions."""
    monkeypatch.setattr(fingerprint, "LOCKED_AT_ONCE", 3)
    with connection.cursor() as cursor:
        for number in range(tables):
            cursor.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY); INSERT INTO t{number} VALUES (1)")
        connection.commit()
        found = content_fingerprint(cursor)
        assert [facts["rows"] for facts in found["tables"].values()] == [1] * tables
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384 AND locktype = 'relation'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SAVEPOINT own; ROLLBACK TO SAVEPOINT own")
        with pytest.raises(psycopg2.errors.InvalidSavepointSpecification):
            cursor.execute("ROLLBACK TO SAVEPOINT runbook_reads")
    connection.rollback()
