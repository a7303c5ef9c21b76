# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows known and matched by values of types that somebody has made: no cast and no operator of theirs is called.

Each of these fails where it is called, and with it what the runbook does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.test_merge import merged
from tests.integration.step.hostile_types import types_and_casts

Story = Callable[[str, str], Deployment]

# No foreign key can be of a type with an implicit cast: PostgreSQL's own check of it finds two operators then.
TABLES = """
    CREATE TABLE kind (m app.shade PRIMARY KEY, d app.dom UNIQUE, p app.pair, note text);
    INSERT INTO kind VALUES ('a', 'a', '(1,x)', 'a'), ('b', 'b', '(,)', 'b');
    CREATE TABLE part (id serial PRIMARY KEY, m app.shade REFERENCES kind, ms app.mood[], note text);
    INSERT INTO part (m, ms, note) VALUES ('a', '{a,NULL,"b"}', 'p'), (NULL, NULL, 'q')"""


@pytest.fixture
def story(connection: Any, deployment: Story) -> Story:
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA app")
        for statement in types_and_casts("app"):
            cursor.execute(statement)
        cursor.execute(TABLES)
    return deployment


def test_rows_of_tables_that_the_migration_makes_are_numbered_anew(story: Story) -> None:
    made = story(
        "CREATE TABLE thing (id serial PRIMARY KEY, d app.dom UNIQUE NOT NULL, p app.pair UNIQUE, r app.span);"
        " INSERT INTO thing (d, p) VALUES ('a', '(1,x)'), ('b', '(2,y)');"
        " CREATE TABLE use (id serial PRIMARY KEY, thing int REFERENCES thing, m app.shade REFERENCES kind,"
        " ms app.mood[])",
        "DROP TABLE use; DROP TABLE thing",
    )
    waiting = merged(
        made,
        "UPDATE thing SET id = 3 - id + 10; INSERT INTO thing (id, d, p, r) VALUES (5, 'c', NULL, '[1,3)');"
        " INSERT INTO use (thing, m, ms) VALUES (5, 'a', '{a,NULL}'), (11, 'b', NULL)",
        "UPDATE kind SET note = 'since'",
    )
    assert waiting == {}
    assert made.ask("SELECT id, d, p, r FROM thing ORDER BY id") == [
        (5, "c", None, "[1,3)"),
        (11, "b", "(2,y)", None),
        (12, "a", "(1,x)", None),
    ]
    assert made.ask("SELECT thing, m, ms FROM use ORDER BY id") == [(5, "a", "{a,NULL}"), (11, "b", None)]


def test_a_label_that_the_migration_does_not_make(story: Story) -> None:
    """An enum is kept as text, and so are the items of an array of it."""
    made = story(
        "ALTER TABLE part ADD more app.mood DEFAULT 'a', ADD many app.mood[] DEFAULT '{a}'",
        "ALTER TABLE part DROP more, DROP many",
    )
    theirs = "UPDATE part SET more = 'c', many = '[3:4]={b,NULL}' WHERE note = 'p'"
    assert merged(made, theirs, "UPDATE part SET note = 'r' WHERE note = 'q'") == {}
    assert made.ask("SELECT more, many, note FROM part ORDER BY id") == [
        ("c", "[3:4]={b,NULL}", "p"),
        ("a", "{a}", "r"),
    ]


def test_the_deletion_of_a_row_that_is_referred_to_waits(story: Story) -> None:
    made = story("INSERT INTO kind VALUES ('c', 'c', NULL, 'c')", "DELETE FROM kind WHERE note = 'c'")
    waiting = merged(made, "DELETE FROM kind WHERE note = 'c'", "SELECT 1")
    assert waiting == {}
    assert made.ask("SELECT note FROM kind ORDER BY 1") == [("a",), ("b",)]


def test_a_key_of_a_parent_that_is_another_row_now(story: Story) -> None:
    """The parent was kept beside its children: its values are compared with those of the row that has its key."""
    made = story(
        "CREATE TABLE owner (id serial PRIMARY KEY, m app.shade REFERENCES kind, d app.tint, note text)",
        "DROP TABLE owner",
    )
    waiting = merged(
        made,
        "INSERT INTO owner (m, d) VALUES ('a', 'c'), ('b', NULL)",
        "UPDATE part SET m = NULL; DELETE FROM kind;"
        " INSERT INTO kind VALUES ('a', 'b', '(,)', 'b'), ('b', 'a', '(1,x)', 'a')",
    )
    assert list(waiting) == ["public.owner"]


# PostgreSQL's own check of a foreign key may call it.
BY_CAST = """
    CREATE TYPE app.word AS ENUM ('a', 'b');
    CREATE FUNCTION app.said(app.word) RETURNS int LANGUAGE plpgsql AS $$
    DECLARE context text;
    BEGIN
        GET DIAGNOSTICS context = PG_CONTEXT;
        IF context !~ 'FOR KEY SHARE' THEN RAISE EXCEPTION 'called by %', context; END IF;
        RETURN CASE pg_catalog.concat($1) WHEN 'a' THEN 1 ELSE 2 END;
    END $$;
    CREATE CAST (app.word AS int) WITH FUNCTION app.said(app.word) AS IMPLICIT;
    CREATE TABLE speaker (word int PRIMARY KEY, note text); INSERT INTO speaker VALUES (1, 'x'), (2, 'y')"""


def test_a_foreign_key_that_holds_by_a_cast(story: Story, connection: Any) -> None:
    """The child's column has another type than its parent's."""
    with connection, connection.cursor() as cursor:
        cursor.execute(BY_CAST)
    made = story(
        "CREATE TABLE thing (id serial PRIMARY KEY, word int UNIQUE NOT NULL); INSERT INTO thing (word) VALUES (1);"
        " CREATE TABLE use (id serial PRIMARY KEY, said app.word REFERENCES thing (word),"
        " other app.word REFERENCES speaker)",
        "DROP TABLE use; DROP TABLE thing",
    )
    theirs = "UPDATE thing SET id = 12; INSERT INTO use (said, other) VALUES ('a', 'b'), (NULL, 'a')"
    assert merged(made, theirs, "UPDATE speaker SET note = 'since' WHERE note = 'x'") == {}
    assert made.ask("SELECT said, other FROM use ORDER BY id") == [("a", "b"), (None, "a")]


def test_the_deletion_of_a_row_waits_where_only_a_cast_tells_what_refers_to_it(
    story: Story, connection: Any
) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(BY_CAST)
        cursor.execute(
            "CREATE TABLE talk (said app.word REFERENCES speaker); INSERT INTO talk VALUES ('a'), (NULL)"
        )
    made = story("INSERT INTO speaker VALUES (3, 'z')", "DELETE FROM speaker WHERE note = 'z'")
    waiting = merged(made, "DELETE FROM speaker WHERE note = 'z'", "SELECT 1")
    assert waiting == {"public.speaker": {"rows of public.talk refer to it": 1}}
