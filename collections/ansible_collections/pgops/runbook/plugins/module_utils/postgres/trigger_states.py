# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which triggers of constraints are switched off: ALTER TABLE ... DISABLE TRIGGER ALL, which no dump carries over.

The triggers of a foreign key, and that of a unique constraint which is checked late, have names with a number that
another database does not have. So each is known by its table, by the constraint that somebody has made (PostgreSQL
makes those of partitions) and by what it calls when.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..shapes import Cursor
from .application_tables import APPLICATION_AND_RUNBOOK, RELATIONS, TABLES, of_application
from .connection import sql
from .triggers import ENABLE

__all__ = ["read_trigger_states", "set_trigger_states", "states_not_alike"]

# A state is a list of these, as JSON has it, and ENABLED, FIRES or not (manual, pg_trigger, tgenabled).
STATES = f"""
    WITH RECURSIVE made (oid, root) AS (
        SELECT k.oid, k.oid FROM pg_catalog.pg_constraint k WHERE k.conparentid = 0
        UNION ALL SELECT k.oid, made.root FROM pg_catalog.pg_constraint k JOIN made ON k.conparentid = made.oid)
    SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
           pg_catalog.quote_ident(rn.nspname) || '.' || pg_catalog.quote_ident(rc.relname) || '.'
               || pg_catalog.quote_ident(root.conname),
           coalesce(pg_catalog.quote_ident(o.nspname) || '.' || pg_catalog.quote_ident(oc.relname), ''),
           p.proname::text, t.tgtype::int, t.tgenabled::text, n.nspname::text, c.relname::text, t.tgname::text
    FROM {RELATIONS}
    JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgisinternal
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    JOIN made ON made.oid = t.tgconstraint
    JOIN pg_catalog.pg_constraint root ON root.oid = made.root
    JOIN pg_catalog.pg_class rc ON rc.oid = root.conrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = rc.relnamespace
    LEFT JOIN pg_catalog.pg_class oc ON oc.oid = t.tgconstrrelid
    LEFT JOIN pg_catalog.pg_namespace o ON o.oid = oc.relnamespace
    WHERE {of_application(TABLES, APPLICATION_AND_RUNBOOK)}
      AND (t.tgenabled <> 'O' OR c.oid = ANY (%s::regclass[]::oid[]))
    ORDER BY 1, 2, 3, 4, 5"""

ENABLED = {"O": "enabled", "D": "disabled", "R": "enabled for replicas only", "A": "always enabled"}


def read_trigger_states(cursor: Cursor) -> list[list[Any]]:
    """What is not as a new constraint has it.

    Returns:
        lists of [table, constraint with its table, other table of a foreign key, function, type, state], JSON-able.
    """
    cursor.execute(STATES, ([],))
    return [[*key, state] for *key, state, _, _, _ in cursor.fetchall()]


def set_trigger_states(cursor: Cursor, states: Sequence[Sequence[Any]]) -> None:
    """Give the triggers of a restored database the states that they had in the original; only a superuser may.

    Args:
        cursor: of a transaction in it.
        states: see read_trigger_states().
    """
    cursor.execute("SELECT pg_catalog.current_setting('is_superuser')::boolean")
    (is_superuser,) = cursor.fetchone() or (False,)
    if not states or not is_superuser:
        return
    wanted = _by_key(states)
    cursor.execute(STATES, (sorted({one[0] for one in states}),))
    for *key, _, schema, relation, name in cursor.fetchall():
        state = wanted.get(tuple(key))
        if state is not None:
            # Of a partitioned table alone: each partition has a state of its own.
            action = sql.SQL("ALTER TABLE ONLY {} {} TRIGGER {}")
            what = sql.SQL("DISABLE" if state == "D" else ENABLE[state])
            cursor.execute(action.format(sql.Identifier(schema, relation), what, sql.Identifier(name)))


def states_not_alike(original: Iterable[Sequence[Any]], restored: Iterable[Sequence[Any]]) -> list[str]:
    """How the two results of read_trigger_states() differ, a constraint and its table a line."""
    before, after = _by_key(original), _by_key(restored)
    lines = {}
    for key in sorted(before.keys() | after.keys()):
        was, is_ = before.get(key, "O"), after.get(key, "O")
        if was != is_:
            table, constraint = key[0], key[1]
            lines[table, constraint] = (
                f"triggers of constraint {constraint} on {table} were {ENABLED[was]}, are {ENABLED[is_]}"
            )
    return list(lines.values())


def _by_key(states: Iterable[Sequence[Any]]) -> dict[tuple[Any, ...], str]:
    return {tuple(key): state for *key, state in states}
