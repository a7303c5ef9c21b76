# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploy, rollback, deploy again is a three-way merge: nothing that anybody wrote is overwritten in silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import (
    BOTH_CHANGED,
    MOVED,
    VALUES_UNKNOWN,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.numbers import (
    PARENT_IS_ANOTHER,
    PARENT_NOT_FOUND,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.waiting import (
    ANOTHER_OR_CHANGED,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.returning import (
    count_kept,
    reasons_of_held_back,
)

from tests.integration.salvage.deployment import Deployment

Story = Callable[[str, str], Deployment]


def merged(story: Deployment, theirs: str, since: str) -> dict[str, dict[str, int]]:
    """Deploy, write on the new schema, roll back, write on the old one, deploy; why rows wait, by table."""
    story.rehearse()
    story.deploy()
    story.execute(theirs)
    story.roll_back()
    story.execute(since)
    return {item["table"]: item["reasons"] for item in story.deploy() if item["held_back"]}


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_both_sides_have_their_say(deployment: Story, isolation: str) -> None:
    story = deployment("ALTER TABLE book ADD mark text", "ALTER TABLE book DROP mark")
    story.connection.set_session(isolation_level=isolation)
    assert merged(story, "UPDATE book SET mark = 'm'", "UPDATE book SET shelf = 70 WHERE id = 1") == {}
    assert story.ask("SELECT shelf, mark FROM book WHERE id = 1") == [(70, "m")]


def test_what_was_written_since_and_changed_nothing_is_no_conflict(deployment: Story) -> None:
    story = deployment("UPDATE book SET shelf = 10", "UPDATE book SET shelf = 1")
    waiting = merged(story, "UPDATE book SET shelf = 20 WHERE id < 3", "UPDATE book SET id = id WHERE id = 1")
    assert waiting == {}


def test_a_value_that_both_changed_waits(deployment: Story) -> None:
    story = deployment("UPDATE book SET shelf = shelf + 10", "UPDATE book SET shelf = 1")
    waiting = merged(
        story, "UPDATE book SET shelf = 33 WHERE id < 3", "UPDATE book SET shelf = 5 WHERE id = 1"
    )
    assert waiting == {"public.book": {f"{BOTH_CHANGED}shelf": 1}}
    assert story.ask("SELECT id, shelf FROM book WHERE id < 3 ORDER BY id") == [(1, 15), (2, 33)]
    with story.transaction() as cursor:
        cursor.execute("SELECT max(item) FROM runbook_salvage.kept_row")
        item = {"item": cursor.fetchone()[0]}
        assert count_kept(cursor, item) == 1
        assert reasons_of_held_back(cursor, item) == {f"{BOTH_CHANGED}shelf": 1}


def test_a_derived_value_that_nobody_wrote_is_computed_anew(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book ADD norm text; UPDATE book SET norm = upper(title)", "ALTER TABLE book DROP norm"
    )
    assert merged(story, "SELECT 1", "UPDATE book SET title = 'uno' WHERE id = 1") == {}
    assert story.ask("SELECT norm FROM book WHERE id < 3 ORDER BY id") == [("UNO",), ("ZWEI",)]


def test_edits_of_the_old_column_of_a_pair_are_not_lost(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book ADD place int; UPDATE book SET place = shelf; ALTER TABLE book DROP shelf",
        "ALTER TABLE book ADD shelf int; UPDATE book SET shelf = place; ALTER TABLE book DROP place",
    )
    assert (
        merged(story, "UPDATE book SET place = 7 WHERE id = 1", "UPDATE book SET shelf = 9 WHERE id = 2")
        == {}
    )
    assert story.ask("SELECT place FROM book WHERE id < 3 ORDER BY id") == [(7,), (9,)]


@pytest.mark.parametrize(
    ("before", "apply", "rollback"),
    [
        ("numeric(6,2)", "numeric(9,4)", "numeric(6,2)"),
        ("timestamp", "timestamptz", "timestamp"),
        ("int", "text", "int USING code::int"),
        ("varchar(9)", "char(9)", "varchar(9)"),
    ],
)
def test_keys_of_another_type_are_the_same_keys(
    deployment: Story, before: str, apply: str, rollback: str
) -> None:
    story = deployment(
        f"ALTER TABLE price ALTER code TYPE {apply}; ALTER TABLE price ADD note text",
        f"ALTER TABLE price DROP note; ALTER TABLE price ALTER code TYPE {rollback}",
    )
    values = "('2026-01-01'), ('2026-01-02'), ('2026-01-03')" if "time" in before else "('1'), ('2'), ('3')"
    story.execute(
        f"CREATE TABLE price (code {before} PRIMARY KEY, amount int); INSERT INTO price VALUES {values}"
    )
    waiting = merged(
        story,
        "UPDATE price SET note = 'n'; DELETE FROM price WHERE code = (SELECT max(code) FROM price)",
        "UPDATE price SET amount = 5",
    )
    assert waiting == {}
    assert story.ask("SELECT amount, note FROM price") == [(5, "n"), (5, "n")]


def test_no_cascade_empties_a_child_whose_key_column_the_rollback_drops(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book DROP CONSTRAINT book_pkey CASCADE; ALTER TABLE book ADD tenant int NOT NULL DEFAULT 1,"
        " ADD PRIMARY KEY (tenant, id); ALTER TABLE loan ADD tenant int NOT NULL DEFAULT 1,"
        " ADD FOREIGN KEY (tenant, book) REFERENCES book ON DELETE CASCADE",
        "ALTER TABLE loan DROP tenant; ALTER TABLE book DROP tenant; ALTER TABLE book ADD PRIMARY KEY (id);"
        "ALTER TABLE loan ADD FOREIGN KEY (book) REFERENCES book ON DELETE CASCADE",
    )
    story.execute(
        "CREATE TABLE loan (id int PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE, who text)"
    )
    waiting = merged(
        story,
        "INSERT INTO loan VALUES (1, 1, 'ann'); UPDATE book SET shelf = 8 WHERE id = 1",
        "INSERT INTO loan VALUES (2, 2, 'bob')",
    )
    assert waiting == {}
    assert story.ask("SELECT id, who FROM loan ORDER BY id") == [(1, "ann"), (2, "bob")]


TAGS = (
    "CREATE TABLE tag (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
    "INSERT INTO tag (name) VALUES ('jazz'), ('rock');"
    "CREATE TABLE tagged (book int REFERENCES book, tag int REFERENCES tag, PRIMARY KEY (book, tag))",
    "DROP TABLE tagged; DROP TABLE tag",
)  # fmt: skip


def test_what_refers_to_a_seed_follows_it_to_its_other_number(deployment: Story) -> None:
    story = deployment(*TAGS)
    story.rehearse()
    story.deploy()
    story.execute(
        "INSERT INTO tagged VALUES (1, 2); INSERT INTO tag (name) VALUES ('folk'); INSERT INTO tagged VALUES (2, 3)"
    )
    story.roll_back()
    story.apply = story.apply.replace("('jazz')", "('blues'), ('jazz')")
    assert [item["reasons"] for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT book, name FROM tagged JOIN tag ON id = tag ORDER BY book") == [
        (1, "rock"),
        (2, "folk"),
    ]


def test_a_seed_that_a_user_renamed_or_deleted_does_not_come_a_second_time(deployment: Story) -> None:
    story = deployment(*TAGS)
    theirs = "UPDATE tag SET name = 'Rock!' WHERE name = 'rock'; DELETE FROM tag WHERE name = 'jazz'"
    assert merged(story, theirs, "SELECT 1") == {}
    assert story.ask("SELECT id, name FROM tag") == [(2, "Rock!")]


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ("UPDATE book SET title = 'only' WHERE title = 'one'", PARENT_IS_ANOTHER),
        ("DELETE FROM book WHERE title = 'one'", PARENT_NOT_FOUND),
    ],
)
def test_a_child_is_not_given_to_a_stranger_with_its_parents_number(
    deployment: Story, now: str, why: str
) -> None:
    story = deployment(
        "CREATE TABLE author (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "INSERT INTO author (name) SELECT title FROM book ORDER BY title;"
        "CREATE TABLE quote (id serial PRIMARY KEY, author int REFERENCES author, said text)",
        "DROP TABLE quote; DROP TABLE author",
    )
    theirs = "INSERT INTO quote (author, said) SELECT id, 'hm' FROM author WHERE name = 'one'"
    waiting = merged(story, theirs, now)
    assert waiting == {"public.quote": {why.format("public.author"): 1}}
    assert story.ask("SELECT * FROM quote") == []


def test_public_numbers_stay_the_same(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book ADD public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid()",
        "ALTER TABLE book DROP public_id",
    )
    story.rehearse()
    story.deploy()
    before = story.ask("SELECT id, public_id FROM book ORDER BY id")
    story.roll_back()
    story.execute("UPDATE book SET shelf = 77")
    assert [item for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT id, public_id FROM book ORDER BY id") == before


def test_a_row_that_both_sides_made_alike_keeps_the_public_number_that_users_know(deployment: Story) -> None:
    """An edited migration makes a tag that users had made, with a number of its own."""
    story = deployment(
        "CREATE TABLE tag (name text PRIMARY KEY, code uuid DEFAULT gen_random_uuid());"
        "INSERT INTO tag VALUES ('jazz')",
        "DROP TABLE tag",
    )
    story.rehearse()
    story.deploy()
    story.execute("INSERT INTO tag VALUES ('rock')")
    before = story.ask("SELECT name, code FROM tag ORDER BY name")
    story.roll_back()
    story.apply = story.apply.replace("('jazz')", "('jazz'), ('rock')")
    assert [item["reasons"] for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT name, code FROM tag ORDER BY name") == before


def test_numbers_of_a_table_that_the_migration_makes_stay_the_same_though_a_row_is_gone(
    deployment: Story,
) -> None:
    story = deployment(
        "CREATE TABLE author (id serial PRIMARY KEY, name text UNIQUE NOT NULL);"
        "INSERT INTO author (name) SELECT title FROM book ORDER BY id",
        "DROP TABLE author",
    )
    story.rehearse()
    story.deploy()
    first, *others = story.ask("SELECT id, name FROM author ORDER BY id")
    story.roll_back()
    story.execute(f"DELETE FROM book WHERE title = '{first[1]}'")
    assert [item for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT id, name FROM author ORDER BY id") == others


def test_a_seed_that_users_deleted_is_in_the_way_of_no_number(deployment: Story) -> None:
    """The next deploy hands numbers out in another order, and the deleted row has that of one that stays."""
    story = deployment(
        "CREATE TABLE author (id serial PRIMARY KEY, name text NOT NULL);"
        "INSERT INTO author (name) SELECT title FROM book ORDER BY shelf, id",
        "DROP TABLE author",
    )
    story.execute("UPDATE book SET shelf = id")
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET shelf = 100 - id; DELETE FROM author WHERE id = 2")
    before = story.ask("SELECT id, name FROM author ORDER BY id")
    story.roll_back()
    assert [item for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT id, name FROM author ORDER BY id") == before


def test_rows_that_the_rollback_moves_into_a_table_that_stays_are_not_there_twice(deployment: Story) -> None:
    story = deployment(
        "CREATE TABLE archive AS SELECT * FROM book WHERE id < 3; ALTER TABLE archive ADD PRIMARY KEY (id);"
        "DELETE FROM book WHERE id < 3",
        "INSERT INTO book SELECT * FROM archive; DROP TABLE archive",
    )
    assert merged(story, "INSERT INTO archive VALUES (50, 'filed', 5)", "SELECT 1") == {}
    assert story.ask("SELECT id FROM archive ORDER BY id") == [(1,), (2,), (50,)]
    assert story.ask("SELECT id FROM book ORDER BY id") == [(3,), (4,)]


def test_a_deletion_takes_nothing_with_it_that_others_made(deployment: Story) -> None:
    story = deployment("INSERT INTO book (id, title) VALUES (100, 'seed')", "DELETE FROM book WHERE id = 100")
    story.execute("CREATE TABLE loan (id int PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE)")
    story.rehearse()
    story.deploy()
    story.execute("DELETE FROM book WHERE id = 100")
    story.roll_back()
    story.apply += "; INSERT INTO loan VALUES (1, 100)"
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert item["reasons"] == {"rows of public.loan refer to it": 1}
    assert story.ask("SELECT * FROM loan") == [(1, 100)]


TREE = (
    "CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node ON DELETE CASCADE, name text);"
    "INSERT INTO node VALUES (1, NULL, 'root'), (2, 1, 'branch'), (3, 2, 'twig')",
    "DROP TABLE node",
)


def test_a_tree_that_users_deleted_goes_whole(deployment: Story) -> None:
    story = deployment(*TREE)
    assert merged(story, "DELETE FROM node", "SELECT 1") == {}
    assert story.ask("SELECT * FROM node") == []


@pytest.mark.parametrize(
    ("more", "reasons"),
    [
        (", (4, 3, 'leaf')", {"rows of public.node refer to it": 3}),
        (
            "; CREATE TABLE leaf (id int PRIMARY KEY, node int REFERENCES node ON DELETE CASCADE);"
            "INSERT INTO leaf VALUES (4, 3)",
            {"rows of public.leaf refer to it": 1, "rows of public.node refer to it": 2},
        ),
    ],
)
def test_a_tree_stays_up_to_its_root_where_others_made_a_leaf(
    deployment: Story, more: str, reasons: dict[str, int]
) -> None:
    """To delete the root would take with it, by cascade, what is between them and the leaf."""
    story = deployment(*TREE)
    story.rehearse()
    story.deploy()
    story.execute("DELETE FROM node")
    story.roll_back()
    story.apply += more
    (item,) = story.deploy()
    assert (item["returned"], item["reasons"]) == (0, reasons)
    assert story.ask("SELECT id FROM node WHERE id < 4 ORDER BY id") == [(1,), (2,), (3,)]
    assert story.ask(f"SELECT id FROM {'leaf' if 'leaf (' in more else 'node'} WHERE id = 4") == [(4,)]


def test_a_row_stays_where_others_refer_to_it_by_a_column_that_was_not_kept(deployment: Story) -> None:
    story = deployment(
        "CREATE TABLE seed (id int PRIMARY KEY, name text); INSERT INTO seed VALUES (1, 'a')",
        "DROP TABLE seed",
    )
    story.rehearse()
    story.deploy()
    story.execute("DELETE FROM seed")
    story.roll_back()
    story.apply += (
        "; ALTER TABLE seed ADD code text UNIQUE; UPDATE seed SET code = 'A';"
        "CREATE TABLE leaf (seed text REFERENCES seed (code) ON DELETE CASCADE); INSERT INTO leaf VALUES ('A')"
    )
    (item,) = story.deploy()
    assert item["reasons"] == {"rows of public.leaf refer to it": 1}
    assert story.ask("SELECT seed FROM leaf") == [("A",)]


def test_a_migration_that_cannot_be_applied_again_leaves_the_word_to_people(deployment: Story) -> None:
    story = deployment("ALTER TABLE book ADD mark text", "ALTER TABLE book DROP mark")
    story.deploy()
    story.execute("UPDATE book SET mark = 'm' WHERE id = 1")
    story.apply = "SELECT 1 / 0"
    story.roll_back()
    story.apply = "ALTER TABLE book ADD mark text"
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert (item["table"], item["reasons"]) == ("public.book", {f"{VALUES_UNKNOWN}mark": 1})
    assert story.ask("SELECT mark FROM book WHERE id = 1") == [(None,)]


@pytest.mark.parametrize("array", ["", "[]"])
def test_a_field_that_a_composite_type_loses_comes_back(deployment: Story, array: str) -> None:
    story = deployment("ALTER TYPE home ADD ATTRIBUTE zip text", "ALTER TYPE home DROP ATTRIBUTE zip")
    value = "ROW('x', 'a')::home" if not array else "ARRAY[ROW('x', 'a')::home]"
    story.execute(f"CREATE TYPE home AS (street text); ALTER TABLE book ADD home home{array}")
    assert merged(story, f"UPDATE book SET home = {value} WHERE id = 1", "UPDATE book SET shelf = 3") == {}
    assert story.ask("SELECT home::text LIKE '%(x,a)%', shelf FROM book WHERE id = 1") == [(True, 3)]


ARCHIVE = (
    "CREATE TABLE archive (id int PRIMARY KEY, title text, shelf int, note text);"
    " INSERT INTO archive SELECT id, title, shelf FROM book WHERE shelf = 9; DELETE FROM book WHERE shelf = 9",
    "INSERT INTO book SELECT id, title, shelf FROM archive; DROP TABLE archive",
)


def test_a_row_that_users_moved_is_in_one_place(deployment: Story) -> None:
    """On the old schema somebody changed it, so that it stays where the migration moves it."""
    story = deployment(*ARCHIVE)
    waiting = merged(
        story, "UPDATE book SET shelf = 9 WHERE id = 1", "UPDATE book SET title = 'since' WHERE id = 1"
    )
    assert story.ask("SELECT id, title FROM archive") == [(1, "since")]
    assert story.ask("SELECT id FROM book WHERE id = 1") == []
    assert waiting["public.book"] == {MOVED.format("public.archive"): 1}


def test_a_value_in_which_many_rows_are_alike_does_not_tell_a_row_from_a_stranger(deployment: Story) -> None:
    story = deployment("ALTER TABLE seat ADD wish text", "ALTER TABLE seat DROP wish")
    story.execute(
        "CREATE TABLE seat (code text PRIMARY KEY, guest text, class int);"
        " INSERT INTO seat VALUES ('A1', 'Ada', 2), ('A2', 'Bob', 2), ('A3', 'Cleo', 2), ('A4', 'Dan', 2)"
    )
    waiting = merged(
        story,
        "UPDATE seat SET wish = 'window'",
        "DELETE FROM seat WHERE code = 'A1'; INSERT INTO seat VALUES ('A1', 'Eve', 2)",
    )
    assert waiting == {"public.seat": {ANOTHER_OR_CHANGED: 1}}
    assert story.ask("SELECT guest, wish FROM seat WHERE code < 'A3' ORDER BY 1") == [
        ("Bob", "window"),
        ("Eve", None),
    ]


def test_seeds_that_get_other_numbers_are_not_taken_for_each_other(deployment: Story) -> None:
    """Somebody has renamed a row that the seed takes for one of its own, so that it makes one more."""
    story = deployment(
        "ALTER TABLE book ADD sort text; UPDATE book SET sort = 'known' WHERE title IN ('one', 'pine', 'oak', 'elm');"
        " INSERT INTO book (title, shelf, sort) SELECT name, 0, 'seed' FROM unnest(ARRAY['one', 'pine', 'oak', 'elm'])"
        " AS name WHERE name NOT IN (SELECT title FROM book)",
        "DELETE FROM book WHERE sort = 'seed'; ALTER TABLE book DROP sort",
    )
    waiting = merged(
        story,
        "UPDATE book SET shelf = 7 WHERE title = 'oak'",
        "UPDATE book SET title = 'ones' WHERE title = 'one'",
    )
    assert waiting == {}
    assert story.ask("SELECT title, shelf FROM book WHERE sort = 'seed' ORDER BY title") == [
        ("elm", 0),
        ("oak", 7),
        ("one", 0),
        ("pine", 0),
    ]


def test_what_is_told_by_its_parent_alone_is_known_when_that_has_another_number(deployment: Story) -> None:
    story = deployment(
        "INSERT INTO book (title) VALUES ('seed');"
        "CREATE TABLE quote (id serial PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE, said text);"
        "INSERT INTO quote (book, said) SELECT id, 'hm' FROM book WHERE title = 'seed'",
        "DROP TABLE quote; DELETE FROM book WHERE title = 'seed'",
    )
    assert merged(story, "DELETE FROM quote", "INSERT INTO book (title) VALUES ('since')") == {}
    assert story.ask("SELECT * FROM quote") == []
