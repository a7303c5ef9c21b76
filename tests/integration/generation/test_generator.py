# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables are filled, whatever they ask for; and the one that cannot be is named, with PostgreSQL's reason."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.generation.generator import Generator
from ansible_collections.pgops.runbook.plugins.module_utils.generation.reach import reach_outside
from ansible_collections.pgops.runbook.plugins.module_utils.generation.views import refresh_views
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction

from demo.local_server import LocalServer
from tests.integration.step_runs import target


@pytest.fixture
def ours(server: LocalServer, database: str) -> Iterator[Any]:
    """A session with the runbook's own settings."""
    with contextlib.closing(connect(target(server, database))) as connection:
        yield connection


def make(ours: Any, *statements: str) -> None:
    with transaction(ours) as cursor:
        cursor.execute("SET LOCAL search_path = public")
        for statement in statements:
            cursor.execute(statement)


def ask(ours: Any, query: str) -> list[tuple]:
    with transaction(ours) as cursor:
        cursor.execute("SET LOCAL search_path = public")
        cursor.execute(query)
        return cursor.fetchall()


def generator(ours: Any, rows: int = 20, seed: int = 1, **options: Any) -> Generator:
    return Generator(ours.info.dbname, rows, seed, lambda cursor: ["public.schema_migrations"], **options)


def filled(ours: Any, *statements: str, rows: int = 20) -> dict[str, Any]:
    """table -> Filled, after the statements were executed and the tables filled."""
    make(ours, *statements)
    return {one.table: one for one in generator(ours, rows).fill(ours)}


FULL = {
    "types": "a bool, b int2, c numeric(5,2), d float4, e money, f char(3), g varchar(4), h bytea, i uuid, j date,"
    " k timetz, l timestamptz, m interval day to hour, n json, o jsonb, p inet, q bit(5), r varbit(9), s point,"
    " t polygon, u tsvector, v oid, w pg_lsn, x regclass, y int4range, z datemultirange, aa text[],"
    ' ab numeric(3,1)[], ac "char", ad name',
    "a type that the server may have been built without": "a int, b xml",
    "a list": "a text NOT NULL CHECK (a IN ('x', 'y')), b varchar(5) CHECK (b = ANY (ARRAY['p', 'q'])),"
    " c int CHECK (c IN (3, 5))",
    "bounds": "a int NOT NULL CHECK (a BETWEEN 7 AND 9), b numeric CHECK (b > 0 AND b < 0.1),"
    " c date CHECK (c >= '2040-01-01')",
    "lengths": "a text NOT NULL CHECK (length(a) = 12), b text CHECK (char_length(b) > 100),"
    " c int[] CHECK (cardinality(c) = 4)",
    "patterns": r"a text NOT NULL CHECK (a ~ '^[A-Z]{2}[0-9]{6}$'), b text CHECK (b LIKE 'x\_%y'),"
    " c text CHECK (c ~* '^(ab|cd)+$')",
    "between columns": "a int NOT NULL, b int NOT NULL, c date, d date, CHECK (a < b), CHECK (d >= c)",
    "one of two": "a int, b int, CHECK ((a IS NULL) <> (b IS NULL)), c int, d int, CHECK (num_nonnulls(c, d) = 1)",
    "alternatives": "a text NOT NULL, b int, CHECK ((a = 'x' AND b IS NULL) OR (a = 'y' AND b > 10))",
    "only by trying": "a int NOT NULL CHECK (a % 7 = 3), b text NOT NULL CHECK (upper(left(b, 1)) = left(b, 1))",
    "a function of theirs": "a int NOT NULL CHECK (even(a)), b text CHECK (b IS DISTINCT FROM 'x')",
    "keys": "a int PRIMARY KEY, b text UNIQUE, c varchar(2) NOT NULL UNIQUE, d date UNIQUE, e uuid UNIQUE,"
    " UNIQUE (b, c)",
    "a serial and an identity": "a serial PRIMARY KEY, b int GENERATED ALWAYS AS IDENTITY,"
    " c int GENERATED ALWAYS AS (a * 2) STORED",
    "nothing but numbers": "a int GENERATED ALWAYS AS IDENTITY",
    "no columns": "",
    "a domain": "a score NOT NULL, b scores, c label, d label[]",
    "an enum and a composite": "a mood NOT NULL, b mood[], c pair, d pair[]",
    "exclusion": "a int4range NOT NULL, EXCLUDE USING gist (a WITH &&)",
    "an expression that is unique": "a text NOT NULL, b bool NOT NULL DEFAULT true",
    "hostile names": '"a %s" int PRIMARY KEY, "b "" ; --" text NOT NULL'
    """ CHECK ("b "" ; --" IN ('100%', '%s', '"')), "Select" int""",
}
BESIDE = (
    "CREATE FUNCTION even(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 2 = 0'",
    "CREATE DOMAIN score AS int CHECK (VALUE BETWEEN 1 AND 3)",
    "CREATE DOMAIN scores AS score[] CHECK (array_length(VALUE, 1) = 2)",
    "CREATE DOMAIN label AS varchar(4) NOT NULL CHECK (VALUE ~ '^[a-z]+$')",
    "CREATE TYPE mood AS ENUM ('so \"so\"', 'it''s')",
    'CREATE TYPE pair AS (a int, "b c" text)',
)


@pytest.mark.parametrize("kind", FULL)
def test_a_table_gets_all_of_its_rows(ours: Any, kind: str) -> None:
    more = ["CREATE UNIQUE INDEX ON t (lower(a)) WHERE b"] if "expression" in kind else []
    found = filled(ours, *BESIDE, f"CREATE TABLE t ({FULL[kind]})", *more)
    assert found["public.t"].reason is None
    assert ask(ours, "SELECT count(*) FROM t") == [(20,)]


def test_the_same_seed_gives_the_same_rows_and_another_one_others(ours: Any) -> None:
    columns = (
        "id serial PRIMARY KEY, email text UNIQUE, born date, price numeric, mood text DEFAULT 'x', u uuid"
    )
    make(ours, f"CREATE TABLE t ({columns})")
    seen = []
    for seed in (1, 1, 2):
        make(ours, "TRUNCATE t RESTART IDENTITY")
        generator(ours, seed=seed).fill(ours)
        seen.append(ask(ours, "SELECT t::text FROM t ORDER BY id"))
    assert seen[0] == seen[1] != seen[2]
    assert ask(ours, "SELECT count(DISTINCT mood) > 1, count(*) FILTER (WHERE mood = 'x') FROM t") == [
        (True, 10)
    ]


PARENT = "CREATE TABLE parent (id int PRIMARY KEY, tenant int NOT NULL, UNIQUE (tenant, id))"

CHILDREN = {
    "a child": (PARENT, "CREATE TABLE t (id int PRIMARY KEY, p int NOT NULL REFERENCES parent)"),
    "one child each": (PARENT, "CREATE TABLE t (p int PRIMARY KEY REFERENCES parent)"),
    "two keys that share a column": (
        PARENT,
        "CREATE TABLE other (tenant int, n int, PRIMARY KEY (tenant, n),"
        " FOREIGN KEY (tenant, n) REFERENCES parent (tenant, id))",
        "CREATE TABLE t (tenant int NOT NULL, a int NOT NULL, b int NOT NULL,"
        " FOREIGN KEY (tenant, a) REFERENCES parent (tenant, id), FOREIGN KEY (tenant, b) REFERENCES other)",
    ),
    "many to many": (
        PARENT,
        "CREATE TABLE t (a int REFERENCES parent, b int REFERENCES parent, PRIMARY KEY (a, b))",
    ),
    "a tree": ("CREATE TABLE t (id serial PRIMARY KEY, up int REFERENCES t)",),
    "a tree whose root refers to itself": (
        "CREATE TABLE t (id serial PRIMARY KEY, up int NOT NULL REFERENCES t)",
    ),
    "the same by identity": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, up int NOT NULL REFERENCES t)",
    ),
    "a ring that can be left open": (
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE u (id int PRIMARY KEY, t int NOT NULL REFERENCES t)",
        "ALTER TABLE t ADD u int REFERENCES u",
    ),
    "a ring that is closed at the end": (
        "CREATE TABLE t (id serial PRIMARY KEY)",
        "CREATE TABLE u (id text PRIMARY KEY, t int NOT NULL REFERENCES t DEFERRABLE)",
        "ALTER TABLE t ADD u text NOT NULL REFERENCES u DEFERRABLE",
    ),
    "all columns or none": (
        PARENT,
        "CREATE TABLE t (tenant int, a int, FOREIGN KEY (tenant, a) REFERENCES parent (tenant, id) MATCH FULL)",
    ),
    "partitions as parents": (
        "CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF parent FOR VALUES FROM (MINVALUE) TO (100)",
        "CREATE TABLE p2 PARTITION OF parent FOR VALUES FROM (100) TO (200)",
        "CREATE TABLE t (p int NOT NULL REFERENCES parent)",
    ),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_rows_refer_to_rows_that_there_are(ours: Any, kind: str) -> None:
    found = filled(ours, *CHILDREN[kind])
    assert [one.reason for one in found.values() if one.rows == 0] == []
    assert found["public.t"].rows == found["public.t"].wanted == 20


def test_references_that_may_be_open_are_not_all_open(ours: Any) -> None:
    filled(ours, *CHILDREN["a tree"])
    assert ask(ours, "SELECT count(up) BETWEEN 5 AND 15 FROM t") == [(True,)]


PARTITIONED = {
    "by range": (
        "at timestamptz NOT NULL, n int",
        "RANGE (at)",
        "FOR VALUES FROM ('1999-01-01') TO ('1999-02-01')",
        "FOR VALUES FROM ('2050-01-01') TO (MAXVALUE)",
    ),
    "by two columns": (
        "a int, b text",
        "RANGE (a, b)",
        "FOR VALUES FROM (1, 'a') TO (1, 'm')",
        "FOR VALUES FROM (5, MINVALUE) TO (8, MAXVALUE)",
    ),
    "by list": ("a text", "LIST (a)", "FOR VALUES IN ('x', NULL)", "FOR VALUES IN ('y')"),
    "by hash": (
        "a int PRIMARY KEY",
        "HASH (a)",
        "FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    ),
    "by an expression": (
        "a date NOT NULL",
        "LIST (extract(year FROM a))",
        "FOR VALUES IN (2021)",
        "FOR VALUES IN (2022)",
    ),
    "with a rest": ("a int", "LIST (a)", "FOR VALUES IN (1)", "DEFAULT"),
}


@pytest.mark.parametrize("kind", PARTITIONED)
def test_rows_fall_into_partitions_that_there_are(ours: Any, kind: str) -> None:
    columns, key, *bounds = PARTITIONED[kind]
    parts = [f"CREATE TABLE t{number} PARTITION OF t {bound}" for number, bound in enumerate(bounds)]
    found = filled(ours, f"CREATE TABLE t ({columns}) PARTITION BY {key}", *parts)
    assert found["public.t"].rows == 20
    assert all(ask(ours, f"SELECT count(*) > 0 FROM t{number}") == [(True,)] for number in range(len(bounds)))


def test_partitions_of_partitions(ours: Any) -> None:
    found = filled(
        ours,
        "CREATE TABLE t (a int NOT NULL, b text NOT NULL, PRIMARY KEY (a, b)) PARTITION BY RANGE (a)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (500) TO (600) PARTITION BY LIST (b)",
        "CREATE TABLE t2 PARTITION OF t1 FOR VALUES IN ('only')",
    )
    assert found["public.t"].rows == 20


REFUSED = {
    "a trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''ask the clerk''; END'",
        "CREATE TABLE t (a int)",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "ask the clerk",
    ),
    "a trigger that swallows rows": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TABLE t (a int)",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "its rows were taken, and are not there: a trigger or a rule takes them away",
    ),
    "a trigger that fails at the end": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''not so late''; END'",
        "CREATE TABLE t (a int)",
        "CREATE CONSTRAINT TRIGGER f AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION f()",
        "not so late",
    ),
    "a function that is not there": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN nowhere(); END'",
        "CREATE TABLE t (a int NOT NULL DEFAULT f() PRIMARY KEY)",
        "function nowhere() does not exist",
    ),
    "a check that nothing meets": (
        "CREATE TABLE t (a int NOT NULL CHECK (a < 0 AND a > 0))",
        'new row for relation "t" violates check constraint "t_a_check"',
    ),
    "no partition": (
        "CREATE TABLE t (a int) PARTITION BY LIST (a)",
        'no partition of relation "t" found for row',
    ),
    "a parent without rows": (
        "CREATE TABLE parent (id int PRIMARY KEY CHECK (id < 0 AND id > 0))",
        "CREATE TABLE t (p int NOT NULL REFERENCES parent)",
        'insert or update on table "t" violates foreign key constraint "t_p_fkey"',
    ),
    "a ring that nothing opens": (
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE TABLE u (id int PRIMARY KEY, t int NOT NULL REFERENCES t)",
        "ALTER TABLE t ADD u int NOT NULL REFERENCES u",
        'insert or update on table "t" violates foreign key constraint "t_u_fkey"',
    ),
    "a slow trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'",
        "CREATE TABLE t (a int)",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "canceling statement due to statement timeout",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_table_that_cannot_be_filled_is_named_with_the_reason_and_the_others_are_filled(
    ours: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.pgops.runbook.plugins.module_utils.generation.filling.STATEMENT_SECONDS", 1
    )
    *statements, reason = REFUSED[kind]
    make(ours, "CREATE TABLE before_it (a int)", *statements, "CREATE TABLE zz_after_it (a int)")
    maker = generator(ours)
    maker.fill(ours)
    assert maker.unfilled["public.t"] == reason
    assert {"public.before_it", "public.zz_after_it"} <= maker.filled


def test_triggers_find_what_the_role_finds_and_their_rows_count(ours: Any) -> None:
    filled(
        ours,
        "CREATE TABLE t (a int)",
        "CREATE TABLE zz_log (what text)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO zz_log VALUES (tg_op); RETURN NEW; END'",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    assert ask(ours, "SELECT count(*) FILTER (WHERE what = 'INSERT') FROM zz_log") == [(20,)]


def test_triggers_that_wait_for_the_end_of_a_ring_find_it_too(ours: Any) -> None:
    make(
        ours,
        *CHILDREN["a ring that is closed at the end"],
        "CREATE TABLE zz_log (what text)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO zz_log VALUES (tg_table_name); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER f AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION f()",
    )
    maker = generator(ours)
    maker.fill(ours)
    assert maker.unfilled == {}
    assert ask(ours, "SELECT count(*) FROM zz_log WHERE what = 't'") == [(20,)]


def test_code_that_could_write_elsewhere_is_not_called(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE t (a int)",
        "CREATE TABLE plain (a int)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER billing FOREIGN DATA WRAPPER nothing",
    )
    maker = generator(ours)
    maker.fill(ours)
    assert maker.unfilled == {
        "public.t": "it has triggers or rules, and with foreign server billing these could write somewhere else than on"
        " the copy"
    }
    assert ask(ours, "SELECT count(*) FROM plain") == [(20,)]
    make(ours, "DROP SERVER billing")
    with transaction(ours) as cursor:
        assert reach_outside(cursor) is None


def test_no_other_database_gets_rows(ours: Any) -> None:
    make(ours, "CREATE TABLE t (a int)")
    with pytest.raises(ValueError, match="is not the copy somewhere, and gets no generated rows"):
        Generator("somewhere", 20, 1, lambda cursor: []).fill(ours)
    assert ask(ours, "SELECT count(*) FROM t") == [(0,)]


def test_what_is_no_table_of_the_application_gets_none(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE schema_migrations (version text)",
        "CREATE SCHEMA runbook",
        "CREATE TABLE runbook.run (a int)",
        "CREATE VIEW v AS SELECT 1 AS a",
        "CREATE TEMPORARY TABLE of_session (a int)",
    )
    maker = generator(ours)
    assert maker.fill(ours) == []
    assert (maker.filled, maker.unfilled) == (set(), {})


def test_tables_are_filled_up_or_only_those_without_rows(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE few (a int PRIMARY KEY)",
        "INSERT INTO few VALUES (1), (2)",
        "CREATE TABLE many (a int)",
        "INSERT INTO many SELECT generate_series(1, 50)",
        "CREATE TABLE nothing (a int)",
    )
    assert {one.table for one in generator(ours, only_empty=True).fill(ours)} == {"public.nothing"}
    assert {one.table: one.rows for one in generator(ours).fill(ours)} == {"public.few": 18}
    assert ask(ours, "SELECT (SELECT count(*) FROM few), (SELECT count(*) FROM many)") == [(20, 50)]


def test_a_column_that_has_come_since_gets_values_too(ours: Any) -> None:
    make(ours, "CREATE TABLE t (a int)", "CREATE TABLE theirs (a int)", "INSERT INTO theirs VALUES (1)")
    maker = generator(ours, only_empty=True)
    maker.fill(ours)
    make(ours, "ALTER TABLE t ADD b text", "ALTER TABLE theirs ADD b text")
    maker.fill(ours)
    maker.fill(ours)
    assert ask(ours, "SELECT count(*), count(b) > 10 FROM t") == [(40, True)]
    assert ask(ours, "SELECT count(*) FROM theirs") == [(1,)]


def test_views_that_keep_rows_are_made_anew(ours: Any) -> None:
    make(
        ours,
        "CREATE TABLE t (a int)",
        "CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t",
        "CREATE MATERIALIZED VIEW w AS SELECT 1 / (10 - count(*)) AS a FROM t WHERE a IS NULL OR true",
        "CREATE MATERIALIZED VIEW x AS SELECT 1 AS a WITH NO DATA",
    )
    generator(ours, rows=10).fill(ours)
    assert ask(ours, "SELECT count FROM v") == [(10,)]
    assert ask(ours, "SELECT a FROM w") == [(0,)], "of the one that fails the rows stay"
    make(ours, "TRUNCATE t")
    refresh_views(ours)
    assert ask(ours, "SELECT count FROM v") == [(0,)]


def test_policies_hold_for_an_owner_they_are_forced_on(server: LocalServer, database: str, ours: Any) -> None:
    make(
        ours,
        "CREATE ROLE owns_with_policy LOGIN",
        "CREATE TABLE t (a int)",
        "CREATE TABLE plain (a int)",
        "ALTER TABLE t OWNER TO owns_with_policy",
        "ALTER TABLE plain OWNER TO owns_with_policy",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE TABLE of_others (a int)",
    )
    try:
        who = {**target(server, database), "login_user": "owns_with_policy"}
        with contextlib.closing(connect(who)) as connection:
            maker = generator(connection)
            maker.fill(connection)
        assert set(maker.unfilled) == {"public.t", "public.of_others"}
        assert "row-level security" in maker.unfilled["public.t"]
        assert maker.unfilled["public.of_others"] == "permission denied for table of_others"
        assert maker.filled == {"public.plain"}
    finally:
        make(ours, "DROP OWNED BY owns_with_policy", "DROP ROLE owns_with_policy")


def test_other_encodings(server: LocalServer) -> None:
    with contextlib.closing(server.connect("postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE rows_in_latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
            try:
                with contextlib.closing(connect(target(server, "rows_in_latin"))) as ours:
                    assert filled(ours, "CREATE TABLE t (city text, name text)")["public.t"].rows == 20
            finally:
                cursor.execute("DROP DATABASE rows_in_latin WITH (FORCE)")


def test_a_session_that_is_ended_is_no_tables_fault(server: LocalServer, database: str, ours: Any) -> None:
    make(
        ours,
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END'",
        "CREATE TABLE t (a int)",
        "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    )
    with pytest.raises(psycopg2.Error):
        generator(ours).fill(ours)
