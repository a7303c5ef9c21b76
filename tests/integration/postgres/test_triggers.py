# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows are written as they are, and every trigger and rule gets back the state that it had."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.triggers import triggers_and_rules_off

SCHEMA = """
    CREATE TABLE noted (what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO noted VALUES (TG_TABLE_NAME || ' ' || TG_NAME); RETURN NULL; END $$;
    CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."T 1" (id int PRIMARY KEY);
    CREATE TRIGGER origin AFTER INSERT ON "Odd"."T 1" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER always AFTER INSERT ON "Odd"."T 1" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER replica AFTER INSERT ON "Odd"."T 1" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER off AFTER INSERT ON "Odd"."T 1" FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE "Odd"."T 1" ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off;
    CREATE TABLE ruled (id int); CREATE RULE silent AS ON INSERT TO ruled DO INSTEAD NOTHING;
    CREATE TABLE root (a int REFERENCES "Odd"."T 1") PARTITION BY LIST (a);
    CREATE TABLE leaf PARTITION OF root FOR VALUES IN (1, 2);
    CREATE TRIGGER from_root AFTER INSERT ON root FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER own AFTER INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION note();
"""

STATES = """
    SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT ev_class::regclass::text, rulename::text, ev_enabled::text FROM pg_rewrite
    WHERE ev_class = 'ruled'::regclass ORDER BY 1, 2"""


@pytest.fixture
def cursor(connection: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA)
        yield cursor


def states(cursor: Any) -> list[tuple[str, str, str]]:
    cursor.execute(STATES)
    return cursor.fetchall()


def noted(cursor: Any) -> list[str]:
    cursor.execute("SELECT what FROM noted ORDER BY 1")
    return [what for (what,) in cursor.fetchall()]


INSERTS = (
    'INSERT INTO "Odd"."T 1" VALUES ({0}); INSERT INTO ruled VALUES ({0}); INSERT INTO root VALUES ({0})'
)


def test_inside_none_acts_and_afterwards_each_has_its_state(cursor: Any) -> None:
    before = states(cursor)
    with triggers_and_rules_off(cursor):
        cursor.execute(INSERTS.format(1))
        assert {state for _, _, state in states(cursor)} == {"D"}
    assert states(cursor) == before
    assert noted(cursor) == []
    cursor.execute("SELECT count(*) FROM ruled")
    assert cursor.fetchone() == (1,), "the rule did not swallow it"
    cursor.execute(INSERTS.format(2))
    assert noted(cursor) == ["T 1 always", "T 1 origin", "leaf from_root", "leaf own"]


def test_of_one_table_with_its_partitions_and_no_other(cursor: Any) -> None:
    cursor.execute("SELECT 'root'::regclass::oid::bigint")
    (root,) = cursor.fetchone()
    before = states(cursor)
    with triggers_and_rules_off(cursor, root):
        off = {(table, name) for table, name, state in states(cursor) if state == "D"}
        assert off == {
            ("root", "from_root"),
            ("leaf", "from_root"),
            ("leaf", "own"),
            ('"Odd"."T 1"', "off"),
        }
    assert states(cursor) == before


def test_foreign_keys_are_checked_all_the_same(cursor: Any) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation), triggers_and_rules_off(cursor):
        cursor.execute("INSERT INTO root VALUES (2)")


def test_tables_of_an_extension_are_written_to_by_nobody_and_left_alone(cursor: Any) -> None:
    cursor.execute('CREATE EXTENSION hstore; ALTER EXTENSION hstore ADD TABLE "Odd"."T 1"')
    with triggers_and_rules_off(cursor):
        assert ('"Odd"."T 1"', "origin", "O") in states(cursor)
