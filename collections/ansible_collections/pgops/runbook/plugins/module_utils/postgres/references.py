# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables in the order of their foreign keys; those that refer to each other in a ring belong together."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from ..shapes import Cursor, Json
from .connection import sql

__all__ = ["checked_at_the_end", "foreign_keys", "parents_first"]

T = TypeVar("T", str, tuple[str, str])  # how a table is named

FOREIGN_KEYS = """
    SELECT n.nspname::text, c.relname::text, f.conname::text, f.condeferrable, f.condeferred,
           pn.nspname::text, pc.relname::text
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class pc ON pc.oid = f.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0 ORDER BY 1, 2, 3"""


def foreign_keys(cursor: Cursor) -> list[Json]:
    """All of the database.

    Returns:
        list of dict: child and parent ((schema, name) each), name, deferrable, deferred.
    """
    cursor.execute(FOREIGN_KEYS)
    return [
        {
            "child": (schema, table),
            "name": name,
            "deferrable": deferrable,
            "deferred": deferred,
            "parent": (parent_schema, parent),
        }
        for schema, table, name, deferrable, deferred, parent_schema, parent in cursor.fetchall()
    ]


def parents_first(tables: Iterable[T], references: Iterable[tuple[T, T]]) -> list[list[T]]:
    """Groups of tables, each after those that it refers to.

    Args:
        tables: iterable of names.
        references: iterable of (child, parent).

    Returns:
        list of lists: sorted names; more than one where they refer to each other in a ring.
    """
    tables = sorted(set(tables))
    parents: dict[T, set[T]] = {table: set() for table in tables}
    for child, parent in references:
        if child in parents and parent in parents and child != parent:
            parents[child].add(parent)
    reached = {table: _reached(table, parents) for table in tables}
    # The first of a ring stands for it.
    group_of = {
        table: min([other for other in reached[table] if table in reached[other]], default=table)
        for table in tables
    }
    order: graphlib.TopologicalSorter[T] = graphlib.TopologicalSorter()
    for table in tables:
        group = group_of[table]
        order.add(group, *({group_of[parent] for parent in parents[table]} - {group}))
    return [[table for table in tables if group_of[table] == group] for group in order.static_order()]


def _reached(table: T, parents: Mapping[T, set[T]]) -> set[T]:
    """All tables to which a path of references leads, itself included where it is in a ring."""
    found: set[T] = set()
    waiting = [table]
    while waiting:
        for parent in parents[waiting.pop()] - found:
            found.add(parent)
            waiting.append(parent)
    return found


@contextmanager
def checked_at_the_end(cursor: Cursor, constraints: Collection[Json]) -> Iterator[None]:
    """Inside, these foreign keys are not checked; at the end they are, and are then as they were.

    Args:
        cursor: of a transaction that has made the tables or may alter them.
        constraints: some of foreign_keys().

    Raises:
        psycopg2.Error: at the end, when one of them does not hold.
    """
    for constraint in constraints:
        _alter(cursor, constraint, "DEFERRABLE INITIALLY DEFERRED")
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    yield
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for constraint in constraints:
        _alter(
            cursor,
            constraint,
            ("DEFERRABLE" if constraint["deferrable"] else "NOT DEFERRABLE")
            + (" INITIALLY DEFERRED" if constraint["deferred"] else " INITIALLY IMMEDIATE"),
        )


def _alter(cursor: Cursor, constraint: Json, mode: str) -> None:
    cursor.execute(
        sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
            sql.Identifier(*constraint["child"]), sql.Identifier(constraint["name"]), sql.SQL(mode)
        )
    )
