# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""schema_migrations in the shapes that applications give it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.versions import MARK, VersionTable

from demo.local_server import LocalServer

SHAPES = {
    "Rails": "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY)",
    "guide": "CREATE TABLE schema_migrations (id serial PRIMARY KEY, version varchar(255) NOT NULL UNIQUE,"
    " description text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
    "padded": "CREATE TABLE schema_migrations (version char(20) PRIMARY KEY)",
    "no key": "CREATE TABLE schema_migrations (version text, description varchar(10))",
    "quoted": 'CREATE TABLE schema_migrations ("Odd Column" int DEFAULT 1, version name)',
    "partitioned": "CREATE TABLE schema_migrations (version text) PARTITION BY HASH (version);"
    " CREATE TABLE p PARTITION OF schema_migrations FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
}


@pytest.fixture
def cursor(connection: Any) -> Iterator[Any]:
    with connection.cursor() as cursor:
        yield cursor


@pytest.mark.parametrize("shape", SHAPES)
def test_record_and_forget_in_a_table_of_the_application(cursor: Any, shape: Any) -> None:
    cursor.execute(SHAPES[shape])
    table = VersionTable(cursor)
    table.check()
    assert table.applied() == set()
    table.record("009", "words")
    table.record("009", "words")
    table.record("010; DROP TABLE x", "q'\"%s")
    cursor.execute("SELECT count(*) FROM schema_migrations")
    assert cursor.fetchone() == (2,), "once each, also without a key"
    assert table.applied() == {"009", "010; DROP TABLE x"}
    table.forget("009")
    table.forget("009")
    assert table.applied() == {"010; DROP TABLE x"}
    table.forget("010; DROP TABLE x")
    assert table.name() == "public.schema_migrations", "the application's table stays when it is empty"
    assert not table.is_ours()


def test_the_description_is_written_where_there_is_a_column(cursor: Any) -> None:
    cursor.execute(SHAPES["guide"])
    VersionTable(cursor).record("009", "Text metadata")
    cursor.execute("SELECT description FROM schema_migrations")
    assert cursor.fetchone() == ("Text metadata",)


def test_a_row_that_the_script_wrote_is_left_as_it_is_and_costs_no_number(cursor: Any) -> None:
    cursor.execute(SHAPES["guide"])
    cursor.execute("INSERT INTO schema_migrations (version, description) VALUES ('009', 'the script''s own')")
    VersionTable(cursor).record("009", "other words")
    cursor.execute("SELECT description, nextval('schema_migrations_id_seq') FROM schema_migrations")
    assert cursor.fetchone() == ("the script's own", 2)


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ("(version bigint PRIMARY KEY, dirty boolean NOT NULL)", "of type int8"),
        ("(version integer)", "of type int4"),
        ("(id int, name text)", "missing"),
        ('("Version" text)', "missing"),
    ],
)
def test_a_table_that_cannot_hold_versions_is_refused(cursor: Any, definition: str, found: str) -> None:
    cursor.execute(f"CREATE TABLE schema_migrations {definition}")
    with pytest.raises(Refused, match=rf"public\.schema_migrations cannot record.*version is {found}"):
        VersionTable(cursor).check()


def test_without_any_schema_for_the_table_it_is_said_where_to_name_one(cursor: Any) -> None:
    cursor.execute("DROP SCHEMA public")
    table = VersionTable(cursor)
    table.check()
    with pytest.raises(Refused, match=r"schema public was dropped.*ALTER DATABASE <name> SET search_path"):
        table.record("001", "first")
    # As a migration may do.
    cursor.execute("CREATE SCHEMA public")
    table.record("001", "first")
    assert table.applied() == {"001"}


def test_own_table_is_made_with_the_first_version_and_dropped_with_the_last(cursor: Any) -> None:
    table = VersionTable(cursor)
    table.check()
    assert table.applied() == set()
    table.forget("009")
    table.record("001", "first")
    table.record("002", "second")
    assert table.is_ours()
    cursor.execute("SELECT obj_description('schema_migrations'::regclass)")
    assert cursor.fetchone() == (MARK,)
    table.forget("001")
    assert table.applied() == {"002"}
    table.forget("002")
    assert table.name() is None


def test_own_table_is_no_part_of_the_schema_and_a_similar_name_is(cursor: Any) -> None:
    cursor.execute("CREATE TABLE schema_migrations_archive (id int PRIMARY KEY)")
    before = read_schema(cursor)
    VersionTable(cursor).record("001", "first")
    assert read_schema(cursor) == before
    assert "table public.schema_migrations_archive" in before
    assert "index public.schema_migrations_archive_pkey" in before


@pytest.fixture
def on_path(server: LocalServer, database: str, connection: Any) -> Iterator[Any]:
    """A function: a cursor of a session whose role has this search_path."""
    with contextlib.ExitStack() as stack:

        def cursor_on(path: Any) -> Any:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {database} SET search_path = {path}")
            connection.commit()
            opened = stack.enter_context(contextlib.closing(server.connect(database)))
            return stack.enter_context(opened.cursor())

        yield cursor_on


def test_it_is_found_by_the_roles_search_path_whatever_the_session_has(cursor: Any, on_path: Any) -> None:
    cursor.execute("CREATE SCHEMA app; CREATE TABLE app.schema_migrations (version text)")
    assert VersionTable(cursor).name() is None
    cursor.execute("SET search_path = app")
    assert VersionTable(cursor).name() is None, "of a script"
    cursor.connection.commit()
    cursor = on_path("app, public")
    for path in ("public", "''", "pg_catalog, pg_temp"):
        cursor.execute(f"SET search_path = {path}")
        assert VersionTable(cursor).name() == "app.schema_migrations"
    VersionTable(cursor).record("001", "first")
    cursor.execute("SELECT version, current_setting('search_path') FROM app.schema_migrations")
    assert cursor.fetchone() == ("001", "pg_catalog, pg_temp")


@pytest.mark.parametrize("path", ["''", "nowhere"])
def test_without_a_schema_in_the_path_it_is_that_of_public(on_path: Any, path: str) -> None:
    cursor = on_path(path)
    table = VersionTable(cursor)
    table.record("001", "first")
    assert (table.name(), table.applied()) == ("public.schema_migrations", {"001"})
    table.forget("001")
    assert table.name() is None


def test_a_temporary_table_of_that_name_is_none(cursor: Any) -> None:
    cursor.execute("CREATE TEMPORARY TABLE schema_migrations (version text)")
    assert VersionTable(cursor).name() is None


def test_the_applications_trigger_finds_what_it_finds_for_the_application(on_path: Any) -> None:
    cursor = on_path("app, public")
    cursor.execute(
        """CREATE SCHEMA app; CREATE TABLE app.log (version text); CREATE TABLE app.schema_migrations (version text);
           CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO log VALUES (coalesce(new.version, old.version)); RETURN NULL; END';
           CREATE TRIGGER note AFTER INSERT OR DELETE ON app.schema_migrations
             FOR EACH ROW EXECUTE FUNCTION app.note();
           SET search_path = ''"""
    )
    VersionTable(cursor).record("001", "first")
    VersionTable(cursor).forget("001")
    cursor.execute("SELECT count(*) FROM app.log")
    assert cursor.fetchone() == (2,)


@pytest.mark.parametrize(
    ("script", "same"),
    [
        ("SELECT", True),
        ("ALTER TABLE public.schema_migrations SET SCHEMA app", True),
        ("DROP TABLE public.schema_migrations; CREATE TABLE app.schema_migrations (version text)", True),
        ("CREATE TABLE app.schema_migrations (version text)", False),
        ("ALTER TABLE public.schema_migrations RENAME TO old_migrations", False),
    ],
)
def test_no_script_puts_another_one_before_it(on_path: Any, script: str, same: bool) -> None:
    cursor = on_path("app, public")
    cursor.execute("CREATE SCHEMA app; CREATE TABLE public.schema_migrations (version text)")
    table = VersionTable(cursor)
    before = table.find()
    cursor.execute(script)
    assert table.still_the_same(before) is same
    assert table.still_the_same(None)
