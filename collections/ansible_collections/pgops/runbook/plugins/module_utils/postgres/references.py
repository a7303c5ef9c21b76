# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables in the order of their foreign keys; those that refer to each other in a ring belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from ..shapes import Cursor, TableName
from .connection import sql

__all__ = ["Reference", "checked_at_the_end", "foreign_keys", "parents_first"]

# Those of partitions follow the one of their table. One that is not enforced asks for no order.
FOREIGN_KEYS = """
    SELECT n.nspname::text, c.relname::text, f.conname::text, cn.nspname::text, child.relname::text,
           pn.nspname::text, parent.relname::text, f.condeferrable, f.condeferred
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_class child ON child.oid = coalesce(pg_catalog.pg_partition_root(f.conrelid), f.conrelid)
    JOIN pg_catalog.pg_namespace cn ON cn.oid = child.relnamespace
    JOIN pg_catalog.pg_class parent ON parent.oid = coalesce(pg_catalog.pg_partition_root(f.confrelid), f.confrelid)
    JOIN pg_catalog.pg_namespace pn ON pn.oid = parent.relnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND coalesce(pg_catalog.to_jsonb(f) ->> 'conenforced', 'true') = 'true' ORDER BY 1, 2, 3"""

Name = TypeVar("Name", bound=Any)


class Reference(NamedTuple):
    """A foreign key.

    Attributes:
        declared_on: (schema, name) of the table that has it, which may be a partition.
        name: of the constraint.
        child, parent: (schema, name) of the tables; of partitions the table that they are part of.
        deferrable, deferred: as it was declared.
    """

    declared_on: TableName
    name: str
    child: TableName
    parent: TableName
    deferrable: bool
    deferred: bool


def foreign_keys(cursor: Cursor) -> list[Reference]:
    """All of the database that are enforced."""
    cursor.execute(FOREIGN_KEYS)
    return [
        Reference((row[0], row[1]), row[2], (row[3], row[4]), (row[5], row[6]), row[7], row[8])
        for row in cursor.fetchall()
    ]


def parents_first(tables: Iterable[Name], references: Iterable[tuple[Name, Name]]) -> list[list[Name]]:
    """Groups of tables, each after those that it refers to.

    The strongly connected components of the graph, by Kosaraju's algorithm: in time that grows with the number of
    references, however long a chain of them is.

    Args:
        tables: names.
        references: (child, parent); those from or to other tables are passed over.

    Returns:
        list of lists: sorted names; more than one where they refer to each other in a ring.
    """
    names = sorted(set(tables), reverse=True)
    parents: dict[Name, set[Name]] = {name: set() for name in names}
    children: dict[Name, set[Name]] = {name: set() for name in names}
    for child, parent in references:
        if child in parents and parent in parents:
            parents[child].add(parent)
            children[parent].add(child)
    # Backwards, the tables that were left last come before all that refer to them, unless these are in one ring.
    left_last = [name for walk in _walks(names, children) for name in walk][::-1]
    return [sorted(ring) for ring in _walks(left_last, parents)]


def _walks(names: Iterable[Name], following: dict[Name, set[Name]]) -> Iterator[list[Name]]:
    """From each name all that is reached and was not before, in the order in which it is left.

    Not recursive: a chain of references may be longer than Python's stack.
    """
    seen: set[Name] = set()
    for name in names:
        walk: list[Name] = []
        path = [(name, iter(sorted(following[name], reverse=True)))] if name not in seen else []
        seen.add(name)
        while path:
            current, rest = path[-1]
            further = next((other for other in rest if other not in seen), None)
            if further is None:
                walk.append(current)
                path.pop()
            else:
                seen.add(further)
                path.append((further, iter(sorted(following[further], reverse=True))))
        if walk:
            yield walk


@contextmanager
def checked_at_the_end(cursor: Cursor, references: Iterable[Reference]) -> Iterator[None]:
    """Inside, these foreign keys and all deferrable constraints are not checked; at the end they are.

    The foreign keys are then as they were declared; in a transaction, so that nobody sees them otherwise.

    Args:
        cursor: of a transaction that has made the tables or may alter them.
        references: some of foreign_keys().

    Raises:
        psycopg2.Error: at the end, when one of them does not hold.
    """
    references = list(references)
    for reference in references:
        _alter(cursor, reference, "DEFERRABLE INITIALLY DEFERRED")
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    yield
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for reference in references:
        declared = "DEFERRABLE" if reference.deferrable else "NOT DEFERRABLE"
        _alter(cursor, reference, f"{declared} INITIALLY {'DEFERRED' if reference.deferred else 'IMMEDIATE'}")


def _alter(cursor: Cursor, reference: Reference, mode: str) -> None:
    cursor.execute(
        sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
            sql.Identifier(*reference.declared_on), sql.Identifier(reference.name), sql.SQL(mode)
        )
    )
