# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows are brought from the live database into the restored one, and what cannot be brought is said."""

from __future__ import annotations

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.rows.carry_over import (
    refresh_materialized_views,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.items import SalvageStore
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.store.moving import bring_items

from tests.integration.rows.sides import Sides
from tests.integration.step.hostile_types import types_and_casts

TABLES = ("author", "book", "line", "visit")


def test_added_changed_and_deleted_rows_are_counted_and_carried(sides: Sides) -> None:
    sides.write(
        """INSERT INTO author (name, boss) VALUES ('eve', 1), (E'tab\\t\\\\N "q"', 3);
           INSERT INTO book (author, title, words) VALUES (3, 'new', '{NULL,7}');
           INSERT INTO line VALUES (3, 1, ''), (3, 2, NULL);
           UPDATE line SET text = 'Zeile äöü' WHERE book = 1;
           UPDATE book SET title = 'zwei' WHERE id = 2;
           DELETE FROM line WHERE book = 2;
           DELETE FROM visit WHERE ctid = (SELECT min(ctid) FROM visit);
           INSERT INTO visit VALUES (NULL, NULL), ('2026-02-02 12:00:00.123456+02', 'eve');
           INSERT INTO schema_migrations VALUES ('002')"""
    )
    counted, left = sides.carry()
    assert counted["tables"] == {
        "public.author": {"added": 2, "changed": 0, "deleted": 0},
        "public.book": {"added": 1, "changed": 1, "deleted": 0},
        "public.line": {"added": 2, "changed": 1, "deleted": 1},
        "public.visit": {"added": 2, "changed": 0, "deleted": 1},
    }
    assert (counted["compared"], left) == (4, [])
    sides.check_equal(*TABLES)
    assert sides.ask("SELECT version FROM schema_migrations") == [("001",)], (
        "the backup's schema has its versions"
    )


def test_nothing_since_is_nothing_to_do(sides: Sides) -> None:
    counted, left = sides.carry()
    assert (counted["tables"], left) == ({}, [])


def test_references_in_a_ring_and_to_the_same_table(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE TABLE hen (id int PRIMARY KEY, egg int);
               CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen DEFERRABLE);
               ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE""",
            live=live,
        )
    sides.write(
        """SET CONSTRAINTS ALL DEFERRED; INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1);
           INSERT INTO author (id, name, boss) VALUES (10, 'x', 11), (11, 'y', 10)"""
    )
    _, left = sides.carry()
    assert left == []
    sides.check_equal("hen", "egg", "author")


def test_a_ring_of_references_that_cannot_wait_for_the_end(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE TABLE firm (id int PRIMARY KEY, head int);
               CREATE TABLE person (id int PRIMARY KEY, firm int NOT NULL REFERENCES firm);
               ALTER TABLE firm ADD CONSTRAINT headed FOREIGN KEY (head) REFERENCES person;
               CREATE TABLE part (id int, firm int REFERENCES firm, PRIMARY KEY (id)) PARTITION BY RANGE (id);
               CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10)""",
            live=live,
        )
    rules = (
        "SELECT conname, condeferrable, condeferred, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'f' ORDER BY conrelid::regclass::text, conname"
    )
    triggers = "SELECT tgrelid::regclass::text, tgtype, tgdeferrable, tginitdeferred FROM pg_trigger ORDER BY 1, 2, 3"
    before = sides.ask(rules), sides.ask(triggers)
    sides.write(
        "INSERT INTO firm VALUES (1, NULL), (2, NULL); INSERT INTO person VALUES (1, 1), (2, 2);"
        " UPDATE firm SET head = id; INSERT INTO part VALUES (1, 2)"
    )
    counted, left = sides.carry()
    assert left == []
    assert counted["tables"]["public.firm"]["added"] == 2
    sides.check_equal("firm", "person", "part")
    assert (sides.ask(rules), sides.ask(triggers)) == before, "they are as strict as they were"


def test_a_ring_comes_also_where_a_row_of_another_table_is_left(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE TABLE firm (id int PRIMARY KEY, head int);
               CREATE TABLE person (id int PRIMARY KEY, firm int NOT NULL REFERENCES firm);
               ALTER TABLE firm ADD FOREIGN KEY (head) REFERENCES person""",
            live=live,
        )
    sides.write(
        "INSERT INTO firm VALUES (1, NULL); INSERT INTO person VALUES (1, 1); UPDATE firm SET head = 1;"
        " ALTER TABLE book DROP COLUMN double; ALTER TABLE book ALTER title TYPE text;"
        " UPDATE book SET title = 'longer than ten' WHERE id = 1"
    )
    _, left = sides.carry()
    assert [(row["table"], row["change"], row["key"]) for row in left] == [
        ("public.book", "changed", "(id) = (1)")
    ]
    sides.check_equal("firm", "person")


def test_a_statement_that_is_cancelled_is_no_fault_of_the_rows(sides: Sides) -> None:
    sides.write(
        """CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN true; END$$;
           ALTER TABLE author ADD CHECK (slow()) NOT VALID""",
        live=False,
    )
    sides.write("INSERT INTO author (name) VALUES ('eve')")
    with sides.new.cursor() as cursor:
        cursor.execute("SET statement_timeout = '300ms'")
    sides.new.commit()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        sides.carry()


def test_unique_values_that_wandered_from_row_to_row(sides: Sides) -> None:
    sides.write(
        """UPDATE author SET name = 'x' WHERE id = 1; UPDATE author SET name = 'ada' WHERE id = 2;
           UPDATE author SET name = 'bob' WHERE id = 1; INSERT INTO author (name) VALUES ('x')"""
    )
    _, left = sides.carry()
    assert left == [], "rows that exchange a unique value, while others reference them"
    sides.check_equal(*TABLES)


def test_a_row_that_the_restored_schema_does_not_take_is_left_and_the_others_come(sides: Sides) -> None:
    """What the migration allowed and the backup does not: longer titles, books without author."""
    sides.write(
        """ALTER TABLE book DROP COLUMN double; ALTER TABLE book ALTER title TYPE text;
           ALTER TABLE book ALTER author DROP NOT NULL;
           CREATE TABLE orphanage (id int); ALTER TABLE line DROP CONSTRAINT line_book_fkey;
           INSERT INTO book (author, title) SELECT 1, 'b' || n FROM generate_series(1, 300) n;
           INSERT INTO book (author, title) VALUES (1, 'longer than ten'), (NULL, 'nobody');
           INSERT INTO line VALUES (999, 1, 'no such book'), (300, 7, 'kept')"""
    )
    counted, left = sides.carry()
    assert counted["tables"]["public.book"] == {"added": 302, "changed": 0, "deleted": 0}
    assert sorted(
        (row["table"], row["change"], row["key"], row["reason"].split(" (")[0]) for row in left
    ) == [
        ("public.book", "added", "(id) = (303)", "value too long for type character varying(10)"),
        (
            "public.book",
            "added",
            "(id) = (304)",
            'null value in column "author" of relation "book" violates not-null constraint',
        ),
        (
            "public.line",
            "added",
            "(book, n) = (999,1)",
            'insert or update on table "line" violates foreign key constraint "line_book_fkey"',
        ),
    ]
    assert sides.ask("SELECT count(*), count(double) FROM book") == [(302, 302)]
    assert sides.ask("SELECT text FROM line WHERE book = 300") == [("kept",)]


def test_triggers_and_rules_of_the_application_stay_silent_and_are_on_afterwards(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN new.text := upper(new.text); RETURN new; END$$;
               CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON line FOR EACH ROW EXECUTE FUNCTION shout();
               CREATE TRIGGER always BEFORE INSERT ON line FOR EACH ROW EXECUTE FUNCTION shout();
               ALTER TABLE line ENABLE ALWAYS TRIGGER always;
               CREATE RULE forget AS ON DELETE TO visit DO INSTEAD NOTHING""",
            live=live,
        )
    sides.write(
        """ALTER TABLE line DISABLE TRIGGER ALL; INSERT INTO line VALUES (1, 5, 'soft');
           ALTER TABLE line ENABLE TRIGGER ALL; ALTER TABLE visit DISABLE RULE forget; DELETE FROM visit;
           ALTER TABLE visit ENABLE RULE forget"""
    )
    _, left = sides.carry()
    assert left == []
    sides.check_equal(*TABLES)
    enabled = """SELECT tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
                 UNION SELECT rulename, ev_enabled::text FROM pg_rewrite WHERE rulename = 'forget' ORDER BY 1"""
    assert sides.ask(enabled) == [("always", "A"), ("forget", "O"), ("shout", "O")]


def test_partitions_that_were_made_since_belong_to_their_table(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE TABLE event (day int, n int, note text, PRIMARY KEY (day, n)) PARTITION BY LIST (day);
               CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
               CREATE TABLE event_rest PARTITION OF event DEFAULT;
               INSERT INTO event VALUES (1, 1, 'a'), (7, 1, 'b')""",
            live=live,
        )
    sides.write(
        """CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2); INSERT INTO event VALUES (2, 1, 'c');
           UPDATE event SET note = 'new' WHERE day = 7; DELETE FROM event WHERE day = 1"""
    )
    counted, left = sides.carry()
    assert counted["tables"] == {"public.event": {"added": 1, "changed": 1, "deleted": 1}}
    assert (counted["only_live"]["tables"], left) == ({}, [])
    sides.check_equal("event")


def test_what_only_one_side_has_is_named(sides: Sides) -> None:
    sides.write(
        """ALTER TABLE author ADD COLUMN born int; UPDATE author SET born = 1815 WHERE id = 1;
           CREATE TABLE tag (name text); INSERT INTO tag VALUES ('x'), ('y'); DROP TABLE visit;
           SELECT lo_from_bytea(0, 'object')"""
    )
    counted, left = sides.carry()
    assert counted["only_live"] == {"tables": {"public.tag": 2}, "columns": {"public.author.born": 1}}
    assert (counted["only_backup"], counted["large_objects"], left) == (["public.visit"], 1, [])
    assert counted["tables"] == {}, "a value that the backup has no column for makes no row differ"


def test_names_and_types_of_every_kind(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE SCHEMA "Odd %s"; CREATE TYPE "Odd %s".mood AS ENUM ('so', 'la la');
               CREATE DOMAIN short AS varchar(3);
               CREATE TABLE "Odd %s"."t""a,b" ("a %" text, "primary" "Odd %s".mood, c char(4), b bit(3), f float8,
                 d date, i interval, j jsonb, x bytea, s short, PRIMARY KEY ("a %", "primary"))""",
            live=live,
        )
    sides.write(
        """INSERT INTO "Odd %s"."t""a,b" VALUES ('k, "', 'la la', 'ab', '101', 0.1::float8 + 0.2, '2026-02-03',
             '1 year -2 days', '{"a": [1, "ü"]}', '\\x00ff', 'abc'), ('', 'so', NULL, NULL, 'NaN', 'infinity', NULL,
             'null', '', '')"""
    )
    _, left = sides.carry()
    assert left == []
    sides.check_equal('"Odd %s"."t""a,b"')


def test_views_that_hold_rows_are_computed_again(sides: Sides) -> None:
    for live in (True, False):
        sides.write(
            """CREATE MATERIALIZED VIEW many AS SELECT count(*) FROM author;
               CREATE MATERIALIZED VIEW upon AS SELECT * FROM many; CREATE MATERIALIZED VIEW empty AS SELECT 1
               WITH NO DATA""",
            live=live,
        )
    sides.write("INSERT INTO author (name) VALUES ('eve')")
    sides.carry()
    with sides.new, sides.new.cursor() as cursor:
        assert refresh_materialized_views(cursor) == ["public.many", "public.upon"]
    assert sides.ask("SELECT * FROM upon") == [(3,)]


# Salvage ---------------------------------------------------------------------------------------------------


def keep(sides: Sides, *rows: str, live: bool = True) -> None:
    """An item of salvage with these rows."""
    connection = sides.live if live else sides.new
    with connection, connection.cursor() as cursor:
        store = SalvageStore(cursor)
        store.create()
        item = store.begin_item("run", "002", "dropped table", ("public", "tag"), ["name"])
        for number, row in enumerate(rows):
            cursor.execute(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
                (item, str(number), row),
            )
        assert store.finish_item(item)["rows"] == len(rows)


@pytest.mark.parametrize("in_backup", [True, False])
def test_salvage_is_what_the_backup_has_and_what_was_kept_since(sides: Sides, in_backup: bool) -> None:
    keep(sides, "(x)", "(y)")
    if in_backup:
        keep(sides, "(x)", "(y)", live=False)
    sides.write(  # a deploy since the backup has put it back, into the database that is replaced
        "DELETE FROM runbook_salvage.kept_row; UPDATE runbook_salvage.manifest SET returned = now()"
    )
    keep(sides, "(since)")
    with sides.live, sides.new, sides.live.cursor() as live, sides.new.cursor() as new:
        assert bring_items(live, new) == (1 if in_backup else 2)
        assert bring_items(live, new) == 0, "a second time there is nothing to bring"
    found = sides.ask(
        "SELECT item, returned IS NULL, k.kept FROM runbook_salvage.manifest LEFT JOIN runbook_salvage.kept_row k"
        " USING (item) ORDER BY 1, 3"
    )
    first = [(1, True, "(x)"), (1, True, "(y)")] if in_backup else [(1, False, None)]
    assert found == [*first, (2, True, "(since)")]
    keep(sides, "(later)", live=False)
    assert sides.ask("SELECT max(item), max(number) FROM runbook_salvage.kept_row") == [(3, 4)]


def test_values_of_types_that_somebody_has_made_are_carried_without_their_casts(sides: Sides) -> None:
    """All at once, and where one row does not go each by itself; casts and operators of theirs would fail."""
    for live in (True, False):
        sides.write("CREATE SCHEMA app; " + ";".join(types_and_casts("app")), live=live)
        sides.write(
            "CREATE TABLE kind (m app.shade PRIMARY KEY, d app.dom NOT NULL, p app.pair,"
            " other app.shade REFERENCES kind, note text);"
            " INSERT INTO kind VALUES ('a', 'a', '(1,x)', 'a', 'since long');"
            " CREATE TABLE part (m app.shade REFERENCES kind, ms app.mood[], r app.span, rs app.spans, d app.dom)",
            live=live,
        )
    sides.write("ALTER TABLE kind ADD CHECK (note <> 'bad')", live=False)
    sides.write(
        "INSERT INTO kind VALUES ('b', 'c', NULL, 'b', 'good'), ('c', 'a', '(,)', 'b', 'bad');"
        " UPDATE kind SET p = '(2,\"y z\")', d = 'b' WHERE note = 'since long';"
        " INSERT INTO part VALUES ('b', '{a,NULL}', '[1,3)', '{}', NULL), (NULL, NULL, NULL, NULL, 'c')"
    )
    _, left = sides.carry()
    assert [row["key"] for row in left] == ["(m) = (c)"]
    sides.check_equal("part")
    assert sides.ask("SELECT * FROM kind ORDER BY m") == [
        ("a", "b", '(2,"y z")', "a", "since long"),
        ("b", "c", None, "b", "good"),
    ]
