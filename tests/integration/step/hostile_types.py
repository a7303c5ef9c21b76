# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Types that a role without special rights makes, with casts and operators of its own, and tables that have them.

A cast is found by the types that it converts, whatever search_path is; whoever writes ``value::text`` calls it, and
where it is implicit so does whoever compares two values or turns them into JSON.
"""

from __future__ import annotations

from tests.integration.step.hostile import MARK

__all__ = ["TABLES", "TYPES", "casts_of", "operators_of", "types_and_casts"]

#: Which kinds of types there are, and when their casts are called.
TYPES = {
    "mood": "AS ENUM ('a', 'b', 'c')",
    "shade": "AS ENUM ('a', 'b', 'c')",
    "pair": "AS (x pg_catalog.int4, y pg_catalog.text)",
    "span": "AS RANGE (subtype = pg_catalog.int4, multirange_type_name = {schema}.spans)",
}
WHEN = {
    "mood": "IMPLICIT",
    "shade": "ASSIGNMENT",
    "pair": "IMPLICIT",
    "span": "IMPLICIT",
    "spans": "ASSIGNMENT",
    "mood[]": "IMPLICIT",
    "shade[]": "ASSIGNMENT",
}
DOMAINS = {"dom": "mood", "tint": "shade"}

#: One implicit cast makes an operator or a function of PostgreSQL's fit; two make it ambiguous, and nothing is called.
TO = ("text", "json", "jsonb", "int4", "int8", "varchar", "timestamptz", "text[]")
COMPARABLE = ("text", "jsonb", "int4", "int8", "timestamptz", "text[]")

#: Of an application that has used the types since long.
TABLES = (
    "CREATE TABLE app.moods (m app.mood PRIMARY KEY, d app.dom, t app.tint, s app.shade, p app.pair, r app.span,"
    " rs app.spans, ms app.mood[], ss app.shade[], note pg_catalog.text)",
    "INSERT INTO app.moods SELECT m, m, 'a', 'b', '(1,x)', '[1,3)', '{[1,3)}', '{a,b}', '{b,c}', 'one'"
    " FROM (VALUES ('a'::app.mood), ('b')) AS v (m)",
)


def types_and_casts(schema: str) -> list[str]:
    """Statements that make the types, and all casts and operators that their owner can make."""
    made = [f"CREATE TYPE {schema}.{name} {text.format(schema=schema)}" for name, text in TYPES.items()]
    made += [f"CREATE DOMAIN {schema}.{name} AS {schema}.{of}" for name, of in DOMAINS.items()]
    for name in WHEN:
        made += [*casts_of(schema, name), *operators_of(schema, name)]
    return [*made, *_between(schema, "mood", "shade"), *_between(schema, "mood[]", "shade[]")]


def casts_of(schema: str, name: str) -> list[str]:
    """Casts of a type to and from those of PostgreSQL."""
    made: list[str] = []
    for other in TO:
        # Of those that make an operator fit only the first is implicit.
        when = "ASSIGNMENT" if other in COMPARABLE[1:] else WHEN[name]
        made += _cast(schema, f"{schema}.{name}", f"pg_catalog.{other}", when)
        made += _cast(schema, f"pg_catalog.{other}", f"{schema}.{name}", WHEN[name])
    return made


def _between(schema: str, one: str, other: str) -> list[str]:
    return [
        *_cast(schema, f"{schema}.{one}", f"{schema}.{other}", "IMPLICIT"),
        *_cast(schema, f"{schema}.{other}", f"{schema}.{one}", "ASSIGNMENT"),
    ]


def _cast(schema: str, source: str, target: str, when: str) -> list[str]:
    function = f'{schema}."cast {source} {target}"'
    return [
        _function(function, source, target, f"cast {source} as {target}"),
        f"CREATE CAST ({source} AS {target}) WITH FUNCTION {function}({source}) AS {when}",
    ]


def operators_of(schema: str, name: str) -> list[str]:
    """Operators on a type, in a schema that may be in the search_path."""
    whole = f"{schema}.{name}"
    made = []
    for sign in ("=", "<>", "<", ">"):
        function = f'{schema}."operator {sign} {name}"'
        made += [
            _function(function, f"{whole}, {whole}", "pg_catalog.bool", f"{whole} {sign} {whole}"),
            f"CREATE OPERATOR {schema}.{sign} (LEFTARG = {whole}, RIGHTARG = {whole}, FUNCTION = {function})",
        ]
    return made


def _function(name: str, arguments: str, returns: str, shown: str) -> str:
    return (
        f"CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS"
        f" $planted$ BEGIN RAISE LOG '{MARK}{shown}'; RAISE EXCEPTION '{MARK}{shown}'; END $planted$"
    )
