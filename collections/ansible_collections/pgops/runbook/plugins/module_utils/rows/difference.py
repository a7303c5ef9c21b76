# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rows the live database has that the restored one has not, has with other values, and has no more.

Rows fall into buckets by the hash of their key. Both databases sum up their buckets; only rows of buckets whose sums
differ are sent to the restored database, which finds the differences there by a join.
"""

from __future__ import annotations

import itertools

from ..content.row_digest import bucket, bucket_sums_of, row_text
from ..postgres.columns import own_type_columns
from ..postgres.connection import sql
from ..postgres.values import text_of
from ..shapes import Cursor
from .changes import KINDS
from .copying import copy_rows
from .tables import CommonTable, Relation

__all__ = [
    "TableDifference",
    "bucket_sums",
    "find_difference",
    "identified_rows",
    "staged_columns",
]

_numbers = itertools.count(1)


class TableDifference:
    """The differing rows of one table, staged in the transaction of the restored database.

    Attributes:
        table: CommonTable.
        staged: identifier of the rows of the live database: key, occurrence, line, c1, c2 ... (text).
        changes: identifier of what differs, a work table as TableChanges describes it, with the values c1, c2 ...
            (text) that the live database has.
        counts: kind -> number of rows.
    """

    def __init__(self, table: CommonTable, counts: dict[str, int], number: int = 0) -> None:
        self.table = table
        self.counts = counts
        self.staged = sql.Identifier("pg_temp", f"live_rows_{number}")
        self.changes = sql.Identifier("pg_temp", f"changes_{number}")
        self.number = number

    def total(self) -> int:
        return sum(self.counts.values())


def _bucket(table: CommonTable) -> sql.Composable:
    return bucket(table.key or table.columns)


def bucket_sums(cursor: Cursor, table: CommonTable, relation: Relation) -> dict[int, tuple]:
    """Number and sums of hashes of the rows in each bucket, in a pinned session.

    Args:
        relation: the table on the cursor's side.
    """
    cursor.execute(bucket_sums_of(table.columns, table.key or table.columns, relation.source()))
    return {bucket: tuple(found) for bucket, *found in cursor.fetchall()}


def find_difference(
    live: Cursor,
    new: Cursor,
    table: CommonTable,
    new_sums: dict[int, tuple] | None = None,
) -> TableDifference:
    """Stage and count what differs in one table.

    Args:
        live, new: cursors in transactions with pinned sessions; temporary tables are made in the new one.
        new_sums: bucket_sums of the new database, where they are known already.
    """
    there = bucket_sums(live, table, table.live)
    here = bucket_sums(new, table, table.new) if new_sums is None else new_sums
    buckets = sorted(one for one in there.keys() | here.keys() if there.get(one) != here.get(one))
    if not buckets:
        return TableDifference(table, dict.fromkeys(KINDS, 0))
    difference = TableDifference(table, {}, next(_numbers))
    _stage(live, new, difference, buckets)
    new.execute(
        # The key decides which rows belong together; among equal rows without a key, their number.
        sql.SQL(
            "CREATE TEMPORARY TABLE {changes} ON COMMIT DROP AS"
            " SELECT row_number() OVER () AS number, coalesce(s.key, r.key) AS key,"
            " coalesce(s.occurrence, r.occurrence) AS occurrence, place, partition, false AS written,"
            " CASE WHEN r.place IS NULL THEN 'added' WHEN s.key IS NULL THEN 'deleted' ELSE 'changed' END AS kind,"
            " {values} FROM {staged} AS s FULL JOIN ({rows} WHERE {bucket} = ANY ({buckets}::bigint[]) OFFSET 0) AS r"
            " ON r.key = s.key AND r.occurrence = s.occurrence WHERE s.line IS DISTINCT FROM r.line"
        ).format(
            changes=difference.changes,
            values=sql.SQL(", ").join(map(sql.Identifier, staged_columns(table))),
            staged=difference.staged,
            rows=identified_rows(table),
            bucket=_bucket(table),
            buckets=sql.Literal(buckets),
        )
    )
    # Its room is wanted; the transaction has made it, so that it is empty at once.
    new.execute(sql.SQL("TRUNCATE {}").format(difference.staged))
    new.execute(sql.SQL("SELECT kind, count(*) FROM {} GROUP BY kind").format(difference.changes))
    counted = dict(new.fetchall())
    difference.counts = {kind: counted.get(kind, 0) for kind in KINDS}
    return difference


def staged_columns(table: CommonTable) -> list[str]:
    """What the columns of the table are called where its rows are staged."""
    return [f"c{number}" for number in range(1, len(table.columns) + 1)]


def identified_rows(table: CommonTable) -> sql.Composable:
    """SQL query for the rows of the restored table: key, occurrence, line, place, partition."""
    return sql.SQL("SELECT {}, tableoid AS partition, ctid AS place FROM {}").format(
        _identified(table), table.new.source()
    )


def _identified(table: CommonTable) -> sql.Composable:
    """Key, number among equals, and all values of a row, as select list."""
    line = row_text(table.columns)
    if table.key:
        return sql.SQL('{} COLLATE "C" AS key, 1::bigint AS occurrence, {} COLLATE "C" AS line').format(
            row_text(table.key), line
        )
    return sql.SQL(
        '{line} COLLATE "C" AS key, row_number() OVER (PARTITION BY {line} COLLATE "C") AS occurrence,'
        ' {line} COLLATE "C" AS line'
    ).format(line=line)


def _stage(live: Cursor, new: Cursor, difference: TableDifference, buckets: list[int]) -> None:
    """Copy the live rows of these buckets into the new database, every value as text."""
    table = difference.table
    names = [sql.Identifier(name) for name in staged_columns(table)]
    new.execute(
        sql.SQL(
            'CREATE TEMPORARY TABLE {} (key text COLLATE "C", occurrence bigint, line text COLLATE "C", {})'
            " ON COMMIT DROP"
        ).format(difference.staged, sql.SQL(", ").join(sql.SQL("{} text").format(name) for name in names))
    )
    own_types = own_type_columns(live, sql.Identifier(table.live.schema, table.live.name))
    values = sql.SQL(", ").join(text_of(sql.Identifier(name), name in own_types) for name in table.columns)
    query = sql.SQL("COPY (SELECT {}, {} FROM {} WHERE {} = ANY ({}::bigint[])) TO STDOUT").format(
        _identified(table), values, table.live.source(), _bucket(table), sql.Literal(buckets)
    )
    target = sql.SQL("COPY {} (key, occurrence, line, {}) FROM STDIN").format(
        difference.staged, sql.SQL(", ").join(names)
    )
    copy_rows(live, query, new, target)
