# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What takes statements back for which nobody has to look at a database, and what is said where nothing does."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.drafting.written import About, rollback_text

from tests.unit.drafting.answers import draft, statements


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE TABLE t (id int)", ["DROP TABLE t;"]),
        ('CREATE TABLE "Odd ""one"""."select" (id int)', ['DROP TABLE "Odd ""one"""."select";']),
        ("CREATE TABLE a AS SELECT 1", ["DROP TABLE a;"]),
        ("SELECT 1 AS x INTO a", ["DROP TABLE a;"]),
        ("CREATE MATERIALIZED VIEW m AS SELECT 1", ["DROP MATERIALIZED VIEW m;"]),
        ("CREATE VIEW v AS SELECT 1", ["DROP VIEW v;"]),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", ["DROP VIEW v;"]),
        ("CREATE UNIQUE INDEX i ON s.t (a)", ["DROP INDEX s.i;"]),
        ("CREATE INDEX ON t (a, b)", ["DROP INDEX t_a_b_idx;"]),
        (
            "CREATE FUNCTION f(a int, OUT b text, VARIADIC c int[]) RETURNS text LANGUAGE sql AS 'x'",
            ["DROP FUNCTION f(integer, integer[]);"],
        ),
        ("CREATE PROCEDURE p() LANGUAGE sql AS 'x'", ["DROP PROCEDURE p();"]),
        (
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            ["DROP TRIGGER g ON t;"],
        ),
        ("CREATE POLICY p ON t USING (true)", ["DROP POLICY p ON t;"]),
        ("CREATE TYPE m AS ENUM ('a')", ["DROP TYPE m;"]),
        ("CREATE DOMAIN d AS int", ["DROP DOMAIN d;"]),
        ("CREATE SEQUENCE s", ["DROP SEQUENCE s;"]),
        ("CREATE SCHEMA app", ["DROP SCHEMA app;"]),
        ("CREATE EXTENSION IF NOT EXISTS citext", ["DROP EXTENSION citext;"]),
        ("CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int)", ["DROP AGGREGATE total(integer);"]),
        ("CREATE STATISTICS s ON a, b FROM t", ["DROP STATISTICS s;"]),
        ("ALTER TABLE t ADD COLUMN a int", ["ALTER TABLE t DROP COLUMN a;"]),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", ["ALTER TABLE t DROP CONSTRAINT c;"]),
        ("ALTER TABLE t RENAME TO u", ["ALTER TABLE u RENAME TO t;"]),
        ("ALTER TABLE t RENAME COLUMN a TO b", ["ALTER TABLE t RENAME COLUMN b TO a;"]),
        ("ALTER TABLE s.t SET SCHEMA r", ["ALTER TABLE r.t SET SCHEMA s;"]),
        ("ALTER TYPE m RENAME VALUE 'a' TO 'b'", ["ALTER TYPE m RENAME VALUE 'b' TO 'a';"]),
        ("ALTER INDEX i RENAME TO j", ["ALTER INDEX j RENAME TO i;"]),
        ("CREATE TEMPORARY TABLE t (id int); INSERT INTO t VALUES (1); DROP TABLE t", []),
        ("SET lock_timeout = '1s'; ANALYZE; SELECT count(*) FROM t", []),
        ("EXPLAIN DELETE FROM t; PREPARE p AS DELETE FROM t; DEALLOCATE p; LISTEN a; UNLISTEN a", []),
        ("CREATE SEQUENCE s; SELECT setval('s', 7), setval('s'::regclass, 8)", ["DROP SEQUENCE s;"]),
        # As pg_dump writes a serial column: beside its default the sequence could not be dropped.
        (
            "CREATE TABLE s.t (id int); CREATE SEQUENCE s.q; ALTER SEQUENCE s.q OWNED BY s.t.id;"
            " ALTER TABLE s.t ALTER COLUMN id SET DEFAULT nextval('s.q')",
            ["DROP TABLE s.t;"],
        ),
        (
            "CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i",
            ["ALTER TABLE t DROP CONSTRAINT u;"],
        ),
        (
            "INSERT INTO schema_migrations (version) VALUES ('012')",
            ["DELETE FROM schema_migrations WHERE version = '012';"],
        ),
    ],
)
def test_one_statement_is_taken_back(text: str, expected: list[str]) -> None:
    made = draft(text)
    assert statements(made) == expected
    assert made.open_points() == []


def test_the_last_statement_comes_first_and_parts_of_a_new_table_go_with_it() -> None:
    made = draft(
        "CREATE TYPE mood AS ENUM ('a');\n"
        "CREATE TABLE t (id int PRIMARY KEY, m mood);\n"
        "CREATE INDEX i ON t (m);\n"
        "ALTER TABLE t ADD COLUMN late int, ALTER COLUMN late SET DEFAULT 1;\n"
        "COMMENT ON TABLE t IS 'x'; COMMENT ON INDEX i IS 'x'; COMMENT ON INDEX t_pkey IS 'x';\n"
        "GRANT SELECT ON t TO PUBLIC; INSERT INTO t VALUES (1);\n"
        "CREATE VIEW v AS SELECT * FROM t;"
    )
    assert statements(made) == ["DROP VIEW v;", "DROP TABLE t;", "DROP TYPE mood;"]
    assert made.data_loss == "COMPLETE"
    assert not made.unfinished


def test_what_a_new_table_got_later_is_dropped_where_it_rests_on_something_younger() -> None:
    made = draft(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);\n"
        "ALTER TABLE a ADD CONSTRAINT to_b FOREIGN KEY (id) REFERENCES b;\n"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';\n"
        "CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();"
    )
    assert statements(made) == [
        "DROP TRIGGER g ON a;",
        "DROP FUNCTION f();",
        "ALTER TABLE a DROP CONSTRAINT to_b;",
        "DROP TABLE b;",
        "DROP TABLE a;",
    ]


def test_what_the_script_makes_and_drops_leaves_nothing() -> None:
    assert statements(draft("CREATE TABLE t (id int); ALTER TABLE t RENAME TO u; DROP TABLE u")) == []
    assert statements(draft("ALTER TABLE t ADD COLUMN a int; ALTER TABLE t DROP COLUMN a")) == []
    assert (
        statements(draft("CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS '1'; DROP FUNCTION f(int)"))
        == []
    )


def test_a_partition_goes_with_its_parent() -> None:
    made = draft(
        "CREATE TABLE t (id int) PARTITION BY LIST (id); CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1)"
    )
    assert statements(made) == ["DROP TABLE t;"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UPDATE t SET a = 1", "UPDATE changes rows"),
        ("DELETE FROM t", "DELETE changes rows"),
        ("EXPLAIN (ANALYZE) DELETE FROM t", "DELETE changes rows"),
        ("SELECT setval('s', 1), nextval('s')", "calls nextval()"),
        ("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", "how the index comes back"),
        ("TRUNCATE t", "TRUNCATE changes rows"),
        ("DO $$ BEGIN EXECUTE 'DROP TABLE t'; END $$", "a DO block"),
        ("DO LANGUAGE plpython3u 'x'", "a DO block"),
        ("DO $$ BEGIN SET search_path = other; CREATE TABLE a (); END $$", "depend on"),
        ("DO $$ BEGIN PERFORM set_config('search_path', 'other', true); END $$", "depend on"),
        ("DO $$ BEGIN DELETE FROM t; EXCEPTION WHEN others THEN NULL; END $$", "a DO block"),
        ("DO $$ BEGIN IF f() THEN NULL; END IF; END $$", "calls f()"),
        ("DO $$ BEGIN IF now() > '2020-01-01' THEN CREATE TABLE a (); END IF; END $$", "under a condition"),
        ("DO $$ BEGIN LOOP CREATE TABLE a (); END LOOP; END $$", "under a condition"),
        (
            "DO $$ BEGIN IF now() > '2020-01-01' THEN RETURN; END IF; CREATE TABLE a (); END $$",
            "under a condition",
        ),
        ("DO $$ BEGIN PERFORM setval('s', 1); END $$", "calls setval()"),
        ("PREPARE p AS DELETE FROM t; EXECUTE p", "DELETE changes rows"),
        ("EXECUTE p", "does not know"),
        ("CALL p()", "procedure"),
        ("SELECT setval('s', 1)", "calls setval()"),
        ("DROP TABLE t", "The database has no relation t"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "The database has no t"),
        ("INSERT INTO t SELECT 1", "The database has no t"),
        ("ALTER SYSTEM SET work_mem = '1MB'", "does not know"),
        ("SET SESSION AUTHORIZATION other", "another role"),
        ("SET ROLE other; ALTER TABLE t RENAME TO u", "as another role"),
        ("BEGIN; CREATE TABLE a (); ROLLBACK", "undoes part"),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "another server"),
        ("DROP VIEW v; CREATE TABLE x (id int)", "The database has no relation v"),
    ],
)
def test_what_is_not_known_to_be_taken_back_is_said(text: str, words: str) -> None:
    made = draft(text)
    assert made.unfinished
    ((line, sentence),) = made.open_points()
    assert line == 1
    assert words in sentence


PLAIN = {"columns": {"a": {"name": "a", "not_null": False}}, "constraints": {}, "kind": "r"}


def test_what_is_written_into_a_new_column_goes_with_it() -> None:
    made = draft(
        "ALTER TABLE t ADD COLUMN b text, ADD COLUMN c int; UPDATE t SET b = lower(a), c = 1", t=PLAIN
    )
    assert not made.unfinished
    assert "UPDATE" not in " ".join(statements(made))


@pytest.mark.parametrize(
    ("update", "facts", "words"),
    [
        ("UPDATE t SET b = 1, a = 2", {}, "UPDATE changes rows"),
        ("UPDATE t SET b = f(a)", {}, "calls f()"),
        ("UPDATE t SET b = 1", {"triggers": {"g": {"name": "g", "enabled": "O"}}}, "Triggers or rules of t"),
        ("WITH x AS (DELETE FROM u RETURNING 1) UPDATE t SET b = 1", {}, "WITH changes rows"),
    ],
)
def test_an_update_that_may_change_more_is_said(update: str, facts: dict, words: str) -> None:
    made = draft(f"ALTER TABLE t ADD COLUMN b int; {update}", t={**PLAIN, **facts})
    ((_, sentence),) = made.open_points()
    assert words in sentence


def test_rows_that_an_insert_takes_from_elsewhere_are_said() -> None:
    made = draft(
        "CREATE TABLE n (a int); WITH x AS (DELETE FROM t RETURNING a) INSERT INTO n SELECT a FROM x"
    )
    assert "WITH changes rows" in made.open_points()[0][1]
    assert not draft("CREATE TABLE n (a int); WITH x AS (SELECT 1) INSERT INTO n SELECT * FROM x").unfinished


def test_a_view_that_others_rest_on_is_replaced_only_by_one_of_as_many_columns() -> None:
    view = {
        "columns": {"a": {"name": "a"}},
        "used": True,
        "options": [],
        "query": "SELECT 1 AS a;",
        "kind": "v",
    }
    assert statements(draft("CREATE OR REPLACE VIEW v AS SELECT 2 AS a", v=view)) == [
        "CREATE OR REPLACE VIEW v AS\nSELECT 1 AS a;"
    ]
    for query in ("SELECT 2 AS a, 3 AS b", "SELECT * FROM t", "SELECT t.* FROM t UNION SELECT 1", "TABLE t"):
        assert draft(f"CREATE OR REPLACE VIEW v AS {query}", v=view).unfinished, query


@pytest.mark.parametrize(
    ("columns", "partition"),
    [(["a", "b"], False), ([None], False), (["a"], True)],
    ids=["two", "expression", "nested"],
)
def test_a_check_that_detaching_concurrently_leaves_is_said(
    columns: list[str | None], partition: bool
) -> None:
    part = {"bound": "FOR VALUES IN (1)", "kind": "r", "columns": {}, "constraints": {}}
    parent = {**PLAIN, "partition_columns": columns, "partition": partition}
    made = draft("ALTER TABLE t DETACH PARTITION part CONCURRENTLY", t=parent, part=part)
    assert "a check of its bounds" in made.open_points()[0][1]
    assert not draft("ALTER TABLE t DETACH PARTITION part", t=parent, part=part).unfinished


def test_a_check_that_has_a_known_name_goes() -> None:
    part = {"bound": "FOR VALUES IN (1)", "kind": "r", "columns": {}, "constraints": {"part_a_check": {}}}
    parent = {**PLAIN, "partition_columns": ["a"], "partition": False}
    made = draft("ALTER TABLE t DETACH PARTITION part CONCURRENTLY", t=parent, part=part)
    assert statements(made) == [
        "ALTER TABLE part DROP CONSTRAINT IF EXISTS part_a_check1;",
        "ALTER TABLE t ATTACH PARTITION part FOR VALUES IN (1);",
    ]
    assert not made.unfinished


def test_what_a_block_makes_and_drops_is_not_taken_back() -> None:
    made = draft("DO $$ BEGIN CREATE TABLE a (); CREATE TABLE b (); DROP TABLE a; END $$; DROP TABLE b")
    assert statements(made) == []
    assert not made.unfinished


def test_what_a_block_does_once_is_taken_back() -> None:
    made = draft(
        "DO $$ DECLARE n int := 1; BEGIN n := n + 1; CREATE TABLE a (); RAISE NOTICE '% done', n; END $$;"
        " DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_class) THEN ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); END IF;"
        " END $$",
        t={**PLAIN, "indexed": False},
    )
    assert statements(made) == ["ALTER TABLE t DROP CONSTRAINT IF EXISTS c;", "DROP TABLE a;"]
    assert not made.unfinished


def test_a_constraint_that_a_block_may_have_left_alone_is_not_dropped() -> None:
    text = "DO $$ BEGIN IF now() > '2020-01-01' THEN ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); END IF; END $$"
    there = {**PLAIN, "constraints": {"c": {"name": "c", "type": "c"}}}
    assert "under a condition" in draft(text, **{"public.t": there, "t": there}).open_points()[0][1]


def test_an_objects_role_is_set_again_where_it_goes() -> None:
    made = draft('SET ROLE "Owner"; CREATE TABLE a (); RESET ROLE; CREATE TABLE b ()')
    text = rollback_text(About("x", "012", "", "2026-01-01", "", None), made)
    sent = [line for line in text.splitlines() if line.endswith(";")]
    assert sent == [
        *(
            "BEGIN;",
            "DROP TABLE b;",
            'SET LOCAL ROLE "Owner";',
            "DROP TABLE a;",
            "SET LOCAL ROLE NONE;",
            "COMMIT;",
        )
    ]
    assert not made.unfinished


@pytest.mark.parametrize(
    ("before", "state", "unfinished"),
    [
        ("ALTER TABLE t DISABLE TRIGGER g", "O", False),
        ("ALTER TABLE t DISABLE TRIGGER ALL", "O", False),
        ("ALTER TABLE t DISABLE TRIGGER g; ALTER TABLE t ENABLE TRIGGER g", "O", True),
        ("SET session_replication_role = replica", "O", False),
        ("SET session_replication_role = replica", "A", True),
        ("SET session_replication_role = replica; RESET session_replication_role", "O", True),
        ("SELECT 1", "D", False),
    ],
)
def test_a_trigger_counts_while_it_is_at_work(before: str, state: str, unfinished: bool) -> None:
    facts = {**PLAIN, "triggers": {"g": {"name": "g", "enabled": state}}}
    made = draft(f"ALTER TABLE t ADD COLUMN b int; {before}; UPDATE t SET b = 1, a = a", t=facts)
    assert made.unfinished is unfinished


def test_a_trigger_of_the_script_s_own_counts_too() -> None:
    text = "CREATE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f(); UPDATE t SET a = a"
    assert draft(text, t=PLAIN).unfinished


def test_a_renamed_table_is_asked_for_by_its_old_name() -> None:
    facts = {"columns": {"a": {"name": "a", "not_null": False}}, "constraints": {}, "kind": "r"}
    made = draft("ALTER TABLE t RENAME TO u; ALTER TABLE u ALTER COLUMN a SET NOT NULL", t=facts)
    assert statements(made) == ["ALTER TABLE u ALTER COLUMN a DROP NOT NULL;", "ALTER TABLE u RENAME TO t;"]


def test_constants_are_deleted_by_their_key() -> None:
    column = {"not_null": True}
    facts = {
        "columns": {"id": {"name": "id", **column}, '"Name"': {"name": '"Name"', **column}},
        "constraints": {"k": {"name": "k", "type": "p", "validated": True, "columns": ["id"]}},
        "kind": "r",
    }
    made = draft("INSERT INTO t VALUES (1, 'a'), (2, 'it''s')", t=facts)
    assert statements(made) == ["DELETE FROM t WHERE (id = 1) OR (id = 2);"]
    assert draft("INSERT INTO t (\"Name\") VALUES ('a')", t=facts).unfinished
    assert draft("INSERT INTO t VALUES (1, 'a') ON CONFLICT DO NOTHING", t=facts).unfinished
    assert draft("INSERT INTO t VALUES (random(), 'a')", t=facts).unfinished
