# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Giving rows that are there other values, as users do: ordinary UPDATEs, by the role that the migrations run with.

Columns by which a row is known, or that refer to others, stay as they are. What a trigger, a rule or a policy of the
application refuses is named and not got around.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..postgres.connection import psycopg2, sql, transaction
from ..postgres.message import one_line
from ..postgres.script_session import on_role_path
from ..shapes import Connection, Cursor
from .candidates import DEFAULT, Candidates, Row
from .filling import STATEMENT_SECONDS, TABLE_SECONDS, NotInserted, undone_on_error
from .tables import Table

__all__ = ["Changed", "change_rows", "changeable"]

#: The table that a row is in, which is a partition where there are some, and its place there.
Place = tuple

NOTHING_FREE = "each of its columns is one by which rows are known, or refers to others"


@dataclass(frozen=True)
class Changed:
    """What became of one table.

    Attributes:
        table: its name as SQL writes it.
        there: how many rows there were to change; ``rows``: how many were changed.
        reason: why fewer were, or None.
    """

    table: str
    there: int
    rows: int
    reason: str | None = None


def changeable(table: Table) -> list[str]:
    """Names of the columns that may have another value while the row stays the one that it is."""
    kept = {name for rule in (*table.unique, *table.others) for name in rule.columns}
    kept.update(name for key in table.foreign_keys for name in key.columns)
    kept.update(name for leaf in table.partitions for bound in leaf for name in bound.columns)
    return [one.name for one in table.columns if one.name not in kept and not one.numbered()]


def change_rows(
    connection: Connection, candidates: Candidates, wanted: int, obstacle: str | None = None
) -> Changed:
    """Change some rows of a table, in a transaction of its own.

    Args:
        connection: to the copy.
        candidates: of that table.
        wanted: at most so many rows.
        obstacle: why none may be changed.

    Raises:
        psycopg2.Error: the connection is gone.
    """
    table, columns = candidates.table, changeable(candidates.table)
    try:
        with transaction(connection) as cursor:
            places = _some_places(cursor, table, wanted)
            reason = obstacle or (None if columns else NOTHING_FREE)
            if reason or not places:
                return Changed(table.quoted, len(places), 0, reason)
            with on_role_path(cursor):
                rows, reason = _change_all(cursor, candidates, columns, places)
            return Changed(table.quoted, len(places), rows, reason)
    except NotInserted as failure:
        return Changed(table.quoted, 0, 0, failure.reason)
    except psycopg2.Error as error:
        if connection.closed:
            raise
        # At COMMIT, where deferred constraints and triggers are looked at.
        return Changed(table.quoted, len(places), 0, one_line(error))


def _some_places(cursor: Cursor, table: Table, wanted: int) -> list[Place]:
    """
    Raises:
        NotInserted: the table cannot be read.
    """
    with undone_on_error(cursor):
        cursor.execute(
            "SELECT pg_catalog.set_config('statement_timeout', %s, true)", (f"{STATEMENT_SECONDS}s",)
        )
        cursor.execute(
            sql.SQL("SELECT tableoid::pg_catalog.int8, ctid::pg_catalog.text FROM {} LIMIT {}").format(
                table.source(), sql.Literal(wanted)
            )
        )
        return cursor.fetchall()


def _change_all(
    cursor: Cursor, candidates: Candidates, columns: Sequence[str], places: Sequence[Place]
) -> tuple[int, str | None]:
    """(how many rows were changed, why another one was not)."""
    changed, failed = 0, None
    ends = time.monotonic() + TABLE_SECONDS
    for number, place in enumerate(places):
        row = {name: value for name, value in candidates.row(number).items() if name in columns}
        reason = _change(cursor, candidates.table, {k: v for k, v in row.items() if v is not DEFAULT}, place)
        changed += reason is None
        failed = reason or failed
        if time.monotonic() > ends or (failed and not changed and number):
            break
    return changed, failed


def _change(cursor: Cursor, table: Table, row: Row, place: Place) -> str | None:
    """Change one row: all columns at once, or else the first that may be; why none could, or None."""
    reason = "all of its columns were left to their defaults" if not row else None
    for part in [row, *({name: value} for name, value in row.items())] if row else []:
        try:
            with undone_on_error(cursor):
                cursor.execute(_statement(table, part, place))
                if cursor.rowcount:
                    return None
            reason = (
                "its changes were taken, and are not there: a trigger, a rule or a policy takes them away"
            )
        except NotInserted as failure:
            reason = failure.reason
            if failure.hopeless:
                break
    return reason


def _statement(table: Table, row: Row, place: Place) -> sql.Composable:
    """Whole, without places for values: a column may be called %s."""
    values = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(one)) for name, one in row.items()]
    relation, tuple_id = map(sql.Literal, place)
    return sql.SQL(
        "UPDATE {} SET {} WHERE tableoid OPERATOR(pg_catalog.=) {}::pg_catalog.int8::pg_catalog.oid"
        " AND ctid OPERATOR(pg_catalog.=) {}::pg_catalog.tid"
    ).format(table.source(), sql.SQL(", ").join(values), relation, tuple_id)
