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
            STAR + "; INSERT INTO star (note) VALUES ('s')",
            "SELECT setval('star_id_seq', 1); DELETE FROM star; SELECT setval('star_id_seq', 1);"
            "ALTER TABLE star DROP COLUMN book; DROP TABLE star",
            "INSERT INTO star (note) SELECT 'x' FROM generate_series(1, 20); DELETE FROM star WHERE id > 10",
            id="sequences",
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
