# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is read again after a change gives the schema that reading everything gives."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import pinned
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.changed import CatalogWatch
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import describe, difference
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.reading import SchemaReading
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.rows import CatalogReader
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import psycopg2

from demo.local_server import LocalServer
from tests.integration.catalog.changes import CHANGES

PREPARED = """
    CREATE TABLE band (id serial PRIMARY KEY, name varchar(20) DEFAULT 'x' NOT NULL, n int, CHECK (n > 0));
    CREATE TABLE song (id int PRIMARY KEY, band int REFERENCES band ON DELETE CASCADE, title text UNIQUE);
    CREATE VIEW songs AS SELECT s.title, b.name FROM song s JOIN band b ON b.id = s.band;
    CREATE VIEW titles AS SELECT title FROM songs;
    CREATE MATERIALIZED VIEW shelf AS SELECT name FROM songs;
    CREATE INDEX of_shelf ON shelf (name);
    CREATE FUNCTION loud(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(t)';
    CREATE FUNCTION ring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE INDEX loudly ON song (loud(title));
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE tone AS ENUM ('low', 'high');
    CREATE DOMAIN few AS int CHECK (VALUE < 9);
    CREATE TABLE sheet (at date, p pair, t tone, f few, doubled int GENERATED ALWAYS AS (1 + 1) STORED)
        PARTITION BY RANGE (at);
    CREATE TABLE sheet_1 PARTITION OF sheet FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE old (at date);
    CREATE TABLE child () INHERITS (old);
    CREATE TABLE bare ();
    CREATE TABLE bare_child () INHERITS (bare);
    CREATE SEQUENCE lone;
    CREATE TRIGGER rings BEFORE INSERT ON song FOR EACH ROW EXECUTE FUNCTION ring();
    CREATE POLICY own ON song USING (title = current_user);
    CREATE RULE quiet AS ON DELETE TO old DO INSTEAD NOTHING;
    CREATE STATISTICS both_of ON id, band FROM song;
    COMMENT ON COLUMN band.name IS 'as on the record';
"""

# What follows is told by no row of the object itself, or by no row at all.
SILENT = [
    "ALTER TABLE band RENAME COLUMN name TO title",
    "ALTER TABLE band RENAME TO bands",
    "ALTER TABLE band RENAME TO bands; ALTER TABLE bands RENAME COLUMN id TO number; ALTER VIEW songs RENAME TO hits",
    "ALTER FUNCTION loud(text) RENAME TO louder",
    "CREATE OR REPLACE FUNCTION loud(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)'",
    "ALTER TYPE tone RENAME TO pitch",
    "ALTER TYPE tone ADD VALUE 'middle' BEFORE 'high'",
    "ALTER TYPE pair RENAME ATTRIBUTE a TO first",
    "ALTER TYPE pair DROP ATTRIBUTE a",
    "ALTER DOMAIN few RENAME TO fewer; ALTER DOMAIN fewer ADD CHECK (VALUE > 0)",
    "COMMENT ON COLUMN band.name IS NULL",
    "COMMENT ON TRIGGER rings ON song IS 'x'; COMMENT ON INDEX loudly IS 'y'",
    "ALTER SEQUENCE band_id_seq OWNED BY NONE",
    "ALTER SEQUENCE lone OWNED BY song.id",
    "ALTER TABLE child NO INHERIT old",
    "ALTER TABLE bare_child NO INHERIT bare",
    "ALTER TABLE sheet DETACH PARTITION sheet_1",
    "ALTER TABLE sheet ADD COLUMN note text; ALTER TABLE sheet DROP COLUMN f",
    "ALTER TABLE sheet RENAME TO page",
    "DROP TABLE band CASCADE",
    "DROP TABLE sheet; CREATE TABLE sheet (at date)",
    "DROP VIEW titles; DROP TABLE child, bare_child, bare",
    "DROP FUNCTION ring() CASCADE; DROP STATISTICS both_of; DROP POLICY own ON song; DROP RULE quiet ON old",
    "CREATE TABLE cymbal AS SELECT * FROM band; ALTER TABLE cymbal ADD PRIMARY KEY (id)",
    "CREATE TEMPORARY TABLE mine (id int); ALTER TABLE song ALTER title SET STORAGE PLAIN",
    "ALTER TABLE song DISABLE TRIGGER ALL",
    "ALTER TABLE band DISABLE TRIGGER ALL",
    "ALTER TABLE song SET (toast.autovacuum_enabled = off); ALTER TABLE band ALTER n TYPE bigint",
    "ALTER INDEX of_shelf RENAME TO by_name; ALTER INDEX loudly ALTER COLUMN 1 SET STATISTICS 5",
    "ALTER TABLE song DROP CONSTRAINT song_title_key; CREATE UNIQUE INDEX again ON song (title)",
    "DO $$BEGIN EXECUTE 'ALTER TABLE song ADD x int'; BEGIN EXECUTE 'ALTER TABLE band ADD y int';"
    " RAISE 'no'; EXCEPTION WHEN others THEN NULL; END; END$$",
    "SAVEPOINT one; ALTER TABLE band ADD gone int; ROLLBACK TO one; ALTER TABLE song ADD stays int; RELEASE one",
    "GRANT SELECT (name) ON band TO PUBLIC; REVOKE ALL ON FUNCTION loud(text) FROM PUBLIC",
    "VALUES (1)",
]


def _statements(text: str, names: dict[str, str]) -> list[str]:
    return text.format(**names).split("; ") if "ATOMIC" not in text else [text]


def test_after_each_change(server: LocalServer, rich: Any, copy_of_rich: Any) -> None:
    names = {"database": copy_of_rich, "user": server.user}
    wrong, in_part = [], 0
    with contextlib.closing(server.connect(copy_of_rich)) as connection, connection.cursor() as cursor:
        cursor.execute("SET allow_system_table_mods = on")
        reading = SchemaReading(cursor)
        for change in CHANGES:
            cursor.execute("SAVEPOINT change")
            with contextlib.suppress(psycopg2.errors.ActiveSqlTransaction):
                for statement in _statements(change.do, names):
                    cursor.execute(statement)
                now = reading.again(cursor)
                if reading.changed is not None:  # else everything was read
                    in_part += 1
                    wrong += [(change.do, found) for found in describe(difference(read_schema(cursor), now))]
            cursor.execute("ROLLBACK TO change")
    assert wrong == []
    # Where nothing were read in part, nothing would have been tried.
    assert in_part > len(CHANGES) / 2


@pytest.fixture
def band(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(PREPARED)
    connection.commit()
    return connection


def test_what_no_row_of_the_object_tells(band: Any) -> None:
    wrong, whole = [], []
    with band.cursor() as cursor:
        reading = SchemaReading(cursor)
        before = reading.schema
        for text in SILENT:
            cursor.execute("SAVEPOINT change")
            cursor.execute(text)
            now, changed = reading.again(cursor), reading.changed
            is_ = read_schema(cursor)
            wrong += [(text, found) for found in describe(difference(is_, now))]
            if changed is None:
                whole.append(text)
            else:
                found = difference(before, is_)
                assert changed >= {*found.added, *found.removed, *found.changed}, text
            cursor.execute("ROLLBACK TO change")
        assert reading.again(cursor) == before
        assert reading.changed == set()
    assert wrong == []
    assert whole == []


def test_what_somebody_else_changes_meanwhile_is_seen(band: Any, server: LocalServer, database: str) -> None:
    with (
        band.cursor() as cursor,
        contextlib.closing(server.connect(database)) as else_,
        else_.cursor() as other,
    ):
        reading = SchemaReading(cursor)
        other.execute("ALTER TABLE bare ADD COLUMN other int")
        else_.commit()
        cursor.execute("ALTER TABLE band ADD COLUMN mine int")
        assert reading.again(cursor) == read_schema(cursor)
        assert {"column public.bare.other", "column public.band.mine"} <= reading.changed


def test_what_is_as_new_as_the_reading_itself_may_go(band: Any) -> None:
    """As in a rollback of several migrations; and as everything is while somebody else's transaction is older."""
    with band.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE passing (a int); COMMENT ON TABLE old IS 'x'; CREATE VIEW views AS SELECT 1 AS x"
        )
        reading = SchemaReading(cursor)
        cursor.execute("DROP TABLE passing; COMMENT ON TABLE old IS NULL; DROP VIEW views")
        assert reading.again(cursor) == read_schema(cursor)
        assert reading.changed is not None


def test_a_role_that_may_not_read_every_catalog_sees_it_too(band: Any) -> None:
    with band.cursor() as cursor:
        cursor.execute("CREATE ROLE pgops_reader; CREATE SCHEMA own AUTHORIZATION pgops_reader")
        band.commit()
        try:
            cursor.execute("SET ROLE pgops_reader")
            with pinned(cursor) as own:
                reader = CatalogReader(own)
                watch = CatalogWatch(own, reader.columns, reader.members)
                assert watch.changed(own) == {}
                own.execute("CREATE TABLE own.t (id int)")
                assert watch.changed(own)["pg_class"]
                # Of the roles it sees the names, and not whether their row is another one.
                own.execute("RESET ROLE")
                own.execute("ALTER ROLE pgops_reader RENAME TO pgops_renamed")
                own.execute("SET ROLE pgops_renamed")
                assert watch.changed(own) is None
        finally:
            band.rollback()
            cursor.execute("DROP SCHEMA own; DROP ROLE pgops_reader")
            band.commit()
