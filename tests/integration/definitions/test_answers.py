# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the database says of objects, and the statements that make them again with all that goes with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.definitions.answers import answers_to
from ansible_collections.pgops.runbook.plugins.module_utils.definitions.objects import find, object_facts
from ansible_collections.pgops.runbook.plugins.module_utils.definitions.relations import relation_facts
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.connection import connect, transaction

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns, target

MADE = """
    CREATE SCHEMA "Odd. one";
    CREATE TYPE mood AS ENUM ('a', 'b');
    CREATE TABLE t (id serial PRIMARY KEY, m mood DEFAULT 'a', "N" text NOT NULL CHECK ("N" <> ''));
    COMMENT ON TABLE t IS 'told';
    GRANT SELECT ON t TO PUBLIC;
    CREATE INDEX by_n ON t ("N");
    CREATE VIEW v AS SELECT id FROM t;
    CREATE TABLE "Odd. one".t (id int);
    INSERT INTO "Odd. one".t VALUES (1);
"""


@pytest.fixture
def ask(server: LocalServer, database: str) -> Callable[..., Any]:
    """A function that asks one question."""
    where = target(server, database)
    with (
        contextlib.closing(server.connect(database)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(MADE)

    def asked(kind: str, *names: str, **options: Any) -> Any:
        with contextlib.closing(connect(where)) as connection:
            question = {"type": kind, "names": list(names), **options}
            return answers_to([question], connection, where, server.bindir)[0]

    return asked


def kinds(answer: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in answer["made"]["statements"]]


def test_a_table_comes_with_all_that_goes_with_it(ask: Callable[..., Any]) -> None:
    answer = ask("relation", "t", dump=True)
    assert kinds(answer) == [
        *("TABLE", "COMMENT", "SEQUENCE", "SEQUENCE OWNED BY", "DEFAULT", "CONSTRAINT", "INDEX", "ACL"),
    ]
    assert (answer["rows"], answer["used"], answer["comment"]) == (False, True, "told")
    assert "VIEW" in kinds(ask("relation", "t", dump=True, cascade=True))
    # The role's own tables are its own without being given to it.
    assert not any("OWNER TO" in one["sql"] for one in answer["made"]["statements"])


def test_a_column_comes_with_its_index_and_check(ask: Callable[..., Any]) -> None:
    answer = ask("table column", "t", "N", dump=True)
    assert {"INDEX", "CHECK CONSTRAINT"} <= set(kinds(answer))
    assert "TABLE" not in kinds(answer)
    assert answer["columns"]['"N"']["not_null"]


def test_what_cascade_takes_of_others_is_named(ask: Callable[..., Any]) -> None:
    answer = ask("type", "mood", dump=True, cascade=True)
    assert kinds(answer)[0] == "TYPE"
    assert answer["made"]["columns"] == ["public.t.m"]


def test_names_are_found_where_the_script_looks(ask: Callable[..., Any]) -> None:
    assert ask("relation", "t")["identity"] == "public.t"
    there = ask("relation", "t", path=["Odd. one"])
    assert (there["identity"], there["rows"]) == ('"Odd. one".t', True)
    assert ask("relation", "Odd. one", "t")["identity"] == there["identity"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("relation", ["nope"]),
        ("relation", ["nope", "t"]),
        ("relation", ["x'; DROP TABLE t; --"]),
        ("type", ["nope"]),
        ("function", ["nope"]),
        ("table constraint", ["nope", "c"]),
        ("schema", ["nope"]),
        ("large object", ["x"]),
        ("routine of any arguments", ["nope"]),
    ],
)
def test_what_is_not_there_is_none(ask: Callable[..., Any], kind: str, names: list[str]) -> None:
    assert ask(kind, *names) is None


def test_the_module_answers_and_writes_nothing(runs: StepRuns) -> None:
    asking = runs.another("new_migration")
    answer = asking.must(
        "new_migration",
        questions=[{"type": "context", "names": []}, {"type": "relation", "names": ["notes"], "dump": True}],
        pg_bindir=runs.server.bindir,
    )
    assert not answer["changed"]
    assert answer["outputs"]["applied"] == ["001"]
    around, notes = answer["outputs"]["answers"]
    assert around["schemas"] == ["public"]
    assert (notes["identity"], notes["rows"]) == ("public.notes", True)
    assert runs.ask("SELECT to_regnamespace('runbook') IS NULL") == [(True,)]


def test_facts_of_a_relation_are_among_those_of_the_object(runs: StepRuns) -> None:
    with (
        contextlib.closing(connect(target(runs.server, runs.database))) as connection,
        transaction(connection) as cursor,
    ):
        address = find(cursor, {"type": "relation", "names": ["notes"]})
        assert address is not None
        facts = relation_facts(cursor, address[1])
        assert facts.items() <= object_facts(cursor, address).items()
        assert list(facts["columns"]) == ["id", "body"]


def test_what_a_sequence_numbers_and_whether_it_has(runs: StepRuns) -> None:
    # pg_monitor is in every server, and has no rights to it.
    runs.execute(
        "CREATE SEQUENCE fresh", "CREATE SEQUENCE begun", "GRANT USAGE ON SCHEMA public TO pg_monitor"
    )

    def facts(name: str, role: str = "NONE") -> dict[str, Any]:
        where = target(runs.server, runs.database)
        with contextlib.closing(connect(where)) as connection, transaction(connection) as cursor:
            cursor.execute("SELECT %s::regclass::oid::int", (f"public.{name}",))
            ((oid,),) = cursor.fetchall()
            cursor.execute(f"SET LOCAL ROLE {role}")
            found = relation_facts(cursor, oid)["sequence"]
            return {key: found[key] for key in ("numbered_table", "numbered_column", "used")}

    alone = {"numbered_table": None, "numbered_column": None}
    runs.execute("SELECT nextval('begun')")
    assert facts("notes_id_seq") == {"numbered_table": "public.notes", "numbered_column": "id", "used": True}
    assert facts("fresh") == {**alone, "used": False}
    assert facts("begun") == {**alone, "used": True}
    assert facts("fresh", "pg_monitor") == {**alone, "used": True}
