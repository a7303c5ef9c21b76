# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that are there get other values, and stay the rows that they are; what cannot be changed is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.generation.test_generator import ask, generator, make, ours

__all__ = ["ours"]


def changed(ours: Any, *statements: str, rows: int = 20) -> dict[str, tuple[int, int, str | None]]:
    make(ours, *statements)
    return {one.table: (one.there, one.rows, one.reason) for one in generator(ours, rows).change(ours)}


def test_values_change_and_keys_do_not(ours: Any) -> None:
    found = changed(
        ours,
        "CREATE TABLE people (id int PRIMARY KEY, code text UNIQUE, name text NOT NULL, age int CHECK (age > 0))",
        "CREATE TABLE notes (id serial PRIMARY KEY, owner int REFERENCES people, body text)",
        "CREATE TABLE empty (a int)",
        "INSERT INTO people SELECT n, 'c' || n, 'somebody', 1 FROM generate_series(1, 5) n",
        "INSERT INTO notes (owner, body) SELECT n, 'text' FROM generate_series(1, 5) n",
        rows=3,
    )
    assert found == {"public.people": (3, 3, None), "public.notes": (3, 3, None)}
    assert ask(ours, "SELECT count(*), count(*) FILTER (WHERE name <> 'somebody') FROM people") == [(5, 3)]
    assert ask(ours, "SELECT array_agg(id ORDER BY id), array_agg(code ORDER BY id) FROM people") == [
        ([1, 2, 3, 4, 5], ["c1", "c2", "c3", "c4", "c5"])
    ]
    assert ask(ours, "SELECT count(*) FROM notes WHERE owner = id") == [(5,)]


def test_the_same_seed_gives_the_same_changes(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE a (id int PRIMARY KEY, name text, at timestamptz)",
        "INSERT INTO a SELECT n FROM generate_series(1, 4) n",
        "CREATE TABLE b AS SELECT * FROM a",
        "ALTER TABLE b ADD PRIMARY KEY (id)",
    )
    generator(ours).change(ours)
    first = ask(ours, "SELECT name, at FROM a ORDER BY id")
    make(ours, "UPDATE a SET name = NULL, at = NULL")
    generator(ours).change(ours)
    assert ask(ours, "SELECT name, at FROM a ORDER BY id") == first


@pytest.mark.parametrize(
    ("statements", "there", "reason"),
    [
        (("CREATE TABLE t (a int PRIMARY KEY)",), 2, "each of its columns is one by which rows are known"),
        (
            (
                "CREATE TABLE t (a int PRIMARY KEY, b text)",
                "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'read only'; END$$",
                "CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no()",
            ),
            2,
            "read only",
        ),
        (
            (
                "CREATE TABLE t (a int PRIMARY KEY, b text)",
                "CREATE RULE no AS ON UPDATE TO t DO INSTEAD NOTHING",
            ),
            2,
            "its changes were taken, and are not there",
        ),
        (
            (
                "CREATE TABLE t (a int PRIMARY KEY, b text)",
                "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'too late'; END$$",
                "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW EXECUTE FUNCTION late()",
            ),
            2,
            "too late",
        ),
    ],
    ids=["only keys", "trigger", "rule", "deferred"],
)
def test_what_cannot_be_changed_is_named(ours: Any, statements: tuple, there: int, reason: str) -> None:
    found = changed(ours, *statements, "INSERT INTO t SELECT generate_series(1, 2)")
    rows_there, rows, why = found["public.t"]
    assert (rows_there, rows) == (there, 0)
    assert reason in str(why)
    assert ask(ours, "SELECT count(*) FROM t") == [(2,)]


def test_rows_of_partitions_and_names_in_need_of_quotes(ours: Any) -> None:
    found = changed(
        ours,
        'CREATE TABLE "Odd ""one""" (id int, "%s" text, PRIMARY KEY (id)) PARTITION BY RANGE (id)',
        'CREATE TABLE low PARTITION OF "Odd ""one""" FOR VALUES FROM (0) TO (10)',
        'CREATE TABLE high PARTITION OF "Odd ""one""" FOR VALUES FROM (10) TO (20)',
        'INSERT INTO "Odd ""one""" SELECT n, \'before\' FROM generate_series(8, 11) n',
    )
    assert found == {'public."Odd ""one"""': (4, 4, None)}
    assert ask(ours, 'SELECT count(*) FROM "Odd ""one""" WHERE "%s" IS DISTINCT FROM \'before\'') == [(4,)]


def test_rows_are_added_to_those_that_there_are(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE t (id serial PRIMARY KEY, body text)",
        "INSERT INTO t (body) SELECT 'x' FROM generate_series(1, 30)",
    )
    (one,) = generator(ours, 5, in_addition=True).fill(ours)
    assert (one.wanted, one.rows) == (5, 5)
    assert ask(ours, "SELECT count(*) FROM t") == [(35,)]
