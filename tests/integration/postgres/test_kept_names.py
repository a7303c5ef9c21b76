# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that were kept: what somebody has written in their place becomes no part of a statement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.bisect import NotTaken
from ansible_collections.pgops.runbook.plugins.module_utils.postgres.kept_names import (
    kept_table,
    name_in,
    object_of_application,
)

from demo.local_server import LocalServer
from tests.integration.step_runs import StepRuns

MADE = """
    CREATE SCHEMA "My App"; CREATE TYPE "My App"."a, b" AS ENUM ('x'); CREATE DOMAIN "My App".d AS int;
    CREATE TABLE "My App"."od""d" (a "My App"."a, b"); CREATE SEQUENCE "My App".s;
    CREATE FUNCTION "My App".f(int, "My App"."a, b"[], VARIADIC text[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE PROCEDURE "My App".p() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE "My App".g(int) (SFUNC = int4pl, STYPE = int)"""

THERE = [
    ("TABLE", '"My App"."od""d"', '"My App"."od""d"'),
    ("SEQUENCE", '"My App".s', '"My App"."s"'),
    (
        "FUNCTION",
        '"My App".f(integer,"My App"."a, b"[],text[])',
        '"My App"."f"(integer, "My App"."a, b"[], text[])',
    ),
    ("PROCEDURE", '"My App".p()', '"My App"."p"()'),
    ("FUNCTION", '"My App".g(integer)', '"My App"."g"(integer)'),
    ("TYPE", '"My App"."a, b"', '"My App"."a, b"'),
    ("DOMAIN", '"My App".d', '"My App"."d"'),
    ("SCHEMA", '"My App"', '"My App"'),
    ("LANGUAGE", "plpgsql", '"plpgsql"'),
]

NOT_OURS = [
    ("TABLE", "public.notes TO clerk; ALTER ROLE clerk SUPERUSER; --"),
    ("TABLE", "pg_catalog.pg_authid"),
    ("TABLE", "pg_authid"),
    ("TABLE", "runbook.receipt"),
    ("TABLE", "public.gone"),
    ("SEQUENCE", "1"),
    ("FUNCTION", "pg_catalog.pg_read_file(text)"),
    ("FUNCTION", "public.f() TO clerk; --"),
    ("TYPE", "pg_catalog.int4"),
    ("TYPE", "public.t; DROP TABLE notes"),
    ("SCHEMA", "pg_catalog"),
    ("SCHEMA", "public TO clerk; --"),
    ("SCHEMA", "public, runbook"),
    ("LANGUAGE", "plpgsql TO clerk"),
    ("FOREIGN SERVER", "a.b"),
]


@pytest.fixture
def cursor(server: LocalServer, database: str) -> Iterator[Any]:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as one:
        yield one


@pytest.mark.parametrize(("kind", "identity", "written"), THERE)
def test_what_is_there_is_written_as_the_catalog_has_it(
    cursor: Any, kind: str, identity: str, written: str
) -> None:
    cursor.execute(MADE)
    found = object_of_application(cursor, kind, identity).as_string(cursor)
    assert found == written
    cursor.execute(f"REVOKE ALL ON {kind} {found} FROM PUBLIC")


@pytest.mark.parametrize(("kind", "identity"), NOT_OURS)
def test_nothing_else_is_taken(cursor: Any, kind: str, identity: str) -> None:
    cursor.execute("CREATE SCHEMA runbook; CREATE TABLE runbook.receipt (); CREATE TABLE public.notes ()")
    with pytest.raises(NotTaken):
        object_of_application(cursor, kind, identity)
    cursor.execute("SELECT 1")  # the transaction is as before


def test_a_column_is_one_name(cursor: Any) -> None:
    assert name_in(cursor, '"a b"').as_string(cursor) == '"a b"'
    with pytest.raises(NotTaken):
        name_in(cursor, "a), b (c")


def test_rows_go_back_to_tables_of_the_application_alone(cursor: Any) -> None:
    cursor.execute("CREATE TABLE public.notes (id int)")
    assert kept_table(cursor, ("public", "notes")) is not None
    assert kept_table(cursor, ("pg_catalog", "pg_authid")) is None


PLANT = """
    INSERT INTO runbook_salvage.manifest (run_id, migration, kind, columns, key_columns, facts, rows)
    SELECT run_id, '002', 'privileges', '{{}}', '{{}}', jsonb_build_object('object', $x${}$x$, 'granted',
           array['clerk={}/' || current_user], 'revoked', '{{}}'::text[]), 1
    FROM runbook_salvage.manifest WHERE item = 1"""


def test_an_item_that_somebody_has_planted_gives_nobody_anything(runs: StepRuns) -> None:
    """Whoever owns the schemas may write into them; a superuser's deploy puts it back."""
    runs.deploy()
    runs.execute("UPDATE notes SET author = 'ada'")
    runs.another("emergency_rollback").roll_back()
    runs.execute("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk")
    for name, letter in (
        ("table public.notes TO clerk; ALTER ROLE clerk SUPERUSER; --", "r"),
        ("column public.notes.id) ON notes TO clerk; ALTER ROLE clerk SUPERUSER; --", "r"),
        ("function pg_catalog.pg_read_file(text)", "X"),
    ):
        runs.execute(PLANT.format(name, letter))
    runs.another().deploy()
    assert runs.ask("SELECT rolsuper FROM pg_roles WHERE rolname = 'clerk'") == [(False,)]
    assert runs.ask("SELECT has_function_privilege('clerk', 'pg_read_file(text)', 'EXECUTE')") == [(False,)]
    assert runs.ask("SELECT count(author) FROM notes") == [(3,)]
    runs.execute("DROP ROLE clerk")
