# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the application's schema puts in the way of rows that come back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from demo.local_server import LocalServer
from tests.integration.salvage.deployment import Deployment

CONSTRAINTS = (
    "SELECT conname, pg_get_constraintdef(oid), attnotnull FROM pg_constraint RIGHT JOIN pg_attribute"
    " ON conrelid = attrelid AND attnum = ANY (conkey)"
    " WHERE attrelid = 'book'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2"
)

RING = (
    "CREATE TABLE list (id int PRIMARY KEY, name text, cover int);"
    "CREATE TABLE entry (id int PRIMARY KEY, list int NOT NULL REFERENCES list, book int REFERENCES book);"
    "ALTER TABLE list ADD CONSTRAINT list_cover FOREIGN KEY (cover) REFERENCES entry;",
    "ALTER TABLE list DROP CONSTRAINT list_cover; DROP TABLE entry; DROP TABLE list",
)
RING_OF_USERS = (
    "INSERT INTO list VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', NULL);"
    "INSERT INTO entry VALUES (1, 1, 1), (2, 2, 2), (3, 3, NULL);"
    "UPDATE list SET cover = id WHERE id < 3"
)


def test_tables_that_refer_to_each_other(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*RING)
    story.round_trip_loses_nothing(lambda: story.execute(RING_OF_USERS))
    assert story.ask("SELECT id, cover FROM list ORDER BY id") == [(1, 1), (2, 2), (3, None)]
    assert story.ask(
        "SELECT conname, condeferrable, condeferred FROM pg_constraint WHERE contype = 'f'"
        " AND connamespace = 'public'::regnamespace ORDER BY 1"
    ) == [
        ("entry_book_fkey", False, False),
        ("entry_list_fkey", False, False),
        ("list_cover", False, False),
    ]


def test_tables_that_refer_to_each_other_and_to_a_row_that_is_gone(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*RING)
    story.deploy()
    story.execute(RING_OF_USERS)
    story.roll_back()
    story.execute("DELETE FROM book WHERE id = 1")
    reasons = {item["table"]: item["reasons"] for item in story.deploy()}
    assert reasons == {
        "public.entry": {"its parent in public.book is gone": 1},
        "public.list": {"its parent in public.entry is gone": 1},
    }
    assert story.ask("SELECT id, cover FROM list ORDER BY id") == [(2, 2), (3, None)]
    assert story.ask("SELECT id FROM entry ORDER BY id") == [(2,), (3,)]


def test_one_of_a_ring_that_the_next_version_does_not_take(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*RING)
    story.deploy()
    story.execute(RING_OF_USERS)
    story.roll_back()
    story.apply += "ALTER TABLE entry ADD CHECK (id <> 2);"
    story.deploy()
    assert story.ask("SELECT id FROM entry ORDER BY id") == [(1,), (3,)]
    assert story.ask("SELECT id FROM list ORDER BY id") == [(1,), (3,)]
    assert story.ask("SELECT key FROM runbook_salvage.kept_row ORDER BY key") == [("(2)",), ("(2)",)]


def test_unique_values_that_change_places_in_tables_that_refer_to_each_other(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """Checks are pending when the column is to be NOT NULL again, which PostgreSQL refuses."""
    story = deployment(
        "SELECT 1",
        "UPDATE list SET code = 'x' WHERE id = 1; UPDATE list SET code = 'a', cover = 2 WHERE id = 2;"
        "UPDATE list SET code = 'b', cover = 1 WHERE id = 1; UPDATE entry SET list = 3 - list",
    )
    story.execute(
        "CREATE TABLE list (id int PRIMARY KEY, code text NOT NULL UNIQUE, cover int);"
        "CREATE TABLE entry (id int PRIMARY KEY, list int NOT NULL REFERENCES list);"
        "ALTER TABLE list ADD FOREIGN KEY (cover) REFERENCES entry;"
        "INSERT INTO list VALUES (1, 'a', NULL), (2, 'b', NULL), (3, 'c', NULL);"
        "INSERT INTO entry VALUES (1, 1), (2, 2); UPDATE list SET cover = 3 - id WHERE id < 3"
    )
    before = story.rows()
    story.deploy()
    story.roll_back()
    returned = story.deploy()
    assert story.rows() == before, returned


def test_a_label_that_the_next_version_lacks(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TYPE mood AS ENUM ('sad', 'glad');"
        "CREATE TABLE felt (id int PRIMARY KEY, book int REFERENCES book, mood mood);",
        "DROP TABLE felt; DROP TYPE mood",
    )
    story.deploy()
    story.execute("INSERT INTO felt VALUES (1, 1, 'sad'), (2, 2, 'glad'), (3, 3, 'sad')")
    story.roll_back()
    story.apply = story.apply.replace(", 'glad'", "")
    (item,) = story.deploy()
    assert item["reasons"] == {'invalid input value for enum public.mood: "glad"': 1}
    assert story.ask("SELECT id FROM felt ORDER BY id") == [(1,), (3,)]


@pytest.mark.parametrize(
    "rule",
    [
        "CREATE RULE kept_out AS ON INSERT TO star DO INSTEAD NOTHING",
        "CREATE RULE told AS ON INSERT TO star DO ALSO INSERT INTO note VALUES (NEW.mark, 0)",
    ],
)
def test_rules_of_the_application_do_not_act(deployment: Callable[[str, str], Deployment], rule: str) -> None:
    story = deployment(
        "CREATE TABLE star (id int PRIMARY KEY, mark text)",
        "DROP TABLE star",
    )
    story.deploy()
    story.execute("INSERT INTO star VALUES (1, 'a'), (2, 'b')")
    before = story.rows()
    story.roll_back()
    story.apply += f"; {rule}"
    story.deploy()
    assert story.rows() == before
    assert story.ask("SELECT ev_enabled::text FROM pg_rewrite WHERE ev_class = 'star'::regclass") == [("O",)]


@pytest.mark.parametrize(
    "constraint",
    ["UNIQUE (mark) DEFERRABLE", "EXCLUDE (mark WITH =) DEFERRABLE INITIALLY DEFERRED"],
)
def test_constraints_that_may_be_deferred(
    deployment: Callable[[str, str], Deployment], constraint: str
) -> None:
    story = deployment(
        f"CREATE TABLE star (id int PRIMARY KEY, mark int, {constraint})",
        "DROP TABLE star",
    )
    story.round_trip_loses_nothing(
        lambda: story.execute("INSERT INTO star SELECT n, n FROM generate_series(1, 5) n")
    )


def test_a_primary_key_that_may_be_deferred(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TABLE star (id int PRIMARY KEY DEFERRABLE, mark int UNIQUE)",
        "DROP TABLE star",
    )
    story.round_trip_loses_nothing(
        lambda: story.execute("INSERT INTO star SELECT n, n FROM generate_series(1, 5) n")
    )


@pytest.mark.parametrize("more", ["", "ALTER TABLE book ADD CONSTRAINT has_rank {}"])
def test_unique_values_that_change_places(
    deployment: Callable[[str, str], Deployment], connection: Any, more: str
) -> None:
    """Each of the old values is taken by another row, until all have moved."""
    not_null = "NOT NULL rank" if connection.server_version >= 180000 else "CHECK (rank > 0)"
    story = deployment(
        "ALTER TABLE book ADD COLUMN rank int; UPDATE book SET rank = id;"
        "ALTER TABLE book ADD CONSTRAINT rank_is_unique UNIQUE (rank);"
        "ALTER TABLE book ADD COLUMN place int; UPDATE book SET place = id;"
        "ALTER TABLE book ALTER place SET NOT NULL;"
        "CREATE UNIQUE INDEX place_is_unique ON book (place);" + more.format(not_null),
        "ALTER TABLE book DROP COLUMN rank, DROP COLUMN place",
    )
    story.deploy()
    story.execute("UPDATE book SET rank = rank + 100, place = place + 100")
    story.execute("UPDATE book SET rank = 105 - rank, place = 105 - place")
    before, constraints = story.rows(), story.ask(CONSTRAINTS)
    assert story.ask("SELECT rank, place FROM book ORDER BY id") == [(4, 4), (3, 3), (2, 2), (1, 1)]
    story.roll_back()
    story.deploy()
    assert story.rows() == before
    assert story.ask(CONSTRAINTS) == constraints


def test_one_row_of_many_that_does_not_go(deployment: Callable[[str, str], Deployment]) -> None:
    """Found by halves: with a look at the whole table for each row, this would take hours."""
    story = deployment("CREATE TABLE star (id int PRIMARY KEY, mark int)", "DROP TABLE star")
    story.deploy()
    story.execute("INSERT INTO star SELECT n, n FROM generate_series(1, 20000) n")
    story.roll_back()
    story.apply += "; ALTER TABLE star ADD CHECK (mark % 5000 <> 77)"
    (item,) = story.deploy()
    assert (item["returned"], item["held_back"]) == (19996, 4)


def test_a_row_of_the_migration_that_went_with_its_parent(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """That its parent is gone keeps nobody from deleting the row that the next deploy brings in its stead."""
    story = deployment(
        "CREATE TABLE star (id serial PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE);"
        "INSERT INTO star (book) SELECT min(id) FROM book;",
        "DROP TABLE star",
    )
    story.round_trip_loses_nothing(lambda: story.execute("DELETE FROM book WHERE id = 1"))
    assert story.ask("SELECT * FROM star") == []


def test_a_sequence_that_counts_downwards(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TABLE star (id int GENERATED ALWAYS AS IDENTITY (INCREMENT -2 START -1) PRIMARY KEY, mark int);"
        "CREATE SEQUENCE ticket INCREMENT -1;",
        "DROP TABLE star; DROP SEQUENCE ticket",
    )
    story.deploy()
    story.execute("INSERT INTO star (mark) VALUES (1), (2), (3); DELETE FROM star WHERE mark = 3")
    story.execute("SELECT nextval('ticket'), nextval('ticket')")
    story.roll_back()
    story.deploy()
    story.execute("INSERT INTO star (mark) VALUES (4)")
    assert story.ask("SELECT id, mark FROM star ORDER BY mark") == [(-1, 1), (-3, 2), (-7, 4)]
    assert story.ask("SELECT nextval('ticket')") == [(-3,)]


@pytest.mark.parametrize(
    ("apply", "writes"),
    [
        # Rows that are there when the column comes have NULL, whatever its default is afterwards.
        (
            "ALTER TABLE book ADD COLUMN mark text; ALTER TABLE book ALTER mark SET DEFAULT 'x'",
            "INSERT INTO book (title) VALUES ('new'); UPDATE book SET mark = 'x' WHERE id = 1",
        ),
        # Rows that are there when the column comes have 'x', whatever became of the default.
        (
            "ALTER TABLE book ADD COLUMN mark text DEFAULT 'x'; ALTER TABLE book ALTER mark DROP DEFAULT",
            "INSERT INTO book (title) VALUES ('new'); UPDATE book SET mark = NULL WHERE id = 1",
        ),
        (
            "ALTER TABLE book ADD COLUMN mark int DEFAULT 1; ALTER TABLE book ALTER mark SET DEFAULT 2",
            "INSERT INTO book (title) VALUES ('new'); UPDATE book SET mark = 2 WHERE id = 1",
        ),
    ],
)
def test_the_default_is_not_what_a_new_column_has(
    deployment: Callable[[str, str], Deployment], apply: str, writes: str
) -> None:
    story = deployment(apply, "ALTER TABLE book DROP COLUMN mark")
    story.round_trip_loses_nothing(lambda: story.execute(writes))


def test_a_table_that_was_written_anew_since(
    deployment: Callable[[str, str], Deployment], server: LocalServer, database: str
) -> None:
    """VACUUM FULL and its like write the value that a new column had into the rows, and forget which it was."""
    story = deployment(
        "ALTER TABLE book ADD COLUMN mark text DEFAULT 'x'; ALTER TABLE book ALTER mark DROP DEFAULT",
        "ALTER TABLE book DROP COLUMN mark",
    )

    def writes() -> None:
        with contextlib.closing(server.connect(database)) as other:
            other.autocommit = True
            other.cursor().execute("VACUUM FULL book")
        story.execute("UPDATE book SET mark = NULL WHERE id = 1")

    story.round_trip_loses_nothing(writes)


def test_a_server_that_counts_no_rows(
    deployment: Callable[[str, str], Deployment], server: LocalServer, database: str
) -> None:
    """As the database has it: what a session sets is taken back before each script."""
    story = deployment("CREATE TABLE star (id int)", "DROP TABLE star; DELETE FROM book WHERE title = 'mine'")
    story.execute(f"ALTER DATABASE {database} SET track_counts = off")
    with contextlib.closing(server.connect(database)) as story.connection:
        story.round_trip_loses_nothing(lambda: story.execute("INSERT INTO book (title) VALUES ('mine')"))
