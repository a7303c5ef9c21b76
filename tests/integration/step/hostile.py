# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a role plants that may create in schemas which the database's search_path has before pg_catalog.

With pg_catalog last in the path each function, operator and type of the same name and signature is found before that
of PostgreSQL; whoever calls one of them without a schema, in a session with that path, runs code of the planter.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor

from tests.integration.step_runs import StepRuns

__all__ = ["MARK", "PLANTER", "calls", "names_in_sql", "plant", "remove_planter"]

PLANTER = "planter"
#: In the server's log, which no ROLLBACK undoes.
MARK = "called what was planted: "

MODULE_UTILS = (
    Path(__file__).resolve().parents[3] / "collections/ansible_collections/pgops/runbook/plugins/module_utils"
)

#: Arguments that a function in PL/pgSQL cannot have.
FORBIDDEN = {"internal", "cstring", "any", "trigger", "event_trigger", "record"}

FUNCTIONS = """
    SELECT DISTINCT p.proname::pg_catalog.text,
           pg_catalog.array_to_string(ARRAY(SELECT pg_catalog.format_type(t, NULL)
                                            FROM pg_catalog.unnest(p.proargtypes) AS t), ', ')
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
      AND p.proname = ANY (%s)
      AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proargtypes) AS t
                      WHERE pg_catalog.replace(pg_catalog.format_type(t, NULL), '"', '') = ANY (%s))"""

#: Those that take anything are called with these, and an exact match goes before one with VARIADIC "any".
VARIADIC = """
    SELECT DISTINCT p.proname::pg_catalog.text FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace AND p.proname = ANY (%s)
      AND 'pg_catalog."any"'::pg_catalog.regtype = ANY (p.proargtypes)"""

OPERATORS = """
    SELECT o.oprname::pg_catalog.text, pg_catalog.format_type(NULLIF(o.oprleft, 0), NULL),
           pg_catalog.format_type(o.oprright, NULL)
    FROM pg_catalog.pg_operator o WHERE o.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid IN (o.oprleft, o.oprright)
                      AND (t.typcategory IN ('G', 'R', 'V', 'I') OR t.typname ~ '^(ts|money|macaddr|timetz)'))"""

TYPES = (
    "text name oid json jsonb regclass regtype regnamespace regproc regrole timestamptz timestamp date time uuid bytea"
    " int2 int4 int8 float4 float8 numeric bool varchar bpchar interval xid xid8 pg_lsn tid inet"
)


def names_in_sql() -> set[str]:
    """Every name that a string of the code on the target has before a parenthesis."""
    found: set[str] = set()
    for path in MODULE_UTILS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"\b([a-z_][a-z_0-9]*)\s*\(", node.value))
                found.update(re.findall(r"\b(to_reg[a-z]*|pg_get_[a-z]*)", node.value))
    return found


def plant(runs: StepRuns, schema: str, more: Sequence[str] = ()) -> int:
    """As role PLANTER, which may create in the schema, after the statements ``more``; returns how many things were."""
    names = sorted(names_in_sql())
    functions = set(_ask(runs, FUNCTIONS, (names, [*FORBIDDEN])))
    for (name,) in _ask(runs, VARIADIC, (names,)):
        functions |= {(name, ", ".join(["pg_catalog.text"] * number)) for number in range(6)}
        functions |= {(name, "pg_catalog.anyelement")}
    statements = [
        _function(f'{schema}."{name}"', arguments, f"{name}({arguments})")
        for name, arguments in sorted(functions)
    ]
    for number, (name, left, right) in enumerate(_ask(runs, OPERATORS)):
        arguments = ", ".join(filter(None, (left, right)))
        if not FORBIDDEN & set(arguments.replace('"', "").split(", ")):
            statements += _operator(schema, number, name, left, right, arguments)
    for name in TYPES.split():
        statements += _type(schema, name)
    runs.execute(
        f"DO $$ BEGIN CREATE ROLE {PLANTER}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {PLANTER}",
    )
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {PLANTER}; SET search_path = pg_catalog")
        for statement in more:
            cursor.execute(statement)
        planted = sum(_planted(cursor, statement) for statement in statements)
        connection.commit()
    return planted


def _planted(cursor: Cursor, statement: str) -> bool:
    """False of a name that PostgreSQL's grammar has for itself, and of a signature that is there by now."""
    cursor.execute("SAVEPOINT one")
    try:
        cursor.execute(statement)
    except (psycopg2.errors.SyntaxError, psycopg2.errors.DuplicateFunction):
        cursor.execute("ROLLBACK TO SAVEPOINT one")
        return False
    cursor.execute("RELEASE SAVEPOINT one")
    return True


def _function(name: str, arguments: str, shown: str, returns: str = "pg_catalog.text") -> str:
    text = "'" + f"{MARK}{shown}".replace("'", "''").replace("%", "%%") + "'"
    return (
        f"CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS"
        f" $planted$ BEGIN RAISE LOG {text}; RAISE EXCEPTION {text}; END $planted$"
    )


def _operator(schema: str, number: int, name: str, left: str, right: str, arguments: str) -> list[str]:
    function = f"{schema}.planted_{number}"
    sides = f"LEFTARG = {left}, " if left else ""
    return [
        _function(function, arguments, f"{left} {name} {right}", "pg_catalog.bool"),
        f"CREATE OPERATOR {schema}.{name} ({sides}RIGHTARG = {right}, FUNCTION = {function})",
    ]


def _type(schema: str, name: str) -> list[str]:
    function = f"{schema}.planted_{name}"
    return [
        _function(function, f"pg_catalog.{name}", f"type {name}", "pg_catalog.bool"),
        f'CREATE DOMAIN {schema}."{name}" AS pg_catalog.{name} CHECK ({function}(VALUE))',
    ]


def calls(runs: StepRuns, since: int) -> list[str]:
    """What was called of it, by the server's log from byte ``since`` on."""
    text = runs.server.log.read_bytes()[since:].decode(errors="replace")
    return sorted({line.split(MARK, 1)[1] for line in text.splitlines() if MARK in line})


def remove_planter(admin: StepRuns) -> None:
    """When the database in which it has planted is gone."""
    admin.execute(f"DROP OWNED BY {PLANTER}", f"DROP ROLE {PLANTER}")


def _ask(runs: StepRuns, query: str, parameters: tuple | None = None) -> list[tuple]:
    with contextlib.closing(runs.server.connect(runs.database)) as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()
