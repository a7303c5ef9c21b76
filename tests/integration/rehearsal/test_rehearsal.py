# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rehearsal: a rollback that forgets anything is refused, and what it forgot is named."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.reading import SchemaReading
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.sequences import collisions
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearsal import Rehearsal
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.rehearse_from_empty import (
    rehearse_from_empty,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import migration, script, target

BASE = """
    CREATE TABLE schema_migrations (version text PRIMARY KEY);
    CREATE TABLE book (id serial PRIMARY KEY, title text NOT NULL DEFAULT 'x', pages int);
    CREATE INDEX book_title ON book (title);
    CREATE TYPE binding AS ENUM ('hard', 'soft');
    COMMENT ON TABLE book IS 'what is read';
    INSERT INTO book (title, pages) VALUES ('a', 1), ('b', NULL), ('c', 3);
"""


@pytest.fixture
def rehearsal(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(BASE)
    connection.commit()
    return Rehearsal(connection)


def test_an_exact_rollback_is_proven(rehearsal: Any) -> None:
    added = migration(
        "009",
        ["ALTER TABLE book ADD isbn text", "CREATE TABLE shelf (n int)", "INSERT INTO shelf VALUES (1)"],
        ["DROP TABLE shelf", "ALTER TABLE book DROP isbn"],
        ["SELECT true"],
    )
    result = rehearsal.rehearse([added])
    (proof,) = result["migrations"]
    assert (proof["schema_restored"], proof["data_restored"], proof["reapplied_equal"]) == (True, True, True)
    assert proof["rows_compared"] == 3
    assert {proof["catalog_before"], proof["catalog_after"]} == set(result["catalogs"])
    with rehearsal.connection.cursor() as cursor:
        cursor.execute("SELECT version FROM schema_migrations")
        assert cursor.fetchall() == [("009",)], "applied again at the end"


@pytest.mark.parametrize("wrong_at", [0, 1, 2, 3])
def test_whether_production_may_read_the_schema_in_part_is_seen(
    rehearsal: Any, monkeypatch: pytest.MonkeyPatch, wrong_at: int
) -> None:
    """Apply, rollback and second apply each read it in both ways."""
    reads, again = [], SchemaReading.again

    def planted(reading: Any, cursor: Any) -> Any:
        reads.append(again(reading, cursor))
        return {} if len(reads) == wrong_at else reads[-1]

    monkeypatch.setattr(SchemaReading, "again", planted)
    added = migration("009", ["ALTER TABLE book ADD isbn text"], ["ALTER TABLE book DROP isbn"])
    (proof,) = rehearsal.rehearse([added])["migrations"]
    assert len(reads) == 3
    assert (proof["read_in_part"], proof["rollback_read_in_part"]) == (wrong_at not in {1, 3}, wrong_at != 2)


@pytest.mark.parametrize("direction", ["apply", "rollback"])
def test_a_statement_that_takes_longer_than_it_may_in_production_is_refused(
    rehearsal: Any, direction: str
) -> None:
    slow = ["SELECT pg_sleep(30)"]
    added = migration(
        "009",
        ["CREATE TABLE shelf ()", *(slow if direction == "apply" else [])],
        ["DROP TABLE shelf", *(slow if direction == "rollback" else [])],
    )
    limited = Rehearsal(rehearsal.connection, statement_timeout_seconds=0.2)
    with pytest.raises(Refused, match="statement_timeout_seconds is the greatest time of one statement"):
        limited.rehearse([added])


FORGETFUL = {
    "a new table": (
        ["CREATE TABLE shelf (n int)"],
        ["SELECT 1"],
        "schema: .*table public.shelf: was not there before",
    ),
    "a new column": (
        ["ALTER TABLE book ADD isbn text"],
        ["SELECT 1"],
        r"schema: .*column public\.book\.isbn",
    ),
    "an index": (["DROP INDEX book_title"], ["SELECT 1"], r"schema: .*index public\.book_title: missing"),
    "a comment": (["COMMENT ON TABLE book IS NULL"], ["SELECT 1"], r"schema: .*public\.book: .*comment"),
    "a default": (
        ["ALTER TABLE book ALTER title SET DEFAULT 'y'"],
        ["ALTER TABLE book ALTER title DROP DEFAULT"],
        r"schema: column public\.book\.title: default",
    ),
    "the order of columns": (
        ["ALTER TABLE book DROP title"],
        ["ALTER TABLE book ADD title text NOT NULL DEFAULT 'x'", "CREATE INDEX book_title ON book (title)"],
        r"schema: .*column order public\.book",
    ),
    "a row": (
        ["DELETE FROM book WHERE id = 1"],
        ["SELECT 1"],
        r"data: public\.book: 1 rows fewer \(3 rows before, 2 after\)",
    ),
    "a row too many": (
        ["INSERT INTO book (title) VALUES ('d')"],
        ["SELECT 1"],
        r"data: public\.book: 1 rows more",
    ),
    "a value": (
        ["UPDATE book SET pages = 5 WHERE id = 1"],
        ["UPDATE book SET pages = 2 WHERE id = 1"],
        r"data: public\.book: as many rows, with other values",
    ),
    "a NULL": (
        ["UPDATE book SET pages = 0 WHERE pages IS NULL"],
        ["UPDATE book SET pages = NULL WHERE pages = 1"],
        r"data: public\.book: as many rows",
    ),
    "a dropped column's values": (
        ["ALTER TABLE book DROP pages"],
        ["ALTER TABLE book ADD pages int"],
        r"data: public\.book: as many rows",
    ),
    "a sequence's owner": (
        ["ALTER SEQUENCE book_id_seq OWNED BY NONE"],
        ["SELECT 1"],
        r"schema: .*sequence public\.book_id_seq: owned by",
    ),
    "a right": (["GRANT SELECT ON book TO PUBLIC"], ["SELECT 1"], r"schema: .*public\.book: .*"),
    "a function": (
        ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
        ["SELECT 1"],
        r"schema: function public\.f\(\): was not there before",
    ),
    "a type": (
        ["CREATE TYPE mood AS ENUM ('ok')"],
        ["SELECT 1"],
        r"schema: .*public\.mood: was not there before",
    ),
    "a value of an enum, which no command drops": (
        ["ALTER TYPE binding ADD VALUE 'loose'"],
        ["SELECT 1"],
        r"schema: enum label public\.binding\.loose, which PostgreSQL cannot take back",
    ),
    "a constraint": (
        ["ALTER TABLE book ADD CHECK (pages < 100) NOT VALID"],
        ["SELECT 1"],
        r"schema: constraint public\.book\.book_pages_check: was not there before",
    ),
}


@pytest.mark.parametrize("case", FORGETFUL)
def test_a_rollback_that_forgets_something_is_refused_and_it_is_named(rehearsal: Any, case: Any) -> None:
    apply, rollback, reason = FORGETFUL[case]
    with pytest.raises(Refused) as refused:
        rehearsal.rehearse([migration("009", apply, rollback)])
    text = refused.value.reason
    assert text.startswith(
        "Checklist item 'rollback tested on a copy': the rollback of 009 does not give back the "
    ), text
    assert re.search(f"give back the {reason}", text), text


def test_a_migration_that_fails_is_refused(rehearsal: Any) -> None:
    with pytest.raises(
        Refused, match=r"Migration 009 fails on the copy: migrations/009\.sql line 2: .*untouched|not touched"
    ):
        rehearsal.rehearse([migration("009", ["SELECT 1", "SELECT 1/0"], ["SELECT 1"])])


def test_a_rollback_that_fails_is_refused(rehearsal: Any) -> None:
    with pytest.raises(
        Refused, match=r"009 fails to roll back on the copy: rollback/009_rollback\.sql line 1"
    ):
        rehearsal.rehearse([migration("009", ["CREATE TABLE shelf ()"], ["DROP TABLE shelves"])])


def test_a_verify_script_that_fails_is_refused(rehearsal: Any) -> None:
    with pytest.raises(Refused, match=r"fails on the copy: verify/009\.sql line 1: the check returned false"):
        rehearsal.rehearse([migration("009", ["SELECT 1"], ["SELECT 1"], ["SELECT false"])])


def test_a_smoke_test_that_breaks_is_refused(connection: Any, rehearsal: Any) -> None:
    smoke = script("SELECT pages FROM book", name="smoke/read.sql")
    with pytest.raises(
        Refused, match=r"fails on the copy: smoke/read\.sql line 1: column \"pages\" does not exist"
    ):
        Rehearsal(connection, [smoke]).rehearse(
            [migration("009", ["ALTER TABLE book DROP pages"], ["ALTER TABLE book ADD pages int"])]
        )


def test_a_migration_that_cannot_be_applied_again_is_refused(rehearsal: Any) -> None:
    again = migration(
        "009",
        [
            "DO $$ BEGIN IF lo_exists() THEN CREATE TABLE second (); ELSE CREATE TABLE first (); END IF; END $$"
        ],
        ["DROP TABLE first"],
    )
    with rehearsal.connection.cursor() as cursor:
        # A sequence is not set back by a rollback: the second time it gives another value.
        cursor.execute(
            "CREATE SEQUENCE times; CREATE FUNCTION lo_exists() RETURNS boolean LANGUAGE sql AS"
            " 'SELECT nextval(''times'') > 1'"
        )
    rehearsal.connection.commit()
    with pytest.raises(
        Refused,
        match=r"009, applied again after its rollback, does not give the same schema as the first time: .*second",
    ):
        rehearsal.rehearse([again])


def test_a_chain_is_rolled_back_in_reverse_and_compared_at_every_stage(rehearsal: Any) -> None:
    chain = [
        migration("009", ["CREATE TABLE shelf (n int)"], ["DROP TABLE shelf"]),
        migration("010", ["ALTER TABLE shelf ADD m int"], ["ALTER TABLE shelf DROP m"]),
        migration("011", ["INSERT INTO shelf VALUES (1, 2)"], ["DELETE FROM shelf"]),
    ]
    result = rehearsal.rehearse(chain)
    assert [proof["version"] for proof in result["migrations"]] == ["009", "010", "011"]
    for earlier, later in zip(result["migrations"], result["migrations"][1:], strict=False):
        assert earlier["catalog_after"] == later["catalog_before"]
    assert all(proof["data_restored"] for proof in result["migrations"])


def test_the_fault_of_a_middle_one_is_named(rehearsal: Any) -> None:
    chain = [
        migration("009", ["CREATE TABLE shelf (n int)"], ["DROP TABLE shelf"]),
        migration("010", ["ALTER TABLE shelf ADD m int"], ["SELECT 1"]),
        migration("011", ["CREATE TABLE last ()"], ["DROP TABLE last"]),
    ]
    with pytest.raises(Refused, match=r"the rollback of 010 does not give back the schema: .*shelf\.m"):
        rehearsal.rehearse(chain)


def test_a_migration_without_any_table_of_versions(connection: Any) -> None:
    """The runbook's own table comes and goes with the version."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE book (id int)")
    connection.commit()
    result = Rehearsal(connection).rehearse([migration("009", ["CREATE TABLE x ()"], ["DROP TABLE x"])])
    assert result["migrations"][0]["schema_restored"]


# Sequences -----------------------------------------------------------------------------------------------

SET_BACK = migration(
    "009",
    ["INSERT INTO book (title) VALUES ('d')"],
    ["DELETE FROM book WHERE title = 'd'", "SELECT setval('book_id_seq', 1)"],
)


def test_a_rollback_that_sets_a_sequence_below_ids_in_use_is_refused(rehearsal: Any) -> None:
    reason = (
        r"'rollback tested on a copy': after the rollback of 009 sequence public\.book_id_seq would give 2 next, and"
        r" public\.book\.id has values up to 3: an insert would collide\."
    )
    with pytest.raises(Refused, match=reason):
        rehearsal.rehearse([SET_BACK])


def test_a_sequence_of_a_column_without_an_index_is_looked_at_on_the_copy(rehearsal: Any) -> None:
    """In production that would be a reading of the whole table."""
    with transaction(rehearsal.connection) as cursor:
        cursor.execute(
            "CREATE TABLE loan (number serial, note text); INSERT INTO loan (note) VALUES ('a'), ('b')"
        )
    resetting = migration(
        "009",
        ["ALTER TABLE loan ADD at date"],
        ["ALTER TABLE loan DROP at", "SELECT setval('loan_number_seq', 1)"],
    )
    with pytest.raises(
        Refused, match=r"after the rollback of 009 sequence public\.loan_number_seq would give 2 next"
    ):
        rehearsal.rehearse([resetting])


def test_ids_that_people_gave_by_hand_are_not_the_rollbacks_fault(rehearsal: Any) -> None:
    with transaction(rehearsal.connection) as cursor:
        cursor.execute("INSERT INTO book (id) VALUES (100)")
    added = migration("009", ["CREATE TABLE shelf ()"], ["DROP TABLE shelf"])
    assert rehearsal.rehearse([added])["migrations"][0]["data_restored"]


def test_ids_of_users_rows_are_known_only_when_there_are_some(connection: Any) -> None:
    """From empty: the rollback is sound as long as nobody has used the table since the migration."""
    first = {
        **migration("001", ["CREATE TABLE book (id serial PRIMARY KEY)"], ["DROP TABLE book"]),
        "requires": [],
    }
    second = {
        **migration(
            "002",
            ["CREATE TABLE shelf ()"],
            ["DROP TABLE shelf", "SELECT setval('book_id_seq', 1, false)"],
        ),
        "requires": ["001"],
    }
    rehearse_from_empty(connection, [first, second], [], 1)
    with transaction(connection) as cursor:
        cursor.execute("SELECT to_regclass('book')")
        assert cursor.fetchone() == (None,)
    second["sample"] = script("INSERT INTO book DEFAULT VALUES", name="sample/002.sql")
    with pytest.raises(
        Refused, match=r"after the rollback of 002 sequence public\.book_id_seq would give 1 next"
    ):
        rehearse_from_empty(connection, [first, second], [], 1)


def test_sample_rows_find_their_tables_as_the_migration_does(server: LocalServer, database: str) -> None:
    """The runbook's own session has another search_path."""
    book = {
        **migration("001", ["CREATE TABLE book (id serial PRIMARY KEY)"], ["DROP TABLE book"]),
        "requires": [],
        "sample": script(
            "INSERT INTO book SELECT FROM generate_series(1, current_setting('sample.files')::int)",
            name="sample/001.sql",
        ),
    }
    with contextlib.closing(connect(target(server, database))) as ours:
        (proof,) = rehearse_from_empty(ours, [book], [], 3)
    assert proof["sample_loaded"] is True


@pytest.mark.parametrize(
    ("column", "setup", "collides"),
    [
        ("serial", "INSERT INTO t DEFAULT VALUES", False),
        ("serial", "INSERT INTO t VALUES (1)", True),
        ("serial", "INSERT INTO t VALUES (0)", False),
        ("int GENERATED ALWAYS AS IDENTITY", "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (5)", True),
        ("int GENERATED ALWAYS AS IDENTITY (INCREMENT -1)", "INSERT INTO t DEFAULT VALUES", False),
        ("int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1)", "INSERT INTO t VALUES (-7)", True),
        ("int GENERATED BY DEFAULT AS IDENTITY (CYCLE)", "INSERT INTO t VALUES (7)", False),
    ],
)
@pytest.mark.parametrize("indexed_only", [True, False])
def test_what_collides(connection: Any, column: str, setup: str, collides: bool, indexed_only: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE t (id {column} PRIMARY KEY); {setup}")
        assert list(collisions(cursor, indexed_only)) == (["public.t_id_seq"] if collides else [])


def test_a_column_without_an_index_is_not_read_through_where_that_costs_too_much(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE t (id serial, n int); INSERT INTO t VALUES (1); CREATE INDEX ON t (n, id)"
        )
        assert list(collisions(cursor)) == ["public.t_id_seq"]
        assert collisions(cursor, indexed_only=True) == {}
