# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is not forced: kept rows that stay in the salvage, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import BOTH_CHANGED
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.waiting import (
    ANOTHER_OR_CHANGED,
)

from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.star import STAR


def held_back(story: Any) -> list[tuple]:
    return story.ask("SELECT key, held_back FROM runbook_salvage.kept_row ORDER BY key")


def test_a_row_whose_parent_is_gone_stays(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book, mark) VALUES (1, 'a'), (2, 'b')")
    story.roll_back()
    story.execute("DELETE FROM book WHERE id = 1")
    table, _ = story.deploy()
    assert (table["returned"], table["held_back"]) == (1, 1)
    assert table["reasons"] == {"its parent in public.book is gone": 1}
    assert story.ask("SELECT id, book, mark FROM star") == [(2, 2, "b")]
    assert held_back(story) == [("(a)", "its parent in public.book is gone")]


def test_a_row_that_somebody_changed_stays(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("UPDATE book SET shelf = 10", "UPDATE book SET shelf = 1")
    story.deploy()
    story.execute("UPDATE book SET shelf = 20")
    story.roll_back()
    story.execute("UPDATE book SET title = 'renamed' WHERE id = 1; DELETE FROM book WHERE id = 2")
    (item,) = story.deploy()
    assert item["reasons"] == {"somebody deleted its row since the rollback": 1}
    assert story.ask("SELECT title, shelf FROM book WHERE id = 1") == [("renamed", 20)], (
        "both sides had their say"
    )
    assert story.ask("SELECT id, shelf FROM book ORDER BY id") == [(1, 20), (3, 20), (4, 20)]


def test_a_key_that_was_given_out_again_stays(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "INSERT INTO book (id, title) VALUES (100, 'seeded')", "DELETE FROM book WHERE id = 100"
    )
    story.deploy()
    story.execute("UPDATE book SET shelf = 42 WHERE id = 100")
    story.roll_back()
    story.apply = "SELECT 1"
    story.execute("INSERT INTO book (id, title) VALUES (100, 'somebody else')")
    item = next(item for item in story.deploy() if item["kind"] == "changed rows")
    assert item["reasons"] == {ANOTHER_OR_CHANGED: 1}
    assert story.ask("SELECT title FROM book WHERE id = 100") == [("somebody else",)]


def test_a_row_that_both_sides_made_under_one_name_stays_as_it_is(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*STAR)
    story.apply += "ALTER TABLE star ADD UNIQUE (mark);"
    story.deploy()
    story.execute("INSERT INTO star (book, mark) VALUES (1, 'a'), (1, 'b')")
    story.roll_back()
    story.apply += "INSERT INTO star (id, book, mark) VALUES (70, 2, 'a');"
    table, _ = story.deploy()
    assert (table["returned"], table["reasons"]) == (
        1,
        {"somebody made a row with its key since the rollback": 1},
    )
    assert story.ask("SELECT id, book, mark FROM star ORDER BY id") == [(2, 1, "b"), (70, 2, "a")]


def test_unique_values_that_a_row_of_users_has(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "INSERT INTO book (id, title) VALUES (100, 'seeded')", "DELETE FROM book WHERE id = 100"
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET title = 'mine' WHERE id = 100")
    story.roll_back()
    story.execute("INSERT INTO book (id, title) VALUES (50, 'mine')")
    item = next(item for item in story.deploy() if item["kind"] == "changed rows")
    assert item["held_back"] == 1
    assert item["reasons"] == {"another row has its key or its unique values": 1}
    assert story.ask("SELECT id, title FROM book WHERE id >= 50 ORDER BY 1") == [
        (50, "mine"),
        (100, "seeded"),
    ]


def test_unique_values_that_are_taken_meanwhile(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("SELECT 1", "DELETE FROM book WHERE id = 4")
    story.deploy()
    story.roll_back()
    story.execute("INSERT INTO book (id, title) VALUES (50, '')")
    (item,) = story.deploy()
    assert item["reasons"] == {"another row has its key or its unique values": 1}
    assert story.ask("SELECT id FROM book WHERE title = ''") == [(50,)]


def test_a_constraint_that_the_next_version_has(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book, mark) VALUES (1, 'fine'), (1, 'too long'), (2, NULL)")
    story.roll_back()
    story.apply += "ALTER TABLE star ADD CONSTRAINT short CHECK (length(mark) < 5);"
    table, _ = story.deploy()
    assert (table["returned"], table["held_back"]) == (2, 1)
    assert "violates check constraint" in next(iter(table["reasons"]))
    assert story.ask("SELECT mark FROM star ORDER BY id") == [("fine",), (None,)]


def test_a_column_that_the_next_version_lacks(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book, mark) VALUES (1, 'a')")
    story.roll_back()
    story.apply = story.apply.replace(", mark text", "")
    table, _ = story.deploy()
    assert table["reasons"] == {"the table no longer has column mark": 1}


def test_a_number_that_no_statement_may_set_stays(deployment: Callable[[str, str], Deployment]) -> None:
    """The seed gets its number from a table that was there, and another one with each deploy."""
    story = deployment("INSERT INTO item (code) VALUES ('seed')", "DELETE FROM item WHERE code = 'seed'")
    story.execute(
        "CREATE TABLE item (code text PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY, shelf int)"
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE item SET shelf = 4")
    ((seq,),) = story.ask("SELECT seq FROM item")
    story.roll_back()
    item = next(item for item in story.deploy() if item["kind"] == "changed rows")
    assert (item["held_back"], item["reasons"]) == (1, {f"{BOTH_CHANGED}seq": 1})
    ((now, shelf),) = story.ask("SELECT seq, shelf FROM item")
    assert (now != seq, shelf) == (True, 4)
    assert held_back(story) == [("(seed)", f"{BOTH_CHANGED}seq")]


def test_a_table_without_key_that_somebody_changed_stays(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """Nobody can tell which of the rows that are there now the kept one was: they all stay as they are."""
    story = deployment("UPDATE note SET at = 5", "UPDATE note SET at = 1")
    story.deploy()
    story.execute("UPDATE note SET at = 6 WHERE body = 'b'")
    story.roll_back()
    story.execute("UPDATE note SET body = 'c' WHERE body = 'b'")
    (item,) = story.deploy()
    assert (item["returned"], item["held_back"]) == (0, 2)
    assert story.ask("SELECT at FROM note WHERE body = 'c'") == [(5,)]


def test_a_table_without_key_that_somebody_added_to(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("UPDATE note SET at = 5", "UPDATE note SET at = 1")
    story.deploy()
    story.execute("UPDATE note SET at = 6 WHERE body = 'b'")
    story.roll_back()
    story.execute("INSERT INTO note VALUES ('later', 9)")
    (item,) = story.deploy()
    assert (item["returned"], item["held_back"]) == (2, 0)
    assert story.ask("SELECT body, at FROM note WHERE body IN ('b', 'later') ORDER BY 1") == [
        ("b", 6),
        ("later", 5),
    ]
