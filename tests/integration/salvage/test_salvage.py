# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nothing that users wrote is lost when a migration is rolled back and deployed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.salvage.deployment import Deployment
from tests.integration.salvage.star import STAR


def kinds(items: Any) -> list[Any]:
    return [(item["kind"], item["table"], item["rows"]) for item in items]


def test_a_dropped_table(deployment: Callable[[str, str], Deployment]) -> None:
    kept, returned = deployment(*STAR).round_trip(
        "INSERT INTO star (book, mark) VALUES (1, 'a'), (2, NULL), (3, ''), (4, 'x'); DELETE FROM star WHERE id = 4"
    )
    assert kinds(kept) == [("dropped table", "public.star", 3), ("sequence", "public.star_id_seq", 1)]
    assert [(item["returned"], item["held_back"]) for item in returned] == [(3, 0), (1, 0)]


def test_the_rehearsal_foresees_it_in_one_attempt(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(*STAR)
    story.round_trip("INSERT INTO star (book) VALUES (1)")
    assert story.attempts == 1


def test_without_a_rehearsal_the_first_attempt_is_undone(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(*STAR)
    story.deploy()
    story.execute("INSERT INTO star (book, mark) VALUES (1, 'a')")
    kept = story.roll_back()
    assert story.attempts == 2
    assert kinds(kept)[0] == ("dropped table", "public.star", 1)


@pytest.mark.parametrize(
    ("column", "writes"),
    [
        ("mark text", "UPDATE book SET mark = title WHERE id < 4"),
        (
            "mark text DEFAULT 'none'",
            "UPDATE book SET mark = NULL WHERE id = 1; UPDATE book SET mark = '' WHERE id = 2",
        ),
        (
            "mark int DEFAULT -5",
            "UPDATE book SET mark = NULL WHERE id = 1; UPDATE book SET mark = 7 WHERE id = 3",
        ),
        ("mark timestamptz DEFAULT now()", "UPDATE book SET mark = '2020-01-01' WHERE id = 1"),
        ("mark int GENERATED ALWAYS AS IDENTITY", "INSERT INTO book (title) VALUES ('new')"),
        ("mark int GENERATED ALWAYS AS (shelf * 2) STORED", "UPDATE book SET shelf = 9 WHERE id = 1"),
        ("mark float8[]", "UPDATE book SET mark = ARRAY['NaN', '-0', NULL, 1e-300]::float8[] WHERE id = 2"),
        ("mark numeric(3,2) DEFAULT 0.00", "UPDATE book SET mark = 0.5 WHERE id = 2"),
        ("mark json", """UPDATE book SET mark = '{"b":1, "a": null}' WHERE id = 3"""),
        ("mark bytea", r"UPDATE book SET mark = '\\x00ff0a5c22' WHERE id = 3"),
        ("mark tstzrange", "UPDATE book SET mark = '[2020-01-01 00:00:00.000001+02,)' WHERE id = 3"),
        ("mark char(4)", "UPDATE book SET mark = 'a' WHERE id = 3"),
        ("mark interval", "UPDATE book SET mark = '-1 year 2 mons -3 days 04:05:06.7' WHERE id = 3"),
        ("mark regclass", "UPDATE book SET mark = 'book' WHERE id = 3"),
    ],
)
def test_a_dropped_column(deployment: Callable[[str, str], Deployment], column: str, writes: str) -> None:
    story = deployment(f"ALTER TABLE book ADD COLUMN {column}", "ALTER TABLE book DROP COLUMN mark")
    story.round_trip(writes)


def test_only_values_that_a_new_deploy_would_not_give_are_kept(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "ALTER TABLE book ADD COLUMN mark text DEFAULT 'x'", "ALTER TABLE book DROP COLUMN mark"
    )
    kept, _ = story.round_trip(
        "UPDATE book SET mark = 'mine' WHERE id = 2; UPDATE book SET mark = NULL WHERE id = 3"
    )
    assert kinds(kept) == [("dropped columns", "public.book", 2)]


def test_a_value_taken_out_of_a_column_that_the_migration_fills_stays_out(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "ALTER TABLE book ADD COLUMN size int; UPDATE book SET size = length(title)",
        "ALTER TABLE book DROP COLUMN size",
    )
    story.round_trip("UPDATE book SET size = NULL WHERE id = 1; UPDATE book SET size = 99 WHERE id = 2")


def test_a_row_made_since_the_rollback_gets_what_the_migration_gives(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "ALTER TABLE book ADD COLUMN size int; UPDATE book SET size = length(title)",
        "ALTER TABLE book DROP COLUMN size",
    )
    story.deploy()
    story.execute("UPDATE book SET size = 99 WHERE id = 2")
    story.roll_back()
    story.execute("INSERT INTO book (title) VALUES ('later')")
    story.deploy()
    assert story.ask("SELECT id, size FROM book ORDER BY id") == [(1, 3), (2, 99), (3, 10), (4, 0), (5, 5)]


def test_rows_that_the_rollback_overwrites(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "ALTER TABLE book ADD old_title text; UPDATE book SET old_title = title, title = upper(title)",
        "UPDATE book SET title = old_title; ALTER TABLE book DROP COLUMN old_title",
    )
    story.round_trip(
        "UPDATE book SET title = 'MY TITLE' WHERE id = 2; INSERT INTO book (title, old_title) VALUES ('N', 'n')"
    )


def test_rows_that_the_rollback_deletes_with_their_children(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "CREATE TABLE loan (book int REFERENCES book ON DELETE CASCADE, who text);"
        "INSERT INTO book (id, title) VALUES (100, 'seeded'), (101, 'seeded too')",
        "DELETE FROM book WHERE id >= 100; DROP TABLE loan",
    )
    story.round_trip(
        "INSERT INTO loan VALUES (100, 'me'), (100, 'me'), (1, NULL); UPDATE book SET shelf = 77 WHERE id = 100"
    )


def test_rows_deleted_by_a_cascade_that_no_rehearsal_saw(
    deployment: Callable[[str, str], Deployment],
) -> None:
    """In a table that has nothing to do with the migration, and to which rows came after the deploy."""
    story = deployment(
        "INSERT INTO book (id, title) VALUES (100, 'seeded')", "DELETE FROM book WHERE id = 100"
    )
    story.execute("CREATE TABLE loan (id int PRIMARY KEY, book int REFERENCES book ON DELETE CASCADE)")
    kept, _ = story.round_trip("INSERT INTO loan VALUES (1, 100), (2, 1)")
    assert ("changed rows", "public.loan", 1) in kinds(kept)
    assert story.attempts == 2


def test_truncate(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("UPDATE note SET at = 5", "TRUNCATE note")
    story.round_trip("INSERT INTO note VALUES ('mine', 6)")


def test_a_type_changed_back_loses_nothing(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "ALTER TABLE book ALTER COLUMN title TYPE text, ALTER COLUMN shelf TYPE numeric",
        "ALTER TABLE book ALTER COLUMN title TYPE varchar(5) USING left(title, 5), ALTER COLUMN shelf TYPE int",
    )
    story.execute("ALTER TABLE book ALTER COLUMN title TYPE varchar(5) USING left(title, 5)")
    story.round_trip("UPDATE book SET title = 'a long title', shelf = 1.5 WHERE id = 1")


def test_enum_values_that_the_old_type_does_not_have(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TYPE mood AS ENUM ('glad', 'sad'); ALTER TABLE book ADD mood mood DEFAULT 'glad'",
        "ALTER TABLE book DROP COLUMN mood; DROP TYPE mood",
    )
    story.round_trip("UPDATE book SET mood = 'sad' WHERE id = 1; UPDATE book SET mood = NULL WHERE id = 2")


def test_an_enum_made_anew_without_a_label(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TYPE mood2 AS ENUM ('glad', 'sad', 'new');"
        "ALTER TABLE tune ALTER mood TYPE mood2 USING mood::text::mood2; DROP TYPE mood;"
        "ALTER TYPE mood2 RENAME TO mood",
        "CREATE TYPE mood2 AS ENUM ('glad', 'sad');"
        "ALTER TABLE tune ALTER mood TYPE mood2 USING CASE WHEN mood = 'new' THEN NULL ELSE mood::text END::mood2;"
        "DROP TYPE mood; ALTER TYPE mood2 RENAME TO mood",
    )
    story.execute(
        "CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TABLE tune (id int PRIMARY KEY, mood mood);"
        "INSERT INTO tune VALUES (1, 'glad'), (2, NULL), (3, 'sad')"
    )
    story.round_trip("UPDATE tune SET mood = 'new' WHERE id = 2")


def test_a_table_made_anew_under_its_name(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TABLE shelf AS SELECT DISTINCT shelf AS id FROM book; ALTER TABLE shelf ADD label text",
        "CREATE TABLE kept AS SELECT id FROM shelf; DROP TABLE shelf; DROP TABLE kept",
    )
    story.round_trip(
        "UPDATE shelf SET label = 'top' WHERE id = 1; INSERT INTO shelf VALUES (9, NULL), (9, NULL)"
    )


def test_what_the_migration_brought_and_a_user_deleted_stays_deleted(
    deployment: Callable[[str, str], Deployment],
) -> None:
    story = deployment(
        "CREATE TABLE genre (id serial PRIMARY KEY, name text UNIQUE);"
        "INSERT INTO genre (name) VALUES ('a'), ('b'), ('c')",
        "DROP TABLE genre",
    )
    story.round_trip(
        "DELETE FROM genre WHERE id = 2; UPDATE genre SET name = 'mine' WHERE id = 3;"
        " INSERT INTO genre (name) VALUES ('c')"
    )


def test_a_table_that_the_migration_renames(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "INSERT INTO book (id, title) VALUES (100, 'seeded'), (101, 'too'); ALTER TABLE book RENAME TO volume",
        "ALTER TABLE volume RENAME TO book; DELETE FROM book WHERE id >= 100",
    )
    story.round_trip("DELETE FROM volume WHERE id = 100; UPDATE volume SET shelf = 5 WHERE id = 101")


def test_a_table_without_a_key(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("CREATE TABLE line (a int, b text)", "DROP TABLE line")
    story.round_trip("INSERT INTO line VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, ''), (1, 'x')")


def test_columns_of_a_table_without_a_key(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment("ALTER TABLE note ADD mark text", "ALTER TABLE note DROP COLUMN mark")
    story.round_trip(
        "UPDATE note SET mark = 'm' WHERE at = 2;"
        " UPDATE note SET mark = 'one of two' WHERE ctid = (SELECT min(ctid) FROM note WHERE body = 'a')"
    )


def test_partitions_wherever_they_are_named(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "UPDATE event SET what = upper(what)",
        "UPDATE event_low SET what = lower(what); DELETE FROM event WHERE id = 150",
    )
    story.execute(
        "CREATE TABLE event (id int PRIMARY KEY, what text) PARTITION BY RANGE (id);"
        "CREATE TABLE event_low PARTITION OF event FOR VALUES FROM (0) TO (100);"
        "CREATE TABLE event_high PARTITION OF event FOR VALUES FROM (100) TO (200);"
        "INSERT INTO event VALUES (1, 'a'), (2, 'b'), (150, 'z')"
    )
    story.round_trip("UPDATE event SET what = 'Mixed' WHERE id = 1")


def test_a_changed_primary_key(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "UPDATE book SET id = id + 1000", "UPDATE book SET id = id - 1000, shelf = 0 WHERE id > 1000"
    )
    story.round_trip("UPDATE book SET shelf = 5 WHERE id = 1001")


def test_no_way_around_it(deployment: Callable[[str, str], Deployment]) -> None:
    """What is known to escape triggers: replica role, disabled triggers, ON CONFLICT DO UPDATE."""
    story = deployment(
        "UPDATE book SET shelf = 10",
        "SET LOCAL session_replication_role = replica; ALTER TABLE book DISABLE TRIGGER ALL;"
        "INSERT INTO book (id, title, shelf) SELECT id, title, shelf FROM book "
        " ON CONFLICT (id) DO UPDATE SET shelf = 1;"
        "ALTER TABLE book ENABLE TRIGGER ALL",
    )
    story.round_trip("UPDATE book SET shelf = 11 WHERE id = 3")


def test_triggers_of_the_application_do_not_fire(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "ALTER TABLE book ADD mark text; CREATE TABLE star (book int PRIMARY KEY REFERENCES book)",
        "ALTER TABLE book DROP COLUMN mark; DROP TABLE star",
    )
    story.execute(
        "ALTER TABLE book ADD changed int NOT NULL DEFAULT 0;"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.changed := OLD.changed + 1; RETURN NEW; END';"
        "CREATE TRIGGER touch BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    story.round_trip("UPDATE book SET mark = 'm' WHERE id = 1; INSERT INTO star VALUES (2)")
    assert story.ask("SELECT tgenabled FROM pg_trigger WHERE tgname = 'touch'") == [("O",)]


def test_parents_go_back_before_their_children(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        "CREATE TABLE a_child (id int PRIMARY KEY);"
        "CREATE TABLE b_parent (id int PRIMARY KEY, up int REFERENCES b_parent);"
        "ALTER TABLE a_child ADD parent int REFERENCES b_parent",
        "DROP TABLE a_child; DROP TABLE b_parent",
    )
    story.round_trip(
        "INSERT INTO b_parent VALUES (2, NULL), (1, 2), (3, 1); INSERT INTO a_child VALUES (1, 3), (2, NULL)"
    )


def test_names_that_need_quotes(deployment: Callable[[str, str], Deployment]) -> None:
    story = deployment(
        'CREATE SCHEMA "Ж x"; CREATE TABLE "Ж x"."T ""q" ("Id" serial PRIMARY KEY, "a,b" text, "%s {}" text)',
        'DROP TABLE "Ж x"."T ""q"; DROP SCHEMA "Ж x"',
    )
    story.round_trip(
        """INSERT INTO "Ж x"."T ""q" ("a,b", "%%s {}") VALUES ('(,")', NULL), ('ж\\', '')""".replace(
            "%%", "%"
        )
    )
