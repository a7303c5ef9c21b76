# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two texts of a definition are one where PostgreSQL makes one of them; what is really another is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.catalog import read_catalog
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.difference import difference
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.making import made_anew
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.remade import Remade, difference_left
from ansible_collections.pgops.runbook.plugins.module_utils.catalog.scratch import NotMade, send

Catalog = dict[str, dict[str, Any]]

# As people write it, and as PostgreSQL writes it once it has read its own text.
SCHEMA = """
    CREATE TABLE t (id int, s varchar(9) CONSTRAINT words CHECK (s IN ('a', 'b')));
    CREATE INDEX i ON t (id) WHERE s IN ('a', 'b');
    CREATE VIEW v AS SELECT id FROM t WHERE s IN ('a', 'b')"""
WORDS = "((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"
AGAIN = "((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))"

TEMPORARY = "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()"


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        connection.commit()
        yield cursor


def changed(catalog: Catalog, change: Callable[[str], str]) -> Catalog:
    """The catalog with other texts in its definitions."""
    return {
        key: {fact: change(value) if fact == "definition" else value for fact, value in facts.items()}
        for key, facts in catalog.items()
    }


def test_what_postgresql_makes_of_one_text_is_no_difference(cursor: Any) -> None:
    people = read_catalog(cursor)
    restored = changed(people, lambda text: text.replace(WORDS, AGAIN))
    assert sorted(difference(people, restored).changed) == [
        "constraint public.t.words",
        "index public.i",
        "view public.v",
    ]
    assert not difference_left(cursor, people, restored)
    assert not difference_left(cursor, restored, people)


def test_another_word_in_any_of_them_is_seen(cursor: Any) -> None:
    people = read_catalog(cursor)
    restored = changed(people, lambda text: text.replace(WORDS, AGAIN.replace("'b'", "'B'")))
    found = difference_left(cursor, people, restored)
    assert found == difference(people, restored)
    assert len(found.changed) == 3


def test_a_fact_that_is_no_definition_is_compared_as_it_is(cursor: Any) -> None:
    people = read_catalog(cursor)
    restored = {**people, "table public.t": {**people["table public.t"], "owner": "somebody"}}
    assert list(difference_left(cursor, people, restored).changed) == ["table public.t"]


def test_objects_that_are_missing_or_new_are_seen(cursor: Any) -> None:
    people = read_catalog(cursor)
    without = {key: facts for key, facts in people.items() if key != "index public.i"}
    assert list(difference_left(cursor, people, without).removed) == ["index public.i"]
    assert list(difference_left(cursor, without, people).added) == ["index public.i"]


def test_nothing_is_left_of_what_was_made(cursor: Any) -> None:
    people = read_catalog(cursor)
    cursor.execute("SHOW search_path")
    path = cursor.fetchone()
    difference_left(cursor, people, changed(people, lambda text: text.replace(WORDS, AGAIN)))
    cursor.execute(TEMPORARY)
    assert cursor.fetchone() == (0,)
    cursor.execute("SHOW search_path")
    assert cursor.fetchone() == path
    assert read_catalog(cursor) == people
    cursor.execute(
        "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode <> 'AccessShareLock'"
    )
    assert cursor.fetchone() == (0,)


def test_a_text_that_cannot_be_made_is_no_proof(cursor: Any) -> None:
    people = read_catalog(cursor)
    for text in ("CHECK (lost IN (1))", "CHECK (s ~)", "nonsense", "CHECK (1 / 0 = s)"):
        other = {
            **people,
            "constraint public.t.words": {**people["constraint public.t.words"], "definition": text},
        }
        assert list(difference_left(cursor, people, other).changed) == ["constraint public.t.words"]
        assert not difference_left(cursor, people, people), "the transaction goes on"


def test_two_texts_that_cannot_be_made_are_not_one(cursor: Any) -> None:
    key = "constraint public.t.words"
    one, other = ({key: {"definition": f"CHECK (lost = {number})"}} for number in (1, 2))
    assert list(difference_left(cursor, one, other).changed) == [key]


def test_event_triggers_of_the_application_are_not_asked(cursor: Any) -> None:
    cursor.execute(
        "CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not here'; END$$;"
        "CREATE EVENT TRIGGER forbidding ON ddl_command_start EXECUTE FUNCTION forbid()"
    )
    people = read_catalog(cursor)
    assert not difference_left(cursor, people, changed(people, lambda text: text.replace(WORDS, AGAIN)))


def test_a_statement_behind_a_definition_is_not_run(cursor: Any, connection: Any) -> None:
    """Who may write the ledger must not have statements run by the deploy role."""
    people = read_catalog(cursor)
    for text in (
        f"CHECK ((true)) AS made; COMMIT; DROP VIEW v; SELECT (({WORDS}))",
        "CHECK (true); DROP VIEW v",
    ):
        other = {**people, "constraint public.t.words": {"definition": text}}
        assert "constraint public.t.words" in difference_left(cursor, people, other).changed
    key = "column public.t; COMMIT; DROP VIEW public.v; SELECT 1.id"
    assert difference_left(cursor, {key: {"default": "1"}}, {key: {"default": "2"}})
    connection.rollback()
    assert read_catalog(cursor) == people
    with pytest.raises(NotMade):
        send(cursor, "SELECT 1; SELECT 2")


def test_an_end_of_waiting_is_not_taken_for_a_text(
    cursor: Any, connection: Any, server: Any, database: str
) -> None:
    people = read_catalog(cursor)
    restored = changed(people, lambda text: text.replace(WORDS, AGAIN))
    connection.commit()
    other = server.connect(database)
    try:
        with other.cursor() as locking:
            locking.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            cursor.execute("SET LOCAL lock_timeout = 50")
            with pytest.raises(psycopg2.errors.LockNotAvailable):
                difference_left(cursor, people, restored)
    finally:
        other.close()
    connection.rollback()
    assert not difference_left(cursor, people, restored)


def test_without_a_transaction_nothing_is_made(cursor: Any, connection: Any) -> None:
    people = read_catalog(cursor)
    connection.commit()
    connection.autocommit = True
    with pytest.raises(psycopg2.errors.NoActiveSqlTransaction):
        difference_left(cursor, people, changed(people, lambda text: text.replace(WORDS, AGAIN)))


def test_what_was_decided_before_a_change_holds_after_it(cursor: Any) -> None:
    """After a column was renamed, nothing can be made of the texts that name it as it was."""
    people = read_catalog(cursor)
    restored = changed(people, lambda text: text.replace(WORDS, AGAIN))
    remade = Remade()
    assert not remade.difference(cursor, people, restored)
    cursor.execute("ALTER TABLE t RENAME s TO word")
    assert difference_left(cursor, people, restored)
    assert not remade.difference(cursor, people, restored)
    after = read_catalog(cursor)
    renamed = changed(
        after, lambda text: text.replace(WORDS.replace("(s)", "(word)"), AGAIN.replace("(s)", "(word)"))
    )
    assert after != renamed
    one, other = remade.difference(cursor, people, after), remade.difference(cursor, restored, renamed)
    assert one != other
    assert not remade.difference_of_changes(cursor, other, one)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD c int",
        "DROP INDEX i",
        "ALTER TABLE t ALTER id SET DEFAULT 5",
        "ALTER TABLE t DROP CONSTRAINT words, ADD CONSTRAINT words CHECK (s IN ('a'))",
    ],
)
def test_a_change_on_one_side_only_is_seen(cursor: Any, connection: Any, statement: str, side: int) -> None:
    before = read_catalog(cursor)
    cursor.execute("COMMENT ON TABLE t IS 'both'")
    both = read_catalog(cursor)
    cursor.execute(statement)
    more = read_catalog(cursor)
    changes = [difference(before, both), difference(before, more)]
    assert Remade().difference_of_changes(cursor, changes[side], changes[1 - side])
    assert not Remade().difference_of_changes(cursor, changes[side], changes[side])


def test_the_same_fact_changed_to_another_value_is_seen(cursor: Any) -> None:
    before = read_catalog(cursor)
    changes = []
    for number in (5, 6):
        cursor.execute(f"SAVEPOINT s; ALTER INDEX i SET (fillfactor = 5{number})")
        changes.append(difference(before, read_catalog(cursor)))
        cursor.execute("ROLLBACK TO SAVEPOINT s")
    cursor.execute("COMMENT ON TABLE t IS 'one'")
    commented = read_catalog(cursor)
    for number in (5, 6):
        cursor.execute(f"COMMENT ON TABLE t IS '{number}'")
        changes.append(difference(commented, read_catalog(cursor)))
    assert Remade().difference_of_changes(cursor, *changes[:2])
    assert Remade().difference_of_changes(cursor, *changes[2:])


def test_a_catalog_is_told_in_the_words_of_another(cursor: Any) -> None:
    people = read_catalog(cursor)
    restored = changed(people, lambda text: text.replace(WORDS, AGAIN))
    restored["constraint public.t.words"]["connoinherit"] = not people["constraint public.t.words"][
        "connoinherit"
    ]
    assert Remade().in_words_of(cursor, restored, people) == people
    restored["table public.t"] = {**restored["table public.t"], "comment": "since"}
    told = Remade().in_words_of(cursor, restored, people)
    assert told == {**people, "table public.t": {**people["table public.t"], "comment": "since"}}


def test_columns_of_parents_that_came_late_stand_first(cursor: Any) -> None:
    cursor.execute(
        "CREATE TABLE base (id int, b text); CREATE TABLE heir (own int, other text) INHERITS (base);"
        "ALTER TABLE base ADD late int"
    )
    people = read_catalog(cursor)
    order = "column order public.heir"
    assert people[order] == {"columns": ["id", "b", "own", "other", "late"]}
    dumped = {**people, order: {"columns": ["id", "b", "late", "own", "other"]}}
    assert not difference_left(cursor, people, dumped)
    swapped = {**people, order: {"columns": ["id", "b", "late", "other", "own"]}}
    assert difference_left(cursor, people, swapped)
    plain = "column order public.base"
    moved = {**people, plain: {"columns": ["id", "late", "b"]}}
    assert difference_left(cursor, people, moved)


def test_a_fact_that_is_no_definition_is_not_made(cursor: Any) -> None:
    assert made_anew(cursor, "table public.t", "owner", "x") == []
