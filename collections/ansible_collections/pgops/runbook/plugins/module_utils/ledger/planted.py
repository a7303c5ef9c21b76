# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of versions and the runbook's own schemas run no code of others when a superuser writes them.

Whoever may create in a schema of the search_path can make that table before the runbook does, and whoever owns it, or
may make triggers on it, can hang a function on it at any time. So it is looked at before it is read: the planner calls
what is constant in the expressions of indexes and statistics. And again before each write, under a lock that keeps
everything of that kind away until the transaction has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import Refused
from ..postgres.application_tables import RUNBOOK_SCHEMAS
from ..postgres.code_of_others import TRIGGERS, calls, may_call, superuser_of_session
from ..postgres.connection import sql
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["refuse_planted_code", "refuse_planted_in_ledger"]

# With those that inherit from it, and those in which a row that goes takes or changes others; they are written with it.
# Before PostgreSQL 18 the AFTER triggers of these run as who has begun it, not as their owner (its release notes).
WRITTEN = """
    WITH RECURSIVE written (oid) AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s) AND c.relkind IN ('r', 'p') UNION
        SELECT next.oid FROM written w CROSS JOIN LATERAL (
            SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = w.oid UNION ALL
            SELECT conrelid FROM pg_catalog.pg_constraint
            WHERE contype = 'f' AND confrelid = w.oid
              AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))) AS next (oid))
    SELECT oid FROM written"""

NAMES = """
    SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%s::oid[]) AND c.relkind IN ('r', 'p') ORDER BY c.oid"""

# A view of one of our names would be somebody else's.
OURS = """
    SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""

# Only who owns a table can hang something on it that is called when it is read.
OURS_OF_OTHERS = f"""{OURS}
      AND NOT (SELECT o.rolsuper FROM pg_catalog.pg_roles o WHERE o.oid = c.relowner)"""

#: The rule that PostgreSQL makes of a view's query.
OF_A_VIEW = "_RETURN"

THESE = "SELECT unnest(%(tables)s::oid[])"

# What a rule does is any statement.
RULES = """
    SELECT 'rule', r.rulename::text, n.nspname::text, c.relname::text,
           'which ' || pg_catalog.pg_get_userbyid(c.relowner)::text || ' owns'
    FROM unnest(%s::oid[]) AS w (oid) JOIN pg_catalog.pg_rewrite r ON r.ev_class = w.oid
    JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE r.ev_enabled IN ('O', 'A') ORDER BY 3, 4, 2"""

# A type's owner can add a check to a domain, and a cast, at any time: no lock on the table keeps him from it.
TYPES = """
    SELECT 'column', a.attname::text, n.nspname::text, c.relname::text,
           'whose type is owned by ' || o.rolname::text
    FROM unnest(%s::oid[]) AS w (oid) JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_roles o ON o.oid = t.typowner
    JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attnum > 0 AND NOT a.attisdropped AND NOT o.rolsuper ORDER BY 3, 4, 2"""


def refuse_planted_code(cursor: Cursor, schema: str, names: Sequence[str], locks: bool) -> None:
    """
    Args:
        cursor: of a transaction, in our own turn.
        schema, names: the table of versions first, and those that are written with it.
        locks: whether to keep others from adding something until the transaction ends; with False it only reads.

    Raises:
        Refused: the role is a superuser, and writing a row there would call what somebody else has made.
    """
    superuser = superuser_of_session(cursor)
    if superuser is None:
        return
    values = {"schema": schema, "names": list(names)}
    tables = _lock(cursor, values) if locks else _tables(cursor, WRITTEN, values)
    if not may_call(cursor, tables):
        return
    planted = _hanging(cursor, TYPES, tables) + _hanging(cursor, RULES, tables)
    # Of a domain it is told already whose it is, and that is what has to change.
    planted += _called(cursor, tables, with_columns=not planted)
    what = "record a migration in" if locks else "read which migrations are applied from"
    _refuse(superuser, f"{what} {schema}.{names[0]}", planted)


def refuse_planted_in_ledger(cursor: Cursor, writes: bool = True) -> None:
    """Likewise of the runbook's own schemas, which somebody may have made before it, and may own.

    Args:
        writes: whether they will be written; else only what is called when they are read matters.

    Raises:
        Refused: as refuse_planted_code().
    """
    superuser = superuser_of_session(cursor)
    if superuser is None:
        return
    tables = _tables(cursor, OURS if writes else OURS_OF_OTHERS, {"schemas": list(RUNBOOK_SCHEMAS)})
    if not tables or not may_call(cursor, tables):
        return
    found = _hanging(cursor, RULES, tables) + _called(cursor, tables, with_columns=True)
    what = "write" if writes else "read"
    _refuse(superuser, f"{what} schemas {' and '.join(RUNBOOK_SCHEMAS)}", found)


def _refuse(superuser: str, what: str, planted: Sequence[tuple[str, str]]) -> None:
    if not planted:
        return
    commands = list(dict.fromkeys(how for _, how in planted if how))
    away = f"types: {listed(commands)}" if commands else "makes it anew without that, with its rows"
    raise Refused(
        "bookkeeping_runs_code",
        f"To {what} would run code of others with all rights of superuser {superuser}:"
        f" {listed([which for which, _ in planted])}. Nothing was written there. If nobody needs it, whoever owns the"
        f" table {away}; then type the same command again. If it is to stay, let the runbook connect as a role that is"
        " no superuser (db_user): ansible-playbook playbooks/bootstrap_roles.yml -e bootstrap_roles_admin=<superuser>",
    )


def _tables(cursor: Cursor, query: str, values: Mapping[str, object]) -> list[int]:
    cursor.execute(query, values)
    return [oid for (oid,) in cursor.fetchall()]


def _lock(cursor: Cursor, values: Mapping[str, object]) -> list[int]:
    """Others may write still: this conflicts with what CREATE TRIGGER, INDEX, RULE, INHERITS and ALTER TABLE take.

    PostgreSQL manual, "Explicit Locking".

    Returns:
        OIDs of what is WRITTEN, all of them locked.
    """
    locked: set[int] = set()
    # What inherits from a table, or hangs on it by a foreign key, may have come before its lock.
    while not locked.issuperset(tables := _tables(cursor, WRITTEN, values)):
        cursor.execute(NAMES, (tables,))
        for name in cursor.fetchall():
            cursor.execute(
                sql.SQL("LOCK TABLE ONLY {} IN SHARE UPDATE EXCLUSIVE MODE").format(sql.Identifier(*name))
            )
        locked.update(tables)
    return tables


def _hanging(cursor: Cursor, query: str, tables: Sequence[int]) -> list[tuple[str, str]]:
    """(what runs whose code, the statement that takes it away) of each rule, or column of somebody's type."""
    cursor.execute(query, (list(tables),))
    return [
        (f"{kind} {name} of {schema}.{table}, {whose}", _taken_away(cursor, kind, name, schema, table))
        for kind, name, schema, table, whose in cursor.fetchall()
    ]


def _called(cursor: Cursor, tables: Sequence[int], with_columns: bool) -> list[tuple[str, str]]:
    """Likewise, of what calls a function."""
    return [
        (
            f"{one.where()} calls {one.what()}",
            _taken_away(cursor, one.kind, one.name, one.schema, one.table),
        )
        for one in calls(cursor, THESE, {"tables": list(tables)}, TRIGGERS)
        if with_columns or one.name is not None
    ]


def _taken_away(cursor: Cursor, kind: str, name: str | None, schema: str | None, table: str | None) -> str:
    """The statement that takes away what hangs on a table; none for its partition key, which would take the rows."""
    of_table = sql.Identifier(schema or "", table or "")
    if name is None:
        return ""
    if kind == "statistics":
        return f"DROP STATISTICS {name}"
    statement = {
        "trigger": "DROP TRIGGER {name} ON {table}",
        "rule": "DROP VIEW {table}" if name == OF_A_VIEW else "DROP RULE {name} ON {table}",
        "index": "DROP INDEX {index}",
        "default": "ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT",
        "generated column": "ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION",
        "column": "ALTER TABLE {table} ALTER COLUMN {name} TYPE text",
    }.get(kind, "ALTER TABLE {table} DROP CONSTRAINT {name}")
    parts = {
        "name": sql.Identifier(name),
        "table": of_table,
        "index": sql.Identifier(schema or "", name),
    }
    used = {key: part for key, part in parts.items() if f"{{{key}}}" in statement}
    return sql.SQL(statement).format(**used).as_string(cursor)
