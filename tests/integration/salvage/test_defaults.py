# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be a user's though it looks as the migration would have made it."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.pgops.runbook.plugins.module_utils.salvage.defaults import defaults_of
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.returning.decision import (
    ROW_DELETED,
    TABLE_CHANGED,
)

from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.test_merge import merged

Story = Callable[[str, str], Deployment]


def test_only_defaults_that_are_always_the_same_are_compared(deployment: Story) -> None:
    story = deployment("SELECT 1", "SELECT 1")
    story.execute(
        "CREATE TABLE kind (a text DEFAULT 'it''s {x} %s', b int DEFAULT 7, c timestamptz DEFAULT now(),"
        " d text DEFAULT NULL, e int, f int GENERATED ALWAYS AS (b + 1) STORED, g serial, h text DEFAULT 'h')"
    )
    with story.transaction() as cursor:
        cursor.execute("SELECT 'kind'::regclass::oid")
        found = defaults_of(cursor, cursor.fetchone()[0], list("abcdefg"))
    assert found == {"a": '("it\'s {x} %s")', "b": "(7)"}


def test_a_value_that_was_the_default_stays_when_the_edited_migration_has_another_one(
    deployment: Story,
) -> None:
    story = deployment("ALTER TABLE book ADD state text DEFAULT 'one'", "ALTER TABLE book DROP state")
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET state = 'one' WHERE id = 1; UPDATE book SET state = 'x' WHERE id = 2")
    assert [item["rows"] for item in story.roll_back()] == [1]
    story.execute("INSERT INTO book (id, title) VALUES (9, 'since')")
    story.apply = "ALTER TABLE book ADD state text DEFAULT 'two'"
    (item,) = story.deploy()
    assert (item["returned"], item["held_back"]) == (2, 0)
    found = [("one",), ("x",), ("two",), ("two",)]
    assert story.ask("SELECT state FROM book WHERE id < 4 OR id = 9 ORDER BY id") == found
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]


def test_the_same_default_is_no_news(deployment: Story) -> None:
    story = deployment("ALTER TABLE book ADD state text DEFAULT 'one'", "ALTER TABLE book DROP state")
    assert merged(story, "UPDATE book SET state = 'one', shelf = 3 WHERE id = 1", "SELECT 1") == {}
    assert story.ask("SELECT count(*) FROM runbook_salvage.kept_row") == [(0,)]


def test_a_uuid_that_a_user_may_have_chosen_waits_where_its_row_was_deleted(deployment: Story) -> None:
    """Of rows that nobody wrote since the deploy nobody chose one."""
    story = deployment(
        "ALTER TABLE book ADD code uuid DEFAULT gen_random_uuid()", "ALTER TABLE book DROP code"
    )
    chosen = "00000000-0000-4000-8000-000000000001"
    waiting = merged(
        story, f"UPDATE book SET code = '{chosen}' WHERE id = 1", "DELETE FROM book WHERE id < 3"
    )
    assert waiting == {"public.book": {ROW_DELETED: 1}}
    assert chosen in story.ask("SELECT kept FROM runbook_salvage.kept_row")[0][0]


def test_numbers_that_the_database_gave_are_given_back(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book ADD rank int GENERATED ALWAYS AS IDENTITY", "ALTER TABLE book DROP rank"
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET shelf = 3 WHERE id = 1")
    before = story.ask("SELECT id, rank FROM book ORDER BY id")
    story.roll_back()
    story.execute(
        "INSERT INTO book (title, shelf) VALUES ('since', 1); UPDATE book SET shelf = 4 WHERE id = 2"
    )
    assert [item for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT id, rank FROM book ORDER BY id")[: len(before)] == before
    assert story.ask(
        "SELECT attidentity FROM pg_attribute WHERE attname = 'rank' AND attrelid = 'book'::regclass"
    ) == [("a",)]


def test_without_a_key_a_default_waits_whose_row_is_not_found(deployment: Story) -> None:
    story = deployment("ALTER TABLE note ADD state text DEFAULT 'one'", "ALTER TABLE note DROP state")
    story.rehearse()
    story.deploy()
    story.execute("INSERT INTO note (body, at, state) VALUES ('mine', 7, 'one')")
    story.roll_back()
    story.execute("UPDATE note SET at = 8 WHERE body = 'mine'")
    story.apply = "ALTER TABLE note ADD state text DEFAULT 'two'"
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert item["reasons"] == {TABLE_CHANGED: 1}


def test_a_default_waits_whose_row_has_another_key_when_the_migration_has_another_default(
    deployment: Story,
) -> None:
    story = deployment("ALTER TABLE book ADD state text DEFAULT 'one'", "ALTER TABLE book DROP state")
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET state = 'one' WHERE id = 1")
    story.roll_back()
    story.execute("UPDATE book SET id = 100 WHERE id = 1")
    story.apply = "ALTER TABLE book ADD state text DEFAULT 'two'"
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert item["reasons"] == {ROW_DELETED: 1}
    assert story.ask("SELECT state FROM book WHERE id = 100") == [("two",)]


def test_uuids_that_the_migration_writes_stay_though_users_have_touched_every_row(deployment: Story) -> None:
    story = deployment(
        "ALTER TABLE book ADD code uuid; UPDATE book SET code = gen_random_uuid()",
        "ALTER TABLE book DROP code",
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET shelf = 3")
    before = story.ask("SELECT id, code FROM book ORDER BY id")
    story.roll_back()
    assert [item for item in story.deploy() if item["held_back"]] == []
    assert story.ask("SELECT id, code FROM book ORDER BY id") == before


def test_uuids_that_follow_from_what_is_in_a_row_are_compared(deployment: Story) -> None:
    """A user's own stays in the salvage where the row is another one by now: both sides have changed it."""
    story = deployment(
        "ALTER TABLE book ADD code uuid; UPDATE book SET code = md5(title)::uuid",
        "ALTER TABLE book DROP code",
    )
    story.rehearse()
    story.deploy()
    story.execute("UPDATE book SET code = gen_random_uuid()")
    story.roll_back()
    story.execute("UPDATE book SET title = title || '!' WHERE id = 1")
    (item,) = [item for item in story.deploy() if item["held_back"]]
    assert item["held_back"] == 1
