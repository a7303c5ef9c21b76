# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rollbacks whose statements commit one by one: what they destroy goes in one transaction, and comes back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import (
    BOTH_CHANGED,
)

from tests.integration.salvage.one_by_one import OneByOne

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
            "UPDATE event SET what = 'u' WHERE id > 1; ALTER TABLE event DETACH PARTITION event_low;"
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
def test_it_comes_back_as_it_was_before_the_first_statement(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, apply: Any, rollback: str, writes: Any
) -> None:
    story = one_by_one(apply, rollback)
    story.round_trip(writes)
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]
    assert story.ask("SELECT count(DISTINCT xmin::text) FROM runbook.journal_statement") == [(1,)]


# What others write in between --------------------------------------------------------------------------------


@pytest.fixture
def at(server: Any, database: str) -> Callable[..., None]:
    """``at(story, {2: "INSERT ..."})``: another session writes before the part that begins there."""

    def write(story: OneByOne, writes: dict[int, str]) -> None:
        story.seen = []

        def between(ordinal: int) -> None:
            story.seen.append(ordinal)
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


INDEXED = "UPDATE book SET shelf = shelf + 10; CREATE INDEX book_shelf ON book (shelf)"

#: Rollbacks of it, and the ordinals with which their parts begin.
FIRST = ("UPDATE book SET shelf = shelf - 10; DROP INDEX CONCURRENTLY book_shelf; VACUUM book", [1, 2, 3])
LAST = ("DROP INDEX CONCURRENTLY book_shelf; VACUUM book; UPDATE book SET shelf = shelf - 10", [1, 2, 3])
MIDDLE = (
    "DROP INDEX CONCURRENTLY book_shelf; SELECT 1; UPDATE book SET shelf = shelf - 10; SELECT 2; VACUUM book",
    [1, 2, 5],
)


@pytest.mark.parametrize(("rollback", "parts"), [FIRST, LAST, MIDDLE], ids=["first", "last", "middle"])
def test_wherever_the_statements_stand_that_change_rows(
    one_by_one: Callable[[str, str], OneByOne],
    rehearsed: bool,
    at: Callable[..., None],
    rollback: Any,
    parts: Any,
) -> None:
    story = one_by_one(INDEXED, rollback)
    at(story, {})
    kept, _ = story.round_trip(
        "UPDATE book SET shelf = 70 WHERE id = 1; DELETE FROM book WHERE id = 2;"
        "INSERT INTO book (id, title, shelf) VALUES (50, 'new', 9)"
    )
    assert story.seen == parts
    assert kept == [], "what the rollback takes, the migration gives again"


def test_what_people_write_before_the_rows_are_changed_is_theirs(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, at: Callable[..., None]
) -> None:
    story = one_by_one(INDEXED, LAST[0])
    at(
        story,
        {
            2: "UPDATE book SET title = 'in between', shelf = 80 WHERE id = 1; DELETE FROM book WHERE id = 2",
            3: "INSERT INTO book (id, title, shelf) VALUES (50, 'new', 9)",
        },
    )
    round_trip(story, "UPDATE book SET shelf = 70 WHERE id < 3")
    assert held_back(story) == []
    assert story.ask("SELECT id, title, shelf FROM book WHERE id < 3 OR id = 50 ORDER BY id") == [
        (1, "in between", 80),
        (50, "new", 9),
    ]


def test_what_people_write_after_the_rows_were_changed_is_not_written_over(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, at: Callable[..., None]
) -> None:
    """The version from before stays in the salvage, with the reason."""
    story = one_by_one(INDEXED, "UPDATE book SET shelf = 1; DROP INDEX CONCURRENTLY book_shelf; VACUUM book")
    at(
        story,
        {
            2: "UPDATE book SET title = 'in between' WHERE id = 1; UPDATE book SET shelf = 3 WHERE id = 4",
            3: "DELETE FROM book WHERE id = 2; INSERT INTO book (id, title, shelf) VALUES (50, 'new', 9)",
        },
    )
    round_trip(story, "UPDATE book SET shelf = 70 WHERE id IN (1, 2, 4)")
    assert sorted(held_back(story)) == [
        ("changed rows", "(2,zwei,70)", "somebody deleted its row since the rollback"),
        ("changed rows", '(4,"",70)', f"{BOTH_CHANGED}shelf"),
    ]
    assert story.ask("SELECT id, title, shelf FROM book WHERE id <> 3 ORDER BY id") == [
        (1, "in between", 70),
        (4, "", 13),
        (50, "new", 19),
    ]


def test_a_table_without_a_key_changed_after_its_rows_were(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, at: Callable[..., None]
) -> None:
    story = one_by_one(
        "UPDATE note SET at = 5", "UPDATE note SET at = 1; UPDATE note SET body = 'x'; VACUUM note"
    )
    at(story, {3: "UPDATE note SET body = 'in between'"})
    round_trip(story, "UPDATE note SET body = 'mine' WHERE body = 'b'")
    reason = "somebody changed the table since the rollback, and it has no key to tell rows apart"
    assert {(line, why) for _, line, why in held_back(story)} >= {("(mine,5)", reason)}
    assert story.ask("SELECT DISTINCT body, at FROM note") == [("in between", 5)]


def test_a_partition_that_is_detached_before_it_goes(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, at: Callable[..., None]
) -> None:
    """DETACH CONCURRENTLY forbids a transaction; what was written to the partition by then goes with it."""
    story = one_by_one(
        "CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (100)",
        "ALTER TABLE event DETACH PARTITION event_low CONCURRENTLY; UPDATE event_low SET what = 'u';"
        "DROP TABLE event_low",
    )
    story.execute("CREATE TABLE event (id int PRIMARY KEY, what text) PARTITION BY RANGE (id)")
    at(story, {2: "INSERT INTO event_low VALUES (3, 'late')"})
    round_trip(story, "INSERT INTO event VALUES (1, 'a'), (2, NULL)")
    assert held_back(story) == []
    assert story.ask("SELECT * FROM event ORDER BY id") == [(1, "a"), (2, None), (3, "late")]


def test_a_rollback_that_only_drops_indexes_keeps_nothing(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, at: Callable[..., None]
) -> None:
    story = one_by_one(
        "CREATE INDEX book_shelf ON book (shelf)", "DROP INDEX CONCURRENTLY book_shelf; ANALYZE book"
    )
    at(story, {2: "UPDATE book SET title = 'in between' WHERE id = 1"})
    story.rehearse()
    story.deploy()
    assert story.roll_back() == []
    assert story.deploy() == []
    assert story.ask("SELECT title FROM book WHERE id = 1") == [("in between",)]


# Killed ------------------------------------------------------------------------------------------------------

LONG = (
    BOOK + "; UPDATE book SET shelf = 5; CREATE INDEX book_shelf ON book (shelf)",
    "DROP INDEX CONCURRENTLY book_shelf; ANALYZE book;"
    "UPDATE star SET note = 'u'; UPDATE book SET shelf = 1; DELETE FROM star WHERE id = 1; DROP TABLE star;"
    "ALTER TABLE book DROP COLUMN mark; UPDATE book SET shelf = 2; ALTER TABLE book DROP COLUMN stars;"
    "VACUUM book; CREATE INDEX CONCURRENTLY book_again ON book (title); DROP INDEX book_again",
)


class Killed(Exception):
    pass


@pytest.mark.parametrize("ordinal", [1, 2, 10, 11, 12])
def test_a_rollback_that_ends_between_two_parts_is_finished_by_the_next(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool, ordinal: int
) -> None:
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
    assert {item["kind"] for item in kept} >= {"dropped table", "changed rows", "sequence"}
    story.deploy()
    assert held_back(story) == []
    assert story.content()["tables"]["public.star"] == before["tables"]["public.star"]
    assert story.content()["tables"]["public.book"] == before["tables"]["public.book"]


def test_a_part_that_fails_changes_and_keeps_nothing(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool
) -> None:
    story = one_by_one(
        STAR, "UPDATE star SET note = 'u'; UPDATE star SET note = 'v' WHERE 1 / (id - 2) = 5; DROP TABLE star"
    )
    story.rehearse()
    story.deploy()
    story.execute("INSERT INTO star (note) VALUES ('a'), ('b')")
    with pytest.raises(Exception, match="division by zero"):
        story.roll_back()
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]
    assert story.ask("SELECT note FROM star") == [("a",), ("b",)]


def test_what_the_migration_brought_and_a_user_deleted_stays_deleted(
    one_by_one: Callable[[str, str], OneByOne], rehearsed: bool
) -> None:
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
    assert story.ask("SELECT name FROM genre ORDER BY id") == [("a",), ("mine",), ("c",)]
