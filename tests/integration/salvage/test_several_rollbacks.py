# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Salvage of several rollbacks of one migration: what the later one kept overwrites nothing of the earlier one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.competing_rows import (
    NEWER_VERSION as LATER,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import (
    BASE_UNKNOWN,
    VALUES_UNKNOWN,
)

from tests.integration.salvage.deployment import Deployment


def use(story: Deployment, writes: str, *, restore_salvage: bool = True) -> None:
    """Deploy, write, roll back."""
    story.deploy(restore_salvage)
    story.execute(writes)
    story.roll_back()


def use_twice(story: Deployment, earlier: str, later: str) -> list[dict[str, Any]]:
    """Two rollbacks whose salvage goes back at once; what came back."""
    use(story, earlier)
    use(story, later, restore_salvage=False)
    return story.deploy()


def kept(story: Deployment) -> list[tuple]:
    return story.ask("SELECT kept, held_back FROM runbook_salvage.kept_row ORDER BY number")


@pytest.mark.parametrize(
    ("apply", "rollback", "write"),
    [
        (
            "CREATE TABLE star (id serial PRIMARY KEY, mark text)",
            "DROP TABLE star",
            "INSERT INTO star (mark) VALUES ('{}')",
        ),
        (
            "CREATE TABLE star (id int, other int DEFAULT 1, mark text, PRIMARY KEY (id, other))",
            "DROP TABLE star",
            "INSERT INTO star (id, mark) VALUES (1, '{}')",
        ),
        (
            "ALTER TABLE book ADD COLUMN mark text",
            "ALTER TABLE book DROP COLUMN mark",
            "UPDATE book SET mark = '{}' WHERE id = 1",
        ),
    ],
)
def test_the_later_version_goes_back_and_the_earlier_one_stays(
    deployment: Callable[[str, str], Deployment], apply: str, rollback: str, write: str
) -> None:
    story = deployment(apply, rollback)
    use_twice(story, write.format("earlier"), write.format("later"))
    table = "star" if "star" in apply else "book"
    assert story.ask(f"SELECT mark FROM {table} WHERE id = 1") == [("later",)]
    ((line, reason),) = kept(story)
    assert "earlier" in line
    assert reason == LATER


def test_changed_rows(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "INSERT INTO book (id, title) VALUES (100, 'seeded')", "DELETE FROM book WHERE id = 100"
    )
    use_twice(
        story,
        "UPDATE book SET shelf = 8 WHERE id = 100",
        "UPDATE book SET shelf = 9 WHERE id = 100",
    )
    assert story.ask("SELECT shelf FROM book WHERE id = 100") == [(9,)]
    assert kept(story) == [("(100,seeded,8)", LATER)]


def test_a_row_that_only_the_earlier_rollback_changed(deployment: Callable[[str, str], Deployment]) -> None:
    """Nobody has written to it since, so that it is to be had back."""
    story = deployment("UPDATE book SET title = title", "UPDATE book SET shelf = 0 WHERE shelf = 8")
    use_twice(story, "UPDATE book SET shelf = 8 WHERE id = 1", "UPDATE book SET shelf = 8 WHERE id = 2")
    assert story.ask("SELECT shelf FROM book WHERE id < 3 ORDER BY id") == [(8,), (8,)]
    assert kept(story) == []


def test_rows_that_only_one_of_them_kept_all_go_back(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("CREATE TABLE star (id int PRIMARY KEY, mark text)", "DROP TABLE star")
    use_twice(
        story,
        "INSERT INTO star VALUES (1, 'a'), (2, 'same'), (3, NULL)",
        "INSERT INTO star VALUES (2, 'same'), (4, 'b')",
    )
    assert story.ask("SELECT id, mark FROM star ORDER BY id") == [(1, "a"), (2, "same"), (3, None), (4, "b")]
    assert kept(story) == []


def test_columns_that_only_one_of_them_kept_both_go_back(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "ALTER TABLE book ADD a text, ADD b text", "ALTER TABLE book DROP COLUMN a, DROP COLUMN b"
    )
    story.rehearse()
    use_twice(story, "UPDATE book SET a = 'x' WHERE id = 1", "UPDATE book SET b = 'y' WHERE id = 1")
    assert story.ask("SELECT a, b FROM book WHERE id = 1") == [("x", "y")]
    assert kept(story) == []


def test_equal_rows_of_a_table_without_a_key_are_as_many(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment("CREATE TABLE star (mark text)", "DROP TABLE star")
    use_twice(story, "INSERT INTO star VALUES ('x'), ('a')", "INSERT INTO star VALUES ('x'), ('x')")
    assert story.ask("SELECT mark FROM star ORDER BY 1") == [("a",), ("x",), ("x",)]
    assert kept(story) == [("(x)", LATER)], "the third is not taken for one of the others"


def test_the_content_of_a_table_without_a_key(deployment: Callable[[str, str], Deployment]) -> None:
    """What users had added comes back from both."""
    story = deployment("INSERT INTO note VALUES ('brought', 5)", "TRUNCATE note")
    use_twice(story, "INSERT INTO note VALUES ('earlier', 6)", "INSERT INTO note VALUES ('later', 7)")
    bodies = {body for (body,) in story.ask("SELECT body FROM note")}
    assert bodies == {"a", "b", None, "brought", "earlier", "later"}
    assert kept(story) == []


def test_another_key_in_between(deployment: Callable[[str, str], Deployment]) -> None:
    """Nobody can tell which rows are the same: the earlier ones stay."""
    story = deployment("CREATE TABLE star (id int PRIMARY KEY, mark text UNIQUE)", "DROP TABLE star")
    use(story, "INSERT INTO star VALUES (1, 'earlier'), (2, 'x')")
    story.apply = "CREATE TABLE star (id int, mark text PRIMARY KEY)"
    use(story, "INSERT INTO star VALUES (1, 'later')", restore_salvage=False)
    story.deploy()
    assert story.ask("SELECT * FROM star") == [(1, "later")]
    assert sorted(kept(story)) == [("(1,earlier)", LATER), ("(2,x)", LATER)]


def test_what_came_back_before_is_not_counted_again(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TABLE star (id serial PRIMARY KEY, book int REFERENCES book);", "DROP TABLE star;"
    )
    use(story, "INSERT INTO star (book) VALUES (1), (2), (3); DELETE FROM star WHERE id = 2")
    story.execute("DELETE FROM book WHERE id = 3")

    def of_table(returned: list[dict[str, Any]]) -> list[tuple]:
        return [(item["returned"], item["held_back"]) for item in returned if item["kind"] == "dropped table"]

    assert of_table(story.deploy()) == [(1, 1)]
    story.execute("DELETE FROM star")
    story.roll_back()
    assert of_table(story.deploy()) == [(0, 1)]


def test_salvage_that_an_earlier_release_of_the_runbook_kept(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """It does not have what the migration makes of the rows by itself: then people say whose word is the last."""
    story = deployment(
        "CREATE TABLE star (id serial PRIMARY KEY, mark text); ALTER TABLE book ADD a text",
        "DROP TABLE star; ALTER TABLE book DROP a",
    )
    use(story, "INSERT INTO star (mark) VALUES ('a'); UPDATE book SET a = title WHERE id = 1")
    story.execute(
        "UPDATE runbook_salvage.manifest SET facts = facts || '{\"base_known\": false}';"
        " UPDATE runbook_salvage.kept_row SET base = NULL"
    )
    returned = {item["kind"]: item["reasons"] for item in story.deploy() if item["held_back"]}
    assert returned == {
        "dropped table": {BASE_UNKNOWN: 1},
        "dropped columns": {f"{VALUES_UNKNOWN}a": 1},
    }
