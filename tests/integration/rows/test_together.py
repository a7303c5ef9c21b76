# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows of several tables go in together: rings, rows that leave a parent that goes, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.references import foreign_keys
from ansible_collections.pgops.runbook.plugins.module_utils.rows.changes import ADDED, CHANGED
from ansible_collections.pgops.runbook.plugins.module_utils.rows.together import LeftRow, write_together

from tests.integration.rows.work import changes

FIRM, PERSON, TAG = ("public", "firm"), ("public", "person"), ("public", "tag")

DECLARED = (
    "SELECT conname, condeferrable, condeferred, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE contype = 'f' ORDER BY conname"
)


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE firm (id int PRIMARY KEY, head int, name text NOT NULL UNIQUE);
               CREATE TABLE person (id int PRIMARY KEY, firm int NOT NULL REFERENCES firm, boss int REFERENCES person);
               ALTER TABLE firm ADD FOREIGN KEY (head) REFERENCES person;
               CREATE TABLE tag (name text PRIMARY KEY CHECK (name <> 'bad'));
               INSERT INTO firm VALUES (1, NULL, 'one'), (2, NULL, 'two'); INSERT INTO person VALUES (1, 1, NULL);
               UPDATE firm SET head = 1 WHERE id = 1"""
        )
        yield cursor


@pytest.fixture
def write(cursor: Any) -> Callable[..., list[LeftRow]]:
    """Write rows, given by the name of their table, while foreign keys stay as they were declared."""

    def write(**tables: list[tuple[Any, ...]]) -> list[LeftRow]:
        cursor.execute(DECLARED)
        before = cursor.fetchall()
        waiting = [changes(cursor, table, rows) for table, rows in tables.items()]
        left = write_together(cursor, waiting, foreign_keys(cursor))
        cursor.execute(DECLARED)
        assert cursor.fetchall() == before, "foreign keys are as strict as they were"
        return left

    return write


def test_a_row_leaves_a_parent_that_goes(write: Any, ask: Any) -> None:
    what = {"firm": [("deleted", 1, 1, "one")], "person": [("changed", 1, 2, None)]}
    assert write(**what) == []
    assert (ask("SELECT * FROM firm"), ask("SELECT * FROM person")) == ([(2, None, "two")], [(1, 2, None)])


def test_what_is_all_right_is_written_once(cursor: Any, write: Any, ask: Any) -> None:
    """PostgreSQL refuses to set an identity that is always generated even where no row is to be changed."""
    cursor.execute("CREATE TABLE numbered (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY)")
    assert write(numbered=[("added", 1, 5), ("added", 2, 7)], tag=[("added", "good")]) == []
    assert ask("SELECT * FROM numbered ORDER BY id") == [(1, 5), (2, 7)]
    assert ask(
        "SELECT relname, n_tup_ins FROM pg_stat_xact_user_tables WHERE relname IN ('numbered', 'tag')"
    ) == [
        ("tag", 1),
        ("numbered", 2),
    ]


def test_a_ring_goes_in_also_where_a_row_of_another_table_does_not(write: Any, ask: Any) -> None:
    left = write(
        firm=[("added", 3, 3, "three"), ("added", 4, 4, "four")],
        person=[("added", 3, 3, None), ("added", 4, 4, None)],
        tag=[("added", "bad"), ("added", "good")],
    )
    assert left == [
        LeftRow(TAG, ADDED, 1, 'new row for relation "tag" violates check constraint "tag_name_check"')
    ]
    assert ask("SELECT id, head FROM firm ORDER BY id") == [(1, 1), (2, None), (3, 3), (4, 4)]
    assert ask("SELECT id, firm FROM person ORDER BY id") == [(1, 1), (3, 3), (4, 4)]
    assert ask("SELECT name FROM tag") == [("good",)]


def test_of_a_ring_those_go_in_that_lead_to_no_row_that_is_left(write: Any, ask: Any) -> None:
    left = write(
        firm=[("added", 3, 3, "three"), ("added", 4, 4, "one"), ("added", 5, 5, "five")],
        person=[("added", 3, 3, None), ("added", 4, 4, None), ("added", 5, 5, 4)],
    )
    assert {(row.table, row.number): row.reason for row in left} == {
        (FIRM, 2): 'duplicate key value violates unique constraint "firm_name_key"',
        (FIRM, 3): "its parent in public.person is gone",
        (PERSON, 2): "its parent in public.firm is gone",
        (PERSON, 3): "its parent in public.person is gone",
    }
    assert ask("SELECT id FROM firm ORDER BY id") == [(1,), (2,), (3,)]
    assert ask("SELECT id FROM person ORDER BY id") == [(1,), (3,)]


def test_rows_of_one_table_that_refer_to_each_other_with_one_that_is_left_between_them(
    write: Any, ask: Any
) -> None:
    left = write(person=[("added", 10, 1, 11), ("added", 12, 9, None), ("added", 11, 1, 10)])
    assert [(row.table, row.kind, row.number) for row in left] == [(PERSON, ADDED, 2)]
    assert ask("SELECT id, boss FROM person WHERE id > 9 ORDER BY id") == [(10, 11), (11, 10)]


def test_unique_values_that_change_places_in_a_ring_of_which_a_row_is_left(
    cursor: Any, write: Any, ask: Any
) -> None:
    """In a ring checks are pending when NOT NULL is to be set again, which PostgreSQL refuses."""
    cursor.execute(
        "CREATE TABLE fan (firm int REFERENCES firm ON DELETE CASCADE); INSERT INTO fan VALUES (1), (2)"
    )
    left = write(
        firm=[("changed", 1, None, "two"), ("changed", 2, 1, "one")],
        person=[("changed", 1, 2, None), ("added", 9, 99, None)],
    )
    assert [(row.table, row.kind, row.number) for row in left] == [(PERSON, ADDED, 2)]
    assert ask("SELECT * FROM firm ORDER BY id") == [(1, None, "two"), (2, 1, "one")]
    assert ask("SELECT * FROM person") == [(1, 2, None)]
    assert ask("SELECT * FROM fan ORDER BY 1") == [(1,), (2,)], "no row was deleted for it"
    assert ask(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'firm'::regclass AND attname = 'name'"
    ) == [(True,)]


def test_a_statement_that_is_cancelled_leaves_no_row_but_fails(cursor: Any, write: Any) -> None:
    cursor.execute(
        """CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS
             $$BEGIN PERFORM pg_sleep(60); RETURN true; END$$;
           ALTER TABLE tag ADD CHECK (slow()) NOT VALID; SET LOCAL statement_timeout = '50ms'"""
    )
    with pytest.raises(psycopg2.errors.QueryCanceled):
        write(tag=[("added", "a"), ("added", "b")])


def test_a_changed_row_that_does_not_go_stays_as_it_was(write: Any, ask: Any) -> None:
    left = write(person=[("changed", 1, 9, None)])
    reason = (
        'insert or update on table "person" violates foreign key constraint "person_firm_fkey"'
        ' (Key (firm)=(9) is not present in table "firm".)'
    )
    assert left == [LeftRow(PERSON, CHANGED, 1, reason)]
    assert ask("SELECT * FROM person") == [(1, 1, None)]
