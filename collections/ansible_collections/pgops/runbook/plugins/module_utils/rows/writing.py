# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring the rows of the live database into the restored one: added, changed and deleted ones, parents first.

A row that the restored schema does not take (a constraint, a parent that is missing, a value that does not fit) is
left, and said with its reason. Everything happens in the transaction of the cursor.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..postgres.connection import psycopg2, sql
from ..postgres.message import one_line
from ..postgres.triggers import triggers_and_rules_off
from .difference import ADDED, CHANGED, DELETED, TableDifference
from .tables import parents_first

__all__ = ["LEFT_SHOWN", "apply_differences"]

# How many rows that were left are named; all of them are counted.
LEFT_SHOWN = 20


@contextmanager
def _savepoint(cursor: Any) -> Iterator[None]:
    cursor.execute("SAVEPOINT carrying")
    try:
        yield
    except BaseException:
        cursor.execute("ROLLBACK TO SAVEPOINT carrying")
        cursor.execute("RELEASE SAVEPOINT carrying")
        raise
    cursor.execute("RELEASE SAVEPOINT carrying")


def apply_differences(
    cursor: Any, differences: list[TableDifference], references: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Make the rows of the restored database those of the live one.

    First all at once, with the checks of deferrable constraints at the end; then with those of all foreign keys at the
    end, so that rings of references are no obstacle. Where that fails, in ever smaller parts, over and over as long as
    that brings rows over.

    Args:
        cursor: of the restored database, in the transaction in which the differences were found.
        differences: see find_difference.
        references: of the restored database, see read_references.

    Returns:
        The rows that were left: table, change, key, reason.
    """
    by_label = {one.table.label: one for one in differences if one.total()}
    order = parents_first(list(by_label), references)
    steps = [
        *((by_label[label], DELETED) for label in reversed(order)),
        *((by_label[label], ADDED) for label in order),
        *((by_label[label], CHANGED) for label in order),
    ]
    steps = [(one, kind) for one, kind in steps if one.counts[kind]]
    with triggers_and_rules_off(cursor):
        # Foreign keys are made to wait only where that is needed, which is where tables reference each other in a ring.
        strict = _strict_foreign_keys(cursor, by_label)
        for foreign_keys in ([], strict) if strict else ([],):
            try:
                with _savepoint(cursor), _made_to_wait(cursor, foreign_keys):
                    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
                    for one, kind in steps:
                        cursor.execute(_statement(one, kind, None))
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                return []
            except psycopg2.Error as error:
                if cursor.connection.closed:
                    raise
                del error  # which rows it is about is found out below
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return _carefully(cursor, steps)


def _strict_foreign_keys(cursor: Any, labels: Any) -> list[tuple[str, str, str]]:
    """(schema, table, name) of the foreign keys of these tables that are checked with each statement.

    Those of partitions follow the one of their parent.
    """
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text, f.conname::text FROM pg_catalog.pg_constraint f"
        " JOIN pg_catalog.pg_class c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE f.contype = 'f' AND NOT f.condeferrable AND f.conparentid = 0"
        " AND coalesce(to_jsonb(f) ->> 'conenforced', 'true') = 'true'"
        " AND n.nspname || '.' || c.relname = ANY (%s) ORDER BY 1, 2, 3",
        (list(labels),),
    )
    return cursor.fetchall()


@contextmanager
def _made_to_wait(cursor: Any, foreign_keys: list[tuple[str, str, str]]) -> Iterator[None]:
    """Let foreign keys be checked at the end; in the transaction, so that nobody sees them so."""
    for key in foreign_keys:
        _alter_constraint(cursor, key, "DEFERRABLE")
    yield
    for key in foreign_keys:
        _alter_constraint(cursor, key, "NOT DEFERRABLE")


def _alter_constraint(cursor: Any, key: tuple[str, str, str], how: str) -> None:
    schema, table, name = key
    cursor.execute(
        sql.SQL("ALTER TABLE {} ALTER CONSTRAINT {} {}").format(
            sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(how)
        )
    )


def _carefully(cursor: Any, steps: list[tuple[TableDifference, str]]) -> list[dict[str, Any]]:
    waiting: list[tuple[TableDifference, str, list[int]]] = []
    for one, kind in steps:
        cursor.execute(
            sql.SQL("SELECT id FROM {} WHERE kind = {} ORDER BY id").format(one.changes, sql.Literal(kind))
        )
        waiting.append((one, kind, [number for (number,) in cursor.fetchall()]))
    reasons: dict[tuple[str, int], str] = {}
    before = -1
    while before != (before := sum(len(ids) for _, _, ids in waiting)):
        waiting = [(one, kind, _what_fails(cursor, one, kind, ids, reasons)) for one, kind, ids in waiting]
        waiting = [(one, kind, _replaced(cursor, one, kind, ids)) for one, kind, ids in waiting]
    return [row for one, kind, ids in waiting for row in _described(cursor, one, kind, ids, reasons)]


def _replaced(cursor: Any, one: TableDifference, kind: str, ids: list[int]) -> list[int]:
    """Rows that exchange unique values among each other cannot be updated one after the other: all at once, as new."""
    if kind != CHANGED or not ids:
        return ids
    try:
        with _savepoint(cursor):
            cursor.execute(_statement(one, CHANGED, ids, instead=True))
    except psycopg2.Error:
        if cursor.connection.closed:
            raise
        return ids  # each is said with the reason why it could not be updated
    return []


def _what_fails(
    cursor: Any, one: TableDifference, kind: str, ids: list[int], reasons: dict[tuple[str, int], str]
) -> list[int]:
    """Carry out what can be, halving what fails; returns the rows that fail alone."""
    failed = []
    parts = [ids] if ids else []
    while parts:
        part = parts.pop()
        try:
            with _savepoint(cursor):
                cursor.execute(_statement(one, kind, part))
        except psycopg2.Error as error:
            if cursor.connection.closed:
                raise
            if len(part) == 1:
                failed.append(part[0])
                reasons[(one.table.label, part[0])] = _reason(error)
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
    return failed


def _reason(error: Any) -> str:
    message = one_line(error)
    # Which parent is missing helps; other details quote the row, and people's data do not belong in a report.
    if isinstance(error, psycopg2.errors.ForeignKeyViolation) and error.diag.message_detail:
        return f"{message} ({error.diag.message_detail})"
    return message


def _described(
    cursor: Any, one: TableDifference, kind: str, ids: list[int], reasons: dict[tuple[str, int], str]
) -> list[dict[str, Any]]:
    if not ids:
        return []
    cursor.execute(
        sql.SQL("SELECT id, key FROM {} WHERE id = ANY ({}::bigint[])").format(one.changes, sql.Literal(ids))
    )
    label = one.table.label
    return [
        {"table": label, "change": kind, "key": one.table.name_key(key), "reason": reasons[(label, number)]}
        for number, key in cursor.fetchall()
    ]


# The place is where the row was when the difference was found; nobody else writes there.
PLACE = " t.tableoid = x.relation AND t.ctid = x.place AND x.kind = {kind}{some}"
DELETE = "DELETE FROM {target} AS t USING {changes} AS x WHERE" + PLACE
UPDATE = (
    "UPDATE {target} AS t SET {assignments} FROM {changes} AS x JOIN {staged} AS s USING (number) WHERE"
    + PLACE
)
INSERT = (
    "INSERT INTO {into} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {changes} AS x"
    " JOIN {staged} AS s USING (number) WHERE x.kind = {kind}{some}"
)


def _statement(one: TableDifference, kind: str, ids: list[int] | None, instead: bool = False) -> Any:
    """The statement for all rows of a kind, or for those given.

    Args:
        instead: write changed rows anew in the place of those that are there.
    """
    table = one.table
    some = sql.SQL("") if ids is None else sql.SQL(" AND x.id = ANY ({}::bigint[])").format(sql.Literal(ids))
    parts = {
        "target": table.new.source(),
        "changes": one.changes,
        "staged": one.staged,
        "kind": sql.Literal(kind),
        "some": some,
        "into": sql.Identifier(table.new.schema, table.new.name),
        "names": sql.SQL(", ").join(map(sql.Identifier, table.columns)),
    }
    if kind == DELETED:
        return sql.SQL(DELETE).format(**parts)
    values = {
        name: sql.SQL("s.{}::{}").format(sql.Identifier(f"c{number}"), sql.SQL(table.type_of(name)))
        for number, name in enumerate(table.columns, start=1)
    }
    if instead:
        # The count makes the deletion end before the first row is inserted.
        return sql.SQL(
            "WITH gone AS (" + DELETE + " RETURNING 1) " + INSERT + " AND (SELECT count(*) FROM gone) >= 0"
        ).format(values=sql.SQL(", ").join(values.values()), **parts)
    if kind == ADDED:
        return sql.SQL(INSERT).format(values=sql.SQL(", ").join(values.values()), **parts)
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), values[name]) for name in table.settable()
    )
    return sql.SQL(UPDATE).format(assignments=assignments, **parts)
