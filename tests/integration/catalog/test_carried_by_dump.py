# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a schema a dump carries to another database, and what belongs to a database itself."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.application import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import (
    carried_by_dump,
    of_dumped_tables,
    read_catalog,
)
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import difference

TABLES = """
    CREATE TABLE notes (id int PRIMARY KEY, body text);
    CREATE TABLE remark (note int REFERENCES notes);
    INSERT INTO notes VALUES (1, 'a'), (2, 'a')"""


@pytest.fixture
def tables(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    connection.commit()
    return connection


def seen(connection: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema, and what of it a dump carries."""
    with connection.cursor() as cursor:
        found = read_schema(cursor)
    connection.rollback()
    return found, carried_by_dump(found)


def test_an_invalid_index_is_in_the_schema_and_in_no_dump(tables: Any) -> None:
    before = seen(tables)
    tables.autocommit = True
    with tables.cursor() as cursor, pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY notes_body ON notes (body)")
    tables.autocommit = False
    after = seen(tables)
    assert list(difference(before[0], after[0]).added) == ["index public.notes_body"]
    assert not difference(before[1], after[1])


def test_disabled_triggers_of_a_foreign_key_are_in_the_schema_and_in_no_dump(tables: Any) -> None:
    before = seen(tables)
    with tables.cursor() as cursor:
        cursor.execute("ALTER TABLE remark DISABLE TRIGGER ALL")
    tables.commit()
    after = seen(tables)
    changed = difference(before[0], after[0]).changed
    assert {key: list(facts) for key, facts in changed.items()} == {
        "constraint public.remark.remark_note_fkey": ["disabled triggers"]
    }
    assert not difference(before[1], after[1])


def test_what_was_said_of_a_partitions_copy_of_a_trigger_is_in_the_schema_and_in_no_dump(
    connection: Any,
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TABLE root (id int) PARTITION BY LIST (id); CREATE TABLE leaf PARTITION OF root DEFAULT;"
            "CREATE TRIGGER acting AFTER INSERT ON root FOR EACH ROW EXECUTE FUNCTION act()"
        )
        connection.commit()
        before = seen(connection)
        cursor.execute("COMMENT ON TRIGGER acting ON leaf IS 'a copy'")
        connection.commit()
        after = seen(connection)
        assert list(difference(before[0], after[0]).changed) == ["trigger public.leaf.acting"]
        assert not difference(before[1], after[1])
        cursor.execute("COMMENT ON TRIGGER acting ON root IS 'the original'")
        connection.commit()
    assert list(difference(after[1], seen(connection)[1]).changed) == ["trigger public.root.acting"]


def test_the_properties_of_the_database_are_no_schema(tables: Any, database: str) -> None:
    before = seen(tables)
    with tables.cursor() as cursor:
        cursor.execute(f"COMMENT ON DATABASE {database} IS 'the live one'")
    tables.commit()
    with tables.cursor() as cursor:
        assert read_catalog(cursor)["database"]["comment"] == "the live one"
    tables.rollback()
    assert seen(tables) == before


def test_what_was_added_to_a_table_of_an_extension_is_in_the_schema_and_in_no_dump(tables: Any) -> None:
    with tables.cursor() as cursor:
        cursor.execute("CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE notes; CREATE SEQUENCE s")
    tables.commit()
    before = seen(tables)[0]
    with tables.cursor() as cursor:
        cursor.execute("CREATE INDEX added ON notes (body); ALTER SEQUENCE s OWNED BY notes.id")
        cursor.execute("CREATE INDEX own ON remark (note)")
    tables.commit()
    after = seen(tables)[0]
    assert {*difference(before, after).added} == {"index public.added", "index public.own"}
    left = difference(of_dumped_tables(before), of_dumped_tables(after))
    assert ({*left.added}, {*left.changed}) == ({"index public.own"}, set())
