# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A key that stands for another thing than before the rollback: what had it does not overwrite what has it now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.parents import KEY_OF_ANOTHER
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.waiting import (
    ANOTHER_OR_CHANGED,
)

from tests.integration.salvage.deployment import Deployment

AUTHORS = (
    "CREATE TABLE author (id serial PRIMARY KEY, name text UNIQUE, bio text, since timestamptz DEFAULT now());"
    "INSERT INTO author (name) SELECT title FROM book ORDER BY title;",
    "DROP TABLE author",
)
BIO = "UPDATE author SET bio = 'born in ' || name WHERE name IN ('one', 'zwei')"
ANOTHER = "another row has its number now"


def authors(story: Any) -> list[tuple]:
    return story.ask("SELECT name, bio FROM author WHERE name <> '' ORDER BY name")


def reasons(returned: Any) -> dict:
    return {item["table"]: item["reasons"] for item in returned if item["held_back"]}


def test_what_nobody_changed_comes_back(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*AUTHORS)
    story.round_trip_loses_nothing(lambda: story.execute(BIO))


def test_a_source_that_was_changed_elsewhere(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*AUTHORS)
    story.deploy()
    story.execute(BIO)
    story.roll_back()
    story.execute("UPDATE book SET shelf = 99; INSERT INTO book (title) VALUES ('zz')")
    assert reasons(story.deploy()) == {}
    assert authors(story) == [
        ("one", "born in one"),
        ('trois, "3"', None),
        ("zwei", "born in zwei"),
        ("zz", None),
    ]


def test_a_row_that_is_made_of_what_somebody_changed_since(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*AUTHORS)
    story.deploy()
    story.execute(BIO)
    story.roll_back()
    story.execute("UPDATE book SET title = 'only' WHERE title = 'one'")
    assert reasons(story.deploy()) == {"public.author": {ANOTHER: 1}}
    assert authors(story) == [("only", None), ('trois, "3"', None), ("zwei", "born in zwei")]
    assert story.ask("SELECT kept LIKE '%born in one%' FROM runbook_salvage.kept_row") == [(True,)]


def test_a_row_that_a_user_deleted_and_another_one_under_its_key(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*AUTHORS)
    story.deploy()
    story.execute("DELETE FROM author WHERE name = 'one'")
    story.roll_back()
    story.execute("UPDATE book SET title = 'only' WHERE title = 'one'")
    story.deploy()
    assert ("only", None) in authors(story)


def test_a_row_of_users_and_one_that_the_deploy_makes_under_its_key(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*AUTHORS)
    story.deploy()
    story.execute("INSERT INTO author (name, bio) VALUES ('mine', 'me')")
    story.roll_back()
    story.execute("INSERT INTO book (title) VALUES ('zz')")
    assert reasons(story.deploy()) == {}
    assert [row for row in authors(story) if row[0] in ("mine", "zz")] == [("mine", "me"), ("zz", None)]


def test_children_do_not_come_to_a_stranger(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        AUTHORS[0]
        + "CREATE TABLE quote (id serial PRIMARY KEY, author int NOT NULL REFERENCES author, said text);",
        "DROP TABLE quote; DROP TABLE author",
    )
    story.deploy()
    story.execute("INSERT INTO quote (author, said) SELECT id, name || ' said' FROM author ORDER BY id")
    story.roll_back()
    story.execute("UPDATE book SET title = 'only' WHERE title = 'one'")
    assert reasons(story.deploy()) == {
        "public.author": {ANOTHER: 1},
        "public.quote": {"its parent in public.author is another row now": 1},
    }
    assert (
        story.ask("SELECT said FROM quote JOIN author ON author.id = quote.author WHERE name = 'only'") == []
    )
    assert len(story.ask("SELECT * FROM quote")) == 3


def test_a_reference_by_a_key_that_two_rows_have_exchanged_waits(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """By its name nobody can tell; by what else is in the row one can."""
    story = deployment(
        "CREATE TABLE quote (id serial PRIMARY KEY, author text REFERENCES author (name), said text)",
        "DROP TABLE quote",
    )
    story.execute(
        "CREATE TABLE author (name text PRIMARY KEY, bio text, born int);"
        " INSERT INTO author VALUES ('Mann', 'of Lübeck', 1875), ('Roth', 'of Brody', 1894),"
        " ('Kraus', 'of Jičín', 1874)"
    )
    story.deploy()
    story.execute("INSERT INTO quote (author, said) VALUES ('Mann', 'a'), ('Kraus', 'b'), (NULL, 'c')")
    story.roll_back()
    # Another one's name changes too, and what else is in Kraus's row is edited: his name is his still.
    story.execute(
        "UPDATE author SET name = 'x' WHERE born = 1875; UPDATE author SET name = 'Mann' WHERE born = 1894;"
        " UPDATE author SET name = 'Roth' WHERE born = 1875; UPDATE author SET bio = 'of Vienna' WHERE name = 'Kraus'"
    )
    assert reasons(story.deploy()) == {"public.quote": {KEY_OF_ANOTHER.format("public.author"): 1}}
    assert story.ask("SELECT author, said FROM quote ORDER BY said") == [("Kraus", "b"), (None, "c")]


def test_a_number_that_an_earlier_migration_of_the_rollback_hands_out_anew(connection: Any) -> None:
    """In a column of few values the row that has the number now is alike by chance."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE cat (name text); INSERT INTO cat VALUES ('ada'), ('bob'), ('cyd')")
    connection.commit()
    pets = Deployment(
        connection,
        "CREATE TABLE pet (id serial PRIMARY KEY, name text, sort text);"
        " INSERT INTO pet (name, sort) SELECT name, 'cat' FROM cat ORDER BY name; DROP TABLE cat",
        "CREATE TABLE cat (name text); INSERT INTO cat SELECT name FROM pet; DROP TABLE pet",
    )
    remarks = Deployment(
        connection, "ALTER TABLE pet ADD remark text", "ALTER TABLE pet DROP remark", version="003"
    )
    pets.deploy()
    remarks.deploy()
    remarks.execute("UPDATE pet SET remark = 'of ' || name WHERE name = 'bob'")
    remarks.roll_back()
    pets.roll_back()
    pets.execute("DELETE FROM cat WHERE name = 'bob'; INSERT INTO cat VALUES ('bea')")
    pets.deploy()
    assert reasons(remarks.deploy()) == {"public.pet": {ANOTHER_OR_CHANGED: 1}}
    assert remarks.ask("SELECT id, name, remark FROM pet ORDER BY id") == [
        (1, "ada", None),
        (2, "bea", None),
        (3, "cyd", None),
    ]


@pytest.mark.parametrize(
    ("written", "waits"),
    [
        (
            "DELETE FROM author WHERE name = 'Mann'; INSERT INTO author VALUES ('Mann', 'of Leipzig', 1900)",
            True,
        ),
        ("UPDATE author SET bio = 'of Munich' WHERE name = 'Mann'", False),
    ],
    ids=["to a new row", "to the same row, corrected"],
)
def test_a_reference_by_a_key_that_was_given_again(deployment: Any, written: str, waits: bool) -> None:
    story = deployment(
        "CREATE TABLE quote (id serial PRIMARY KEY, author text REFERENCES author (name) ON DELETE CASCADE, said text)",
        "DROP TABLE quote",
    )
    story.execute(
        "CREATE TABLE author (name text PRIMARY KEY, bio text, born int);"
        " INSERT INTO author VALUES ('Mann', 'of Lübeck', 1875), ('Roth', 'of Brody', 1894)"
    )
    story.deploy()
    story.execute("INSERT INTO quote (author, said) VALUES ('Mann', 'a')")
    story.roll_back()
    story.execute(written)
    expected = {"public.quote": {KEY_OF_ANOTHER.format("public.author"): 1}} if waits else {}
    assert reasons(story.deploy()) == expected
