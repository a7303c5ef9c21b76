# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks whose statements commit one by one: all of it comes back as it was before the first of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.salvage.one_by_one import OneByOne

CHANGED = "somebody changed its row since the rollback"

BOOK = (
    "ALTER TABLE book ADD mark text; ALTER TABLE book ADD stars int; UPDATE book SET mark = upper(title);"
    "CREATE TABLE star (id serial PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE, note text)"
)
STAR = "CREATE TABLE star (id serial PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE, note text)"


@pytest.fixture
def one_by_one(connection: Any, deployment: Any) -> Callable[[str, str], OneByOne]:
    return lambda apply, rollback: OneByOne(connection, apply, rollback)


def kinds(items: list[dict[str, Any]]) -> list[tuple]:
    return sorted((item["kind"], item["table"], item["rows"]) for item in items)


@pytest.fixture(params=[True, False], ids=["rehearsed", "unforeseen"])
def rehearsed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the rehearsal has said what each statement will destroy."""
    if not request.param:
        monkeypatch.setattr(OneByOne, "rehearse", lambda story: None)
    return request.param


WRITES = (
    "INSERT INTO star (book, note) VALUES (1, 'a'), (2, NULL), (3, ''), (1, 'a');"
    "UPDATE book SET mark = 'mine', stars = 5 WHERE id = 2; UPDATE book SET shelf = 9 WHERE id = 3"
)


@pytest.mark.parametrize(
    ("apply", "rollback", "writes"),
    [
        pytest.param(STAR, "DROP TABLE star", "INSERT INTO star (note) VALUES ('x')", id="drop"),
        pytest.param(
            BOOK,
            "UPDATE star SET note = 'u'; DELETE FROM star WHERE id = 1; ALTER TABLE star DROP COLUMN note;"
            "DROP TABLE star; ALTER TABLE book DROP COLUMN mark; ALTER TABLE book DROP COLUMN stars",
            WRITES,
            id="update, delete, drop column, drop table",
        ),
        pytest.param(
            BOOK,
            "DELETE FROM star; DROP TABLE star; UPDATE book SET mark = NULL, stars = NULL;"
            "ALTER TABLE book DROP COLUMN mark, DROP COLUMN stars",
            WRITES,
            id="nothing left when it is dropped",
        ),
        pytest.param(
            "UPDATE book SET shelf = 7",
            "UPDATE book SET shelf = 1; UPDATE book SET shelf = shelf + 1; UPDATE book SET title = 'b ' || title",
            "UPDATE book SET shelf = 70 WHERE id < 3; UPDATE book SET title = 'mine' WHERE id = 4",
            id="update twice and another column",
        ),
        pytest.param(
            "ALTER TABLE book ADD mark text; UPDATE book SET mark = title",
            "UPDATE book SET shelf = 0 WHERE mark = 'mine'; UPDATE book SET mark = 'x' WHERE id < 3;"
            "ALTER TABLE book DROP COLUMN mark; DELETE FROM book WHERE id = 2",
            "UPDATE book SET mark = 'mine', shelf = 44 WHERE id IN (2, 3)",
            id="a column that goes after its values changed, and a row that goes after its column",
        ),
        pytest.param(
            "ALTER TABLE book RENAME shelf TO place; ALTER TABLE book RENAME TO volume; UPDATE volume SET place = 3",
            "UPDATE volume SET place = 1 WHERE id < 3; ALTER TABLE volume RENAME TO book;"
            "UPDATE book SET place = 2; ALTER TABLE book RENAME place TO shelf;"
            "UPDATE book SET shelf = shelf + 1, title = lower(title)",
            "UPDATE volume SET place = 30 WHERE id IN (1, 4); UPDATE volume SET title = 'MINE' WHERE id = 1",
            id="renamed in between",
        ),
        pytest.param(
            "UPDATE note SET at = 5",
            "UPDATE note SET at = 1; INSERT INTO note VALUES ('back', 1); DELETE FROM note WHERE body = 'mine';"
            "UPDATE note SET body = NULL",
            "INSERT INTO note VALUES ('mine', 6), ('mine', 6); UPDATE note SET body = 'ä' WHERE body IS NULL",
            id="a table without a key",
        ),
        pytest.param(
            "UPDATE note SET at = coalesce(at, 0)",
            "SELECT 1; UPDATE note SET at = NULL WHERE at = 0; DELETE FROM note WHERE at > 5",
            "UPDATE note SET at = NULL",
            id="a table without a key that the rollback leaves alone and the next deploy does not",
        ),
        pytest.param(
            "CREATE TABLE line (a int, b text)",
            "UPDATE line SET b = NULL; ALTER TABLE line DROP COLUMN b; DELETE FROM line WHERE a = 1; DROP TABLE line",
            "INSERT INTO line VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (2, 'y')",
            id="a table without a key that goes",
        ),
        pytest.param(
            "DELETE FROM book WHERE id = 4; ALTER TABLE book ADD mark text",
            "INSERT INTO book (id, title, shelf) VALUES (4, '', 4); UPDATE book SET shelf = shelf + 1;"
            "UPDATE book SET shelf = shelf - 1; ALTER TABLE book DROP COLUMN mark",
            "UPDATE book SET mark = 'm' WHERE id = 1; UPDATE book SET shelf = 50 WHERE id = 2",
            id="rows that the rollback itself puts in are not kept",
        ),
        pytest.param(
            "CREATE TABLE kept AS SELECT * FROM book; ALTER TABLE kept ADD PRIMARY KEY (id)",
            "DELETE FROM book; INSERT INTO book SELECT * FROM kept; DROP TABLE kept",
            "UPDATE book SET shelf = 50 WHERE id = 2; UPDATE kept SET title = 'k' WHERE id = 1",
            id="deleted and put in again by the next statement",
        ),
        pytest.param(
            "UPDATE book SET id = id + 1000; ALTER TABLE book ADD mark text",
            "UPDATE book SET id = id - 1000; UPDATE book SET shelf = 0; ALTER TABLE book DROP COLUMN mark",
            "UPDATE book SET shelf = 5, mark = 'm' WHERE id = 1001",
            id="a changed primary key",
        ),
        pytest.param(
            "CREATE TABLE shelf AS SELECT DISTINCT shelf AS id FROM book; ALTER TABLE shelf ADD label text",
            "CREATE TABLE kept AS SELECT id FROM shelf; DROP TABLE shelf; INSERT INTO kept VALUES (77);"
            "UPDATE kept SET id = 78; DROP TABLE kept",
            "UPDATE shelf SET label = 'top' WHERE id = 1; INSERT INTO shelf VALUES (9, NULL), (9, NULL)",
            id="tables of the rollback's own",
        ),
        pytest.param(
            "CREATE TABLE event (id int PRIMARY KEY, what text) PARTITION BY RANGE (id);"
            "CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (100);"
            "CREATE TABLE event_high PARTITION OF event FOR VALUES FROM (100) TO (200)",
            "UPDATE event_low SET what = lower(what); DELETE FROM event WHERE id = 150; TRUNCATE event_low;"
            "DROP TABLE event",
            "INSERT INTO event VALUES (1, 'A'), (2, 'b'), (150, 'z')",
            id="partitions",
        ),
        pytest.param(
            "CREATE TABLE event (id int PRIMARY KEY, what text) PARTITION BY RANGE (id);"
            "CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (100);"
            "CREATE TABLE event_high PARTITION OF event FOR VALUES FROM (100) TO (200)",
            "UPDATE event SET what = 'u' WHERE id > 1; ALTER TABLE event DETACH PARTITION event_low CONCURRENTLY;"
            "DROP TABLE event_low; DELETE FROM event_high WHERE id = 150; DROP TABLE event",
            "INSERT INTO event VALUES (1, 'A'), (2, 'b'), (150, 'z'), (151, 'y')",
            id="a partition that goes by itself",
        ),
        pytest.param(
            STAR + "; INSERT INTO star (note) VALUES ('s')",
            "SELECT setval('star_id_seq', 1); DELETE FROM star; SELECT setval('star_id_seq', 1);"
            "ALTER TABLE star DROP COLUMN book; DROP TABLE star",
            "INSERT INTO star (note) SELECT 'x' FROM generate_series(1, 20); DELETE FROM star WHERE id > 10",
            id="sequences",
        ),
        pytest.param(
            STAR,
            "DO $$ BEGIN PERFORM setval('star_id_seq', 1); DELETE FROM star; END $$; DROP TABLE star",
            "INSERT INTO star (note) SELECT 'x' FROM generate_series(1, 20); DELETE FROM star WHERE id > 10",
            id="a sequence set back by a statement that is tried twice",
        ),
        pytest.param(
            "CREATE TABLE moved AS SELECT id AS key, shelf FROM book; ALTER TABLE moved ADD PRIMARY KEY (key);"
            "ALTER TABLE book DROP COLUMN shelf",
            "UPDATE moved SET shelf = shelf + 0; ALTER TABLE book ADD COLUMN shelf int DEFAULT 1;"
            "UPDATE book SET shelf = moved.shelf FROM moved WHERE key = id; DROP TABLE moved",
            "DELETE FROM moved WHERE key = 2; UPDATE moved SET shelf = 40 WHERE key = 3",
            id="what the migration reads from is changed by a later statement",
        ),
        pytest.param(
            "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY,"
            " parent int REFERENCES parent, mark text)",
            "UPDATE child SET mark = 'u'; DROP TABLE parent CASCADE; DROP TABLE child",
            "INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 2, 'c'), (2, NULL, 'd')",
            id="parents after their children",
        ),
        pytest.param(
            'CREATE TABLE "T ""q" (b int, "a,%" int, c text, PRIMARY KEY (b, "a,%"))',
            'UPDATE "T ""q" SET c = NULL; ALTER TABLE "T ""q" RENAME b TO z; UPDATE "T ""q" SET c = \'x\' WHERE z = 1;'
            'DELETE FROM "T ""q" WHERE z = 2; ALTER TABLE "T ""q" RENAME TO other; DROP TABLE other',
            'INSERT INTO "T ""q" VALUES (1, 2, \'(,")\'), (2, 1, NULL), (3, 3, \'\')',
            id="a key of two columns, one of which is renamed",
        ),
    ],
)
def test_it_comes_back_as_it_was_before_the_first_statement(one_by_one, rehearsed, apply, rollback, writes):
    story = one_by_one(apply, rollback)
    story.round_trip(writes)
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]
    for table in ("journal_row", "journal_relation"):
        assert story.ask(f"SELECT count(*) FROM runbook.{table}") == [(0,)]


# What others write in between --------------------------------------------------------------------------------


@pytest.fixture
def at(server: Any, database: str) -> Callable[..., None]:
    """``at(story, {2: "INSERT ..."})``: another session writes before the second statement."""

    def write(story: OneByOne, writes: dict[int, str]) -> None:
        def between(ordinal: int) -> None:
            if ordinal in writes:
                with contextlib.closing(server.connect(database)) as other:
                    other.cursor().execute(writes[ordinal])
                    other.commit()

        story.between = between

    return write


def held_back(story: OneByOne) -> list[tuple]:
    return story.ask(
        "SELECT m.kind, k.kept, k.held_back FROM runbook_salvage.kept_row k"
        " JOIN runbook_salvage.manifest m USING (item) ORDER BY item, number"
    )


def round_trip(story: OneByOne, writes: str) -> list[dict[str, Any]]:
    story.rehearse()
    story.deploy()
    story.execute(writes)
    story.roll_back()
    return story.deploy()


UPDATES = (
    "UPDATE book SET shelf = shelf + 10",
    "UPDATE book SET shelf = shelf - 10; UPDATE book SET shelf = 1 WHERE id < 3",
)


def test_a_row_that_somebody_changed_in_between(one_by_one, rehearsed, at):
    """The last version that people wrote goes back; the one before it stays, and is not put on top of it."""
    story = one_by_one(*UPDATES)
    at(story, {2: "UPDATE book SET title = 'in between' WHERE id = 1"})
    round_trip(story, "UPDATE book SET shelf = 70 WHERE id < 3")
    assert held_back(story) == [("changed rows", "(1,one,70)", CHANGED)]
    assert story.ask("SELECT id, title, shelf FROM book WHERE id < 3 ORDER BY id") == [
        (1, "in between", 60),
        (2, "zwei", 70),
    ]


def test_a_row_that_no_later_statement_touches_again(one_by_one, rehearsed, at):
    story = one_by_one(*UPDATES)
    at(story, {2: "UPDATE book SET title = 'in between' WHERE id = 3"})
    round_trip(story, "UPDATE book SET shelf = 70 WHERE id = 3")
    assert held_back(story) == [("changed rows", '(3,"trois, ""3""",70)', CHANGED)]
    assert story.ask("SELECT title, shelf FROM book WHERE id = 3") == [("in between", 70)]


def test_a_row_that_somebody_deletes_in_between(one_by_one, rehearsed, at):
    story = one_by_one(*UPDATES)
    at(story, {2: "DELETE FROM book WHERE id = 1"})
    round_trip(story, "UPDATE book SET shelf = 70 WHERE id = 1")
    ((_, line, reason),) = held_back(story)
    assert (line, reason) == ("(1,one,70)", "somebody deleted its row since the rollback")
    assert story.ask("SELECT count(*) FROM book WHERE id = 1") == [(0,)]


def test_a_row_that_comes_in_between_and_is_deleted(one_by_one, rehearsed, at):
    story = one_by_one(
        "UPDATE book SET shelf = 5", "UPDATE book SET shelf = 1; DELETE FROM book WHERE shelf > 1"
    )
    at(story, {2: "INSERT INTO book (id, title, shelf) VALUES (50, 'in between', 9)"})
    round_trip(story, "UPDATE book SET shelf = 6 WHERE id = 1")
    assert held_back(story) == []
    assert story.ask("SELECT id, shelf FROM book WHERE id IN (1, 50) ORDER BY 1") == [(1, 6), (50, 9)]


def test_a_row_that_somebody_makes_where_one_was_deleted(one_by_one, rehearsed, at):
    story = one_by_one(
        "UPDATE book SET shelf = 5",
        "DELETE FROM book WHERE id = 1; UPDATE book SET shelf = 1; DELETE FROM book",
    )
    at(story, {2: "INSERT INTO book (id, title, shelf) VALUES (1, 'another', 8)"})
    round_trip(story, "UPDATE book SET shelf = 6 WHERE id = 1")
    ((_, line, reason),) = held_back(story)
    assert (line, reason) == ("(1,one,6)", "somebody made a row with its key since the rollback")
    assert story.ask("SELECT title, shelf FROM book WHERE id = 1") == [("another", 8)]


def test_a_row_of_a_table_that_goes_changed_in_between(one_by_one, rehearsed, at):
    story = one_by_one(STAR, "UPDATE star SET note = 'u'; ALTER TABLE star DROP COLUMN book; DROP TABLE star")
    at(
        story,
        {
            2: "UPDATE star SET note = 'in between' WHERE id = 1; INSERT INTO star VALUES (50, 3, 'new')",
            3: "UPDATE star SET note = 'later' WHERE id = 2; INSERT INTO star (id, note) VALUES (60, 'last')",
        },
    )
    round_trip(story, "INSERT INTO star (book, note) VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    assert [(line, reason) for _, line, reason in held_back(story)] == [
        ("(1,1,a)", CHANGED),
        ("(2,b)", CHANGED),
    ]
    assert story.ask("SELECT * FROM star ORDER BY id") == [
        (1, 1, "in between"),
        (2, 2, "later"),
        (3, 3, "c"),
        (50, 3, "new"),
        (60, None, "last"),
    ]


def test_a_row_of_the_rollbacks_own_changed_in_between(one_by_one, rehearsed, at):
    """By then it is a user's."""
    story = one_by_one(
        "DELETE FROM book WHERE id > 2",
        "INSERT INTO book VALUES (3, 'drei', 3), (4, '', 4); UPDATE book SET shelf = shelf + 1;"
        "DELETE FROM book WHERE id > 2;"
        "INSERT INTO book VALUES (3, 'drei', 3), (4, '', 4)",
    )
    at(story, {2: "UPDATE book SET title = 'mine' WHERE id = 3"})
    story.rehearse()
    story.deploy()
    story.roll_back()
    assert [line for (line,) in story.ask("SELECT kept FROM runbook_salvage.kept_row WHERE key = '(3)'")] == [
        "(3,mine,3)"
    ]
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row WHERE key = '(4)'") == [(0,)]


def test_a_table_without_a_key_changed_in_between(one_by_one, rehearsed, at):
    story = one_by_one("UPDATE note SET at = 5", "UPDATE note SET at = 1; UPDATE note SET body = 'x'")
    at(story, {2: "INSERT INTO note VALUES ('in between', 3)"})
    round_trip(story, "UPDATE note SET body = 'mine' WHERE body = 'b'")
    reason = "somebody changed the table since the rollback, and it has no key to tell rows apart"
    assert {(line, why) for _, line, why in held_back(story)} >= {("(mine,5)", reason)}
    assert ("in between", 3) in story.ask("SELECT body, at FROM note")


def test_a_change_after_the_rollback_of_a_table_that_it_renamed_last(one_by_one, rehearsed):
    story = one_by_one(
        "UPDATE book SET shelf = 5; ALTER TABLE book RENAME TO volume; ALTER TABLE volume RENAME shelf TO place",
        "UPDATE volume SET place = 1; ALTER TABLE volume RENAME place TO shelf; ALTER TABLE volume RENAME TO book",
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE volume SET place = 6")
    story.roll_back()
    story.execute("UPDATE book SET title = 'renamed' WHERE id = 1")
    story.deploy()
    assert held_back(story) == [("changed rows", "(1,one,6)", CHANGED)]
    assert story.ask("SELECT title, place FROM volume WHERE id < 3 ORDER BY id") == [
        ("renamed", 5),
        ("zwei", 6),
    ]


def test_another_key_in_between(one_by_one, rehearsed):
    """Rows kept before are not known again by it, and stay in the salvage."""
    story = one_by_one(
        "ALTER TABLE book DROP CONSTRAINT book_pkey; ALTER TABLE book ADD PRIMARY KEY (title);"
        "UPDATE book SET shelf = 5",
        "UPDATE book SET shelf = 1; ALTER TABLE book DROP CONSTRAINT book_pkey; ALTER TABLE book ADD PRIMARY KEY (id);"
        "UPDATE book SET shelf = 2",
    )
    round_trip(story, "UPDATE book SET shelf = 6 WHERE id = 1")
    assert ("changed rows", "(1,one,6)") in {(kind, line) for kind, line, _ in held_back(story)}


def test_only_values_that_a_new_deploy_would_not_give_are_kept(one_by_one, rehearsed):
    story = one_by_one(
        "ALTER TABLE book ADD COLUMN mark text DEFAULT 'x', ADD COLUMN stars int",
        "UPDATE book SET mark = 'gone' WHERE id = 4; ALTER TABLE book DROP COLUMN stars;"
        "ALTER TABLE book DROP COLUMN mark",
    )
    kept, _ = story.round_trip("UPDATE book SET mark = 'mine', stars = 5 WHERE id = 2")
    assert kinds(kept) == [
        ("dropped columns", "public.book", 1),  # stars of one row
        ("dropped columns", "public.book", 2),  # and mark, also of the row that the rollback changed
    ]


def test_a_sequence_that_counts_downwards(one_by_one, rehearsed):
    story = one_by_one(
        "CREATE SEQUENCE down INCREMENT -1 MAXVALUE 100 START 100",
        "SELECT setval('down', 100, false); SELECT nextval('down'); SELECT setval('down', 100); DROP SEQUENCE down",
    )
    story.rehearse()
    story.deploy()
    story.execute("SELECT nextval('down') FROM generate_series(1, 30)")
    assert [(item["kind"], item["rows"]) for item in story.roll_back()] == [("sequence", 1)]
    story.deploy()
    assert story.ask("SELECT nextval('down')") == [(70,)]


def test_labels_that_the_rollback_renames_in_between(one_by_one, rehearsed):
    """The rows change their text, and nobody has changed them: nothing is lost, though it may have to go by hand."""
    story = one_by_one(
        "UPDATE tune SET at = 5", "UPDATE tune SET at = 1; ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"
    )
    story.execute(
        "CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TABLE tune (id int PRIMARY KEY, mood mood, at int);"
        "INSERT INTO tune VALUES (1, 'glad', 1), (2, 'sad', 1)"
    )
    story.deploy()
    story.execute("UPDATE tune SET at = 7")
    story.roll_back()
    story.apply = "ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'; UPDATE tune SET at = 5"
    story.deploy()
    assert story.ask("SELECT mood::text, at FROM tune WHERE id = 1") == [("glad", 7)]
    assert held_back(story) == [("changed rows", "(2,sad,7)", CHANGED)]


# Killed ------------------------------------------------------------------------------------------------------

LONG = (
    BOOK + "; UPDATE book SET shelf = 5",
    "UPDATE star SET note = 'u'; UPDATE book SET shelf = 1; DELETE FROM star WHERE id = 1; DROP TABLE star;"
    "ALTER TABLE book DROP COLUMN mark; UPDATE book SET shelf = 2; ALTER TABLE book DROP COLUMN stars",
)


class Killed(Exception):
    pass


@pytest.mark.parametrize("ordinal", range(1, 8))
def test_a_rollback_that_ends_between_two_statements_is_finished_by_the_next(one_by_one, rehearsed, ordinal):
    story = one_by_one(*LONG)

    def stop(number: int) -> None:
        if number == ordinal:
            story.between = lambda ordinal: None
            raise Killed

    story.rehearse()
    story.deploy()
    story.execute(WRITES)
    before = story.content()
    story.between = stop
    with pytest.raises(Killed):
        story.roll_back()
    kept = story.roll_back()
    assert story.ask("SELECT DISTINCT run_id FROM runbook_salvage.manifest") == [("run 1",)]
    assert {item["kind"] for item in kept} >= {"dropped table", "dropped columns", "changed rows", "sequence"}
    story.deploy()
    assert held_back(story) == []
    assert story.content()["tables"]["public.star"] == before["tables"]["public.star"]
    assert story.content()["tables"]["public.book"] == before["tables"]["public.book"]


def test_a_statement_that_fails_keeps_nothing(one_by_one, rehearsed):
    story = one_by_one(
        STAR, "UPDATE star SET note = 'u'; UPDATE star SET note = 'v' WHERE 1 / (id - 2) = 5; DROP TABLE star"
    )
    story.rehearse()
    story.deploy()
    story.execute("INSERT INTO star (note) VALUES ('a'), ('b')")
    with pytest.raises(Exception, match="division by zero"):
        story.roll_back()
    assert story.ask("SELECT kept FROM runbook_salvage.kept_row ORDER BY key") == [("(1,,a)",), ("(2,,b)",)]
    assert story.ask("SELECT note FROM star") == [("u",), ("u",)]


def test_what_the_migration_brought_and_a_user_deleted_stays_deleted(one_by_one, rehearsed):
    story = one_by_one(
        "CREATE TABLE genre (id serial PRIMARY KEY, name text UNIQUE);"
        "INSERT INTO genre (name) VALUES ('a'), ('b'), ('c')",
        "UPDATE genre SET name = name || '!'; DELETE FROM genre WHERE id = 1; DROP TABLE genre",
    )
    kept, _ = story.round_trip(
        "DELETE FROM genre WHERE id = 2; UPDATE genre SET name = 'mine' WHERE id = 3;"
        " INSERT INTO genre (name) VALUES ('c')"
    )
    assert kinds(kept)[-1] == ("sequence", "public.genre_id_seq", 1)
    assert [item["rows"] for item in kept if item["kind"] == "rows that a user deleted"] == [1]
