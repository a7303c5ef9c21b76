# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is read of the system catalogs: the user's rows of every catalog, and nobody else's."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.catalog.excluded import CATALOGS_LEFT_OUT
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.rows import CatalogReader, Row
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session

from tests.integration.postgres.every_kind import make_every_kind


def read(cursor: Any) -> CatalogReader:
    pin_session(cursor, local=True)
    reader = CatalogReader(cursor)
    reader.read_all()
    return reader


def rows_of(reader: CatalogReader, catalog: str) -> list[Row]:
    return [row for row in reader.rows if row.catalog == catalog]


def test_of_an_empty_database_only_what_everybody_may_change_is_read(connection: Any) -> None:
    with connection.cursor() as cursor:
        reader = read(cursor)
        cursor.execute("SELECT 'public'::regnamespace::oid::bigint")
        (public,) = cursor.fetchone()
    assert {row.catalog for row in reader.rows} == {"pg_namespace", "pg_database"}
    assert [row.oid for row in rows_of(reader, "pg_namespace")] == [public]


def test_every_catalog_is_read_or_left_out_by_name(connection: Any) -> None:
    with connection.cursor() as cursor:
        reader = read(cursor)
        cursor.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'"
        )
        catalogs = {name for (name,) in cursor.fetchall()}
    assert set(reader.scope) | set(CATALOGS_LEFT_OUT) >= catalogs


def test_tables_of_the_runbook_of_extensions_and_of_sessions_are_not_read(connection: Any) -> None:
    with connection.cursor() as cursor:
        make_every_kind(cursor)
        reader = read(cursor)
        cursor.execute("SELECT oid::bigint, oid::regclass::text FROM pg_class")
        names = dict(cursor.fetchall())
    tables = {names[row.oid] for row in rows_of(reader, "pg_class") if row.values["relkind"] in ("r", "p")}
    assert {
        "pgx.plain",
        "public.information_schema",
        '"information_schema x".tables',
        "public.leaf",
    } <= tables
    assert not {name for name in tables if name.startswith(("runbook", "pg_", "hstore"))}
    assert not tables & {"public.member", "public.saved", "of_this_session"}


def test_parts_are_read_with_their_whole_and_references_as_oids(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (gone int, a int, b int REFERENCES parent);"
            " ALTER TABLE child DROP gone; SELECT 'parent'::regclass::oid::bigint, 'child'::regclass::oid::bigint"
        )
        parent, child = cursor.fetchone()
        reader = read(cursor)
    columns = [row for row in rows_of(reader, "pg_attribute") if row.parent == ("pg_class", child)]
    assert [(row.number, row.name) for row in columns] == [(2, "a"), (3, "b")], (
        "neither system nor dropped ones"
    )
    (key,) = (row for row in rows_of(reader, "pg_constraint") if row.values["contype"] == "f")
    assert (key.values["conkey"], key.values["confrelid"]) == ([3], parent)
    assert key.columns["confrelid"].refers_to == "pg_class"
    assert key.columns["confkey"].numbers_of == "confrelid"
