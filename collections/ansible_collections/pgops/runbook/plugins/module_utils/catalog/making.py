# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One definition of the catalog made anew from its own text, beside the object that has it, and undone.

Everything is made in pg_temp: an expression as the column of a view of its table, a statement on an empty table like
its own. No row is read, and no lock is taken that anybody has to wait for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import known
from ..postgres.answers import one_row
from ..postgres.connection import psycopg2
from ..shapes import Cursor
from .difference import without_last_name
from .scratch import NAME, PLACE, NotMade, expression, like, send, view

__all__ = ["made_anew", "may_be_nothing"]

_IDENTIFIER = r'(?:"(?:[^"]|"")*"|[^\s."(]+)'
_TABLE = rf"{_IDENTIFIER}\.{_IDENTIFIER}"
# What PostgreSQL deparses around an expression or before a table (manual, "System Catalog Information Functions").
_CHECK = re.compile(r"CHECK (\(.*\))((?: NO INHERIT| NOT VALID| NOT ENFORCED)*)", re.DOTALL)
_INDEX = re.compile(
    rf"(CREATE (?:UNIQUE )?INDEX ){_IDENTIFIER} ON (?:ONLY )?({_TABLE})( USING .*)", re.DOTALL
)
_PARTIAL_INDEX = re.compile(
    rf"(CREATE (?:UNIQUE )?INDEX {_IDENTIFIER} ON (?:ONLY )?({_TABLE}) USING .*?\)) WHERE (\(.*\))", re.DOTALL
)
_TRIGGER = re.compile(r"(.* )WHEN (\(.*\)) (EXECUTE FUNCTION .*)", re.DOTALL)
_STATISTICS = re.compile(rf"CREATE STATISTICS {_TABLE}(.*) FROM ({_TABLE})", re.DOTALL)


def made_anew(cursor: Cursor, key: str, fact: str, value: Any) -> list[str | None]:
    """What PostgreSQL writes of a definition that it has made from its own text.

    Texts of the same key and fact can be compared, and no others: names of temporary objects are in them.

    Args:
        cursor: in a transaction of a pinned session (see session.py); what is made is undone.
        key, fact, value: of a catalog as read_catalog() returns it.

    Returns:
        a text for each way to make it, or None where it cannot be made that way; empty where it is no definition.

    Raises:
        psycopg2.OperationalError: the connection was lost, or a statement cancelled.
    """
    noun = next((one for one in _NOUNS_OF_TWO_WORDS if key.startswith(f"{one} ")), key.partition(" ")[0])
    return [_made(cursor, make, key[len(noun) + 1 :], value) for make in _MAKERS.get((noun, fact), ())]


def may_be_nothing(key: str, fact: str) -> bool:
    """Whether PostgreSQL may write a definition where there is none: of a column that its parent gives a default.

    To keep it without one a dump says DEFAULT NULL (pg_dump.c, "Attribute default"), which is stored as a cast of NULL
    where the type has a length.
    """
    return (key.partition(" ")[0], fact) == ("column", "default")


_Make = Callable[[Cursor, str, Any], str]

_NOUNS_OF_TWO_WORDS = ("column order", "materialized view", "publication relation")


def _made(cursor: Cursor, make: _Make, identity: str, value: Any) -> str | None:
    cursor.execute(f"SAVEPOINT {NAME}")
    try:
        # Those of the application note or forbid what people change (from PostgreSQL 17, and for superusers only).
        cursor.execute(
            "SELECT set_config('event_triggers', 'off', true) FROM pg_settings WHERE name = 'event_triggers'"
            " AND current_setting('is_superuser')::boolean"
        )
        return make(cursor, identity, value)
    except NotMade:
        return None
    except _errors_of_the_text():
        return None
    finally:
        if not cursor.connection.closed:
            cursor.execute(f"ROLLBACK TO SAVEPOINT {NAME}; RELEASE SAVEPOINT {NAME}")


def _errors_of_the_text() -> tuple[type[Exception], ...]:
    """What a text is refused with that cannot be made by itself: no proof. Not connections lost, nor waits ended."""
    return (
        psycopg2.ProgrammingError,
        psycopg2.DataError,
        psycopg2.NotSupportedError,
        psycopg2.InternalError,
    )


def _definition_of_view(cursor: Cursor, identity: str, value: str) -> str:
    return view(cursor, value)


def _alone(cursor: Cursor, identity: str, value: str) -> str:
    return expression(cursor, value)


def _of_part(cursor: Cursor, identity: str, value: str | None) -> str:
    if value is None:
        raise NotMade
    return expression(cursor, value, f"FROM {without_last_name(identity)}")


def _default(cursor: Cursor, identity: str, value: str | None) -> str:
    """The default of a column of the same type, in a table of its own; none is written as a dump writes it."""
    table = without_last_name(identity)
    cursor.execute(
        "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        # NULL is another thing there than no default: the domain may have one.
        " WHERE a.attrelid = to_regclass(%s) AND quote_ident(a.attname) = %s AND t.typtype <> 'd'"
        " AND a.attgenerated = '' AND NOT a.attisdropped",
        (table, identity[len(table) + 1 :]),
    )
    row = cursor.fetchone()
    if row is None:
        raise NotMade
    send(cursor, f"CREATE TABLE {PLACE} (made {row[0]} DEFAULT {'NULL' if value is None else value})")
    cursor.execute(
        f"SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = '{PLACE}'::regclass"
        " UNION ALL SELECT 'none' LIMIT 1"
    )
    return one_row(cursor)[0]


def _of_publication(cursor: Cursor, identity: str, value: str) -> str:
    return expression(cursor, value, f"FROM {identity.rsplit(' in publication ', 1)[0]}")


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise NotMade
    return found


def _constraint(cursor: Cursor, identity: str, value: str) -> str:
    owner = without_last_name(identity)
    cursor.execute("SELECT to_regclass(%s) IS NULL", (owner,))
    (of_domain,) = one_row(cursor)
    if of_domain:
        return _constraint_of_domain(cursor, owner, value)
    if value.startswith("EXCLUDE "):
        like(cursor, owner)
        send(cursor, f"ALTER TABLE {PLACE} ADD CONSTRAINT made {value}")
        return _added_constraint(cursor, "conrelid", "regclass")
    check = _matched(_CHECK, value)
    return expression(cursor, check[1], f"FROM {owner}") + check[2]


def _constraint_of_domain(cursor: Cursor, domain: str, value: str) -> str:
    cursor.execute(
        "SELECT format_type(t.typbasetype, t.typtypmod), i.identity FROM pg_type t LEFT JOIN LATERAL"
        " pg_identify_object('pg_collation'::regclass, nullif(t.typcollation, 0), 0) AS i ON t.typcollation <> 0"
        " WHERE t.oid = to_regtype(%s)",
        (domain,),
    )
    base, collation = one_row(cursor)
    send(cursor, f"CREATE DOMAIN {PLACE} AS {base}" + (f" COLLATE {collation}" if collation else ""))
    send(cursor, f"ALTER DOMAIN {PLACE} ADD CONSTRAINT made {value}")
    return _added_constraint(cursor, "contypid", "regtype")


def _added_constraint(cursor: Cursor, column: str, kind: str) -> str:
    cursor.execute(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE {column} = '{PLACE}'::{kind} AND conname = 'made'"
    )
    return one_row(cursor)[0]


def _index(cursor: Cursor, identity: str, value: str) -> str:
    beginning, table, end = _matched(_INDEX, value).groups()
    like(cursor, table)
    send(cursor, f"{beginning}made ON {PLACE}{end}")
    cursor.execute("SELECT pg_get_indexdef('pg_temp.made'::regclass)")
    return one_row(cursor)[0]


def _predicate(cursor: Cursor, identity: str, value: str) -> str:
    """Only this takes the whole row of its own table, which the row of one like it is not."""
    beginning, table, predicate = _matched(_PARTIAL_INDEX, value).groups()
    return f"{beginning} {expression(cursor, predicate, f'FROM {table}')}"


def _statistics(cursor: Cursor, identity: str, value: str) -> str:
    middle, table = _matched(_STATISTICS, value).groups()
    like(cursor, table)
    send(cursor, f"CREATE STATISTICS pg_temp.made{middle} FROM {PLACE}")
    cursor.execute(
        f"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = '{PLACE}'::regclass"
    )
    return one_row(cursor)[0]


def _trigger(cursor: Cursor, identity: str, value: str) -> str:
    beginning, condition, end = _matched(_TRIGGER, value).groups()
    table = without_last_name(identity)
    return beginning + expression(cursor, condition, f"FROM {table} AS old, {table} AS new") + end


def _rule(cursor: Cursor, identity: str, value: str) -> str:
    table = without_last_name(identity)
    # After its name, which may hold anything.
    start = value.index(identity[len(table) + 1 :]) + len(identity) - len(table) - 1
    event, on, end = value[start:].partition(f" TO {table}")
    if not on:
        raise NotMade
    like(cursor, table)
    send(cursor, f"{value[:start]}{event} TO {PLACE}{end}")
    cursor.execute(f"SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = '{PLACE}'::regclass")
    return one_row(cursor)[0]


def _partition_key(cursor: Cursor, identity: str, value: str) -> str:
    like(cursor, identity, f"PARTITION BY {value}")
    cursor.execute(f"SELECT pg_get_partkeydef('{PLACE}'::regclass)")
    return one_row(cursor)[0]


def _arguments(cursor: Cursor, identity: str, value: str) -> str:
    # Bodies are not looked at: one in text may name what only its own settings find.
    return _function(cursor, identity, value, "AS 'SELECT NULL'")[0]


def _body(cursor: Cursor, identity: str, value: str) -> str:
    return known(_function(cursor, identity, None, value)[1], "the body of a function")


def _function(cursor: Cursor, identity: str, arguments: str | None, body: str) -> tuple[str, str | None]:
    cursor.execute("SET LOCAL check_function_bodies = off")
    cursor.execute(
        "SELECT quote_ident(proname), prokind::text, pg_get_function_arguments(oid), pg_get_function_result(oid)"
        " FROM pg_proc WHERE oid = to_regprocedure(%s)",
        (identity,),
    )
    name, kind, own_arguments, result = one_row(cursor)
    given = own_arguments if arguments is None else arguments
    what = "PROCEDURE" if kind == "p" else "FUNCTION"
    returns = f" RETURNS {result}" if result else ""
    # Under its own name, by which a body calls its arguments.
    send(cursor, f"CREATE {what} pg_temp.{name}({given}){returns} LANGUAGE sql {body}")
    cursor.execute(
        "SELECT pg_get_function_arguments(oid), pg_get_function_sqlbody(oid) FROM pg_proc"
        " WHERE quote_ident(proname) = %s AND pronamespace = pg_my_temp_schema()",
        (name,),
    )
    return one_row(cursor)


def _column_order(cursor: Cursor, identity: str, value: list[str]) -> str:
    """As pg_dump makes a table that inherits: its own columns in their order, and those of its parents before them."""
    cursor.execute(
        "SELECT i.inhparent::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhrelid = to_regclass(%s) AND NOT c.relispartition ORDER BY i.inhseqno",
        (identity,),
    )
    parents = [name for (name,) in cursor.fetchall()]
    if not parents:
        raise NotMade
    cursor.execute(
        "SELECT quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), i.identity"
        " FROM pg_attribute a LEFT JOIN LATERAL pg_identify_object('pg_collation'::regclass, a.attcollation, 0) AS i"
        " ON a.attcollation <> 0 WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND a.attislocal"
        " AND NOT a.attisdropped",
        (identity,),
    )
    own = {
        name: f"{name} {kind}" + (f" COLLATE {collation}" if collation else "")
        for name, kind, collation in cursor.fetchall()
    }
    for number, parent in enumerate(parents):
        send(cursor, f"CREATE TABLE pg_temp.parent_{number} (LIKE {parent})")
    columns = ", ".join(own[name] for name in value if name in own)
    inherits = ", ".join(f"pg_temp.parent_{number}" for number in range(len(parents)))
    send(cursor, f"CREATE TABLE {PLACE} ({columns}) INHERITS ({inherits})")
    cursor.execute(
        f"SELECT array_agg(attname::text ORDER BY attnum)::text FROM pg_attribute WHERE attrelid = '{PLACE}'::regclass"
        " AND attnum > 0"
    )
    return one_row(cursor)[0]


_MAKERS: Mapping[tuple[str, str], tuple[_Make, ...]] = {
    ("view", "definition"): (_definition_of_view,),
    ("materialized view", "definition"): (_definition_of_view,),
    ("column", "default"): (_of_part, _default),
    ("domain", "default"): (_alone,),
    ("type", "default"): (_alone,),
    ("constraint", "definition"): (_constraint,),
    ("index", "definition"): (_index, _predicate),
    ("statistics", "definition"): (_statistics,),
    ("trigger", "definition"): (_trigger,),
    ("rule", "definition"): (_rule,),
    ("policy", "using"): (_of_part,),
    ("policy", "with check"): (_of_part,),
    ("publication relation", "where"): (_of_publication,),
    ("table", "partition key"): (_partition_key,),
    ("function", "arguments"): (_arguments,),
    ("procedure", "arguments"): (_arguments,),
    ("function", "sql body"): (_body,),
    ("procedure", "sql body"): (_body,),
    ("column order", "columns"): (_column_order,),
}
