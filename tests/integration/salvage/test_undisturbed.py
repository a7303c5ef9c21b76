# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that nobody has touched since the rollback go back straight, and only they."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import known
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.session import pin_session
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.tables import table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import BOTH_CHANGED
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.undisturbed import (
    write_undisturbed,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.waiting import (
    ANOTHER_OR_CHANGED,
    ANOTHER_ROW,
    OTHER_VALUE,
    WaitingRows,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore

from tests.integration.salvage.deployment import VERSION, Deployment

Story = Callable[[str, str], Deployment]

MARK = ("ALTER TABLE book ADD mark text", "ALTER TABLE book DROP mark")


def kept(story: Deployment, theirs: str, since: str = "SELECT 1") -> None:
    story.rehearse()
    story.deploy()
    story.execute(theirs)
    story.roll_back()
    story.execute(since)


def reasons(story: Deployment) -> dict[str, int]:
    return {reason: rows for item in story.deploy() for reason, rows in item["reasons"].items()}


@contextmanager
def written_straight(story: Deployment) -> Iterator[int]:
    """Inside, the migration is applied and such rows are written; how many of the first item still wait."""
    with story.connection.cursor() as cursor:
        story.run_script(cursor, story.apply)
        pin_session(cursor, local=True)
        item = SalvageStore(cursor).open_items(VERSION)[0]
        table = known(table_facts(cursor, (item["schema"], item["table"])), "the table")
        rows = WaitingRows(cursor, item, table)
        rows.make()
        write_undisturbed(rows)
        cursor.execute("SELECT count(*) FROM runbook_salvage.kept_row WHERE item = %s", (item["item"],))
        yield cursor.fetchone()[0]
    story.connection.rollback()


@pytest.mark.parametrize(
    ("theirs", "since", "left"),
    [
        ("UPDATE book SET mark = 'm' || id", "SELECT 1", 0),
        ("UPDATE book SET mark = 'm' || id", "UPDATE book SET shelf = 9 WHERE id = 2", 1),
        ("UPDATE book SET mark = 'm' || id", "DELETE FROM book WHERE id = 2", 1),
        # All rows of a large table are not looked at for a few.
        (
            "INSERT INTO book (title) SELECT n::text FROM generate_series(1, 9) n;"
            "UPDATE book SET mark = 'm' WHERE id < 3",
            "SELECT 1",
            2,
        ),
    ],
)
def test_which_rows_are_written_straight(deployment: Story, theirs: str, since: str, left: int) -> None:
    story = deployment(*MARK)
    kept(story, theirs, since)
    with written_straight(story) as waiting:
        assert waiting == left


@pytest.mark.parametrize(
    ("definition", "left"),
    [
        ("CREATE TABLE thing (id int PRIMARY KEY, a int, b int)", 0),
        ("CREATE TABLE thing (id int PRIMARY KEY, a int REFERENCES book, b int)", 1),
        ("CREATE TABLE thing (id int PRIMARY KEY, a int UNIQUE, b int)", 1),
        ("CREATE TABLE thing (id int REFERENCES book PRIMARY KEY, a int, b int)", 1),
        # What was changed is a row less and another one more.
        ("CREATE TABLE thing (id int, a int, b int)", 2),
        (
            "CREATE TABLE thing (id int PRIMARY KEY, a int, b int) PARTITION BY LIST (id);"
            "CREATE TABLE one PARTITION OF thing FOR VALUES IN (1); CREATE TABLE two PARTITION OF thing DEFAULT",
            0,
        ),
    ],
)
def test_only_what_no_other_row_depends_on(deployment: Story, definition: str, left: int) -> None:
    story = deployment("UPDATE thing SET a = a + 2", "UPDATE thing SET a = id")
    story.execute(f"{definition}; INSERT INTO thing VALUES (1, 1, 1), (2, 2, 2)")
    kept(story, "UPDATE thing SET a = 2 WHERE id = 2")
    with written_straight(story) as waiting:
        assert waiting == left
    assert reasons(story) == {}
    assert story.ask("SELECT id, a FROM thing ORDER BY 1") == [(1, 3), (2, 2)]


def test_a_conflict_beside_them_waits(deployment: Story) -> None:
    story = deployment("UPDATE book SET shelf = coalesce(shelf, 0) + 10", "UPDATE book SET shelf = 1")
    kept(story, "UPDATE book SET shelf = 30 + id", "UPDATE book SET shelf = 5 WHERE id = 1")
    assert reasons(story) == {f"{BOTH_CHANGED}shelf": 1}
    assert story.ask("SELECT shelf FROM book ORDER BY id") == [(15,), (32,), (33,), (34,)]


def test_a_stranger_is_known_by_what_told_rows_apart_before_any_was_written(deployment: Story) -> None:
    """The migration gives all the same grade, and users each another: so a grade says nothing of whose row it is."""
    story = deployment("UPDATE pupil SET grade = 1", "UPDATE pupil SET grade = 0")
    story.execute(
        "CREATE TABLE pupil (code text PRIMARY KEY, grade int, name text);"
        "INSERT INTO pupil SELECT n::text, 0, 'pupil ' || n FROM generate_series(1, 6) AS n"
    )
    since = "DELETE FROM pupil WHERE code = '1'; INSERT INTO pupil VALUES ('1', 0, 'another one')"
    kept(story, "UPDATE pupil SET grade = code::int + 1", since)
    assert reasons(story) == {ANOTHER_OR_CHANGED: 1}
    assert story.ask("SELECT grade FROM pupil ORDER BY code") == [(1,), (3,), (4,), (5,), (6,), (7,)]


def test_a_number_that_the_migration_hands_out_does_not_tell_whose_row_it_is(deployment: Story) -> None:
    """A ticket for each book: where a book is gone the next one's has its number, and looks the same."""
    story = deployment(
        "CREATE TABLE ticket (id serial PRIMARY KEY, seller text DEFAULT current_user);"
        "INSERT INTO ticket (id) SELECT nextval('ticket_id_seq') FROM book ORDER BY book.id",
        "DROP TABLE ticket",
    )
    kept(story, "UPDATE ticket SET seller = 'ann' WHERE id = 2", "DELETE FROM book WHERE id = 1")
    assert reasons(story) == {ANOTHER_ROW: 1}
    assert story.ask("SELECT count(*) FROM ticket WHERE seller = 'ann'") == [(0,)]


def test_a_number_that_no_update_sets_keeps_no_other_row_waiting(deployment: Story) -> None:
    story = deployment(
        "CREATE TABLE tag (code text PRIMARY KEY, rank int GENERATED ALWAYS AS IDENTITY, mark text);"
        "INSERT INTO tag (code) VALUES ('a'), ('b')",
        "DROP TABLE tag",
    )
    kept(story, "UPDATE tag SET mark = 'm'; UPDATE tag SET rank = DEFAULT WHERE code = 'b'")
    with written_straight(story) as waiting:
        assert waiting == 1
    assert reasons(story) == {}
    assert story.ask("SELECT * FROM tag ORDER BY code") == [("a", 1, "m"), ("b", 3, "m")]


def test_numbers_that_are_no_key_go_back_straight(deployment: Story) -> None:
    """The rows are numbered as they lie, which the users' UPDATE has changed."""
    story = deployment("ALTER TABLE book ADD rank serial", "ALTER TABLE book DROP rank")
    kept(story, "UPDATE book SET shelf = 3 WHERE id = 1")
    with written_straight(story) as waiting:
        assert waiting == 0
    assert reasons(story) == {}
    assert story.ask("SELECT id, rank FROM book ORDER BY id") == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_row_of_a_table_that_has_lost_a_column_is_not_written_straight(deployment: Story) -> None:
    """What it was is not there to be compared."""
    story = deployment(
        "ALTER TABLE book ADD mark text, ADD note text", "ALTER TABLE book DROP mark, DROP note"
    )
    kept(story, "UPDATE book SET mark = 'm' WHERE id < 3; UPDATE book SET note = 'n' WHERE id = 2")
    story.apply = "ALTER TABLE book ADD mark text"
    with written_straight(story) as waiting:
        assert waiting == 2
    assert reasons(story) == {"the table no longer has column note": 1}
    assert story.ask("SELECT mark FROM book ORDER BY id") == [("m",), (None,), (None,), (None,)]


def test_columns_of_which_each_row_counts_others(deployment: Story) -> None:
    """The names are those that the statement itself uses."""
    names = '"value 0"', '"kept key"', '"k"'
    story = deployment(
        "; ".join(f"ALTER TABLE book ADD {name} text" for name in names),
        "; ".join(f"ALTER TABLE book DROP {name}" for name in names),
    )
    kept(
        story,
        """UPDATE book SET "value 0" = 'a' WHERE id < 3; UPDATE book SET "kept key" = 'b', k = 'c' WHERE id > 1""",
    )
    with written_straight(story) as waiting:
        assert waiting == 0
    assert reasons(story) == {}
    assert story.ask('SELECT "value 0", "kept key", k FROM book ORDER BY id') == [
        ("a", None, None),
        ("a", "b", "c"),
        (None, "b", "c"),
        (None, "b", "c"),
    ]


def test_where_one_does_not_go_the_others_do(deployment: Story) -> None:
    """An edited migration has a condition that one of the kept values does not meet."""
    story = deployment(*MARK)
    kept(story, "UPDATE book SET mark = CASE id WHEN 2 THEN 'bad' ELSE 'good' END")
    story.apply = "ALTER TABLE book ADD mark text CHECK (mark <> 'bad')"
    (reason,) = reasons(story)
    assert "violates check constraint" in reason
    assert story.ask("SELECT mark FROM book ORDER BY id") == [("good",), (None,), ("good",), ("good",)]


def test_a_value_that_the_type_would_cut_waits(deployment: Story) -> None:
    """An edited migration has a date where there was a time."""
    story = deployment("ALTER TABLE book ADD at timestamp", "ALTER TABLE book DROP at")
    kept(story, "UPDATE book SET at = '2026-01-02 03:04'")
    story.apply = "ALTER TABLE book ADD at date"
    assert reasons(story) == {OTHER_VALUE: 4}
    assert story.ask("SELECT DISTINCT at FROM book") == [(None,)]


def test_triggers_do_not_act_on_them(deployment: Story) -> None:
    story = deployment(*MARK)
    story.execute(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.shelf = 99; RETURN NEW; END';"
        "CREATE TRIGGER shout BEFORE UPDATE ON book FOR EACH ROW WHEN (OLD.shelf = 2) EXECUTE FUNCTION shout()"
    )
    kept(
        story,
        "ALTER TABLE book DISABLE TRIGGER shout; UPDATE book SET mark = 'm'; ALTER TABLE book ENABLE TRIGGER shout",
    )
    assert reasons(story) == {}
    assert story.ask("SELECT shelf, mark FROM book WHERE id = 2") == [(2, "m")]
    assert story.ask("SELECT tgenabled FROM pg_trigger WHERE tgname = 'shout'") == [("O",)]


def test_a_row_that_is_looked_for_by_its_content_is_not_taken_for_one_of_them(deployment: Story) -> None:
    """Two seeds are alike but for their number; users deleted the second, which an edited migration does not make."""
    story = deployment(
        "ALTER TABLE seed ADD who text DEFAULT current_user; INSERT INTO seed (id, name) VALUES (1, 'a'), (2, 'a')",
        "DELETE FROM seed; ALTER TABLE seed DROP who",
    )
    story.execute("CREATE TABLE seed (id serial PRIMARY KEY, name text)")
    kept(story, "UPDATE seed SET who = 'a user'; DELETE FROM seed WHERE id = 2")
    story.apply = story.apply.replace(", (2, 'a')", "")
    story.deploy()
    assert story.ask("SELECT * FROM seed") == [(1, "a", "a user")]
