# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Own rows of the migration that this deploy has brought again, in the stead of rows that users changed or deleted.

An own row that a user deleted goes again. One that comes under another generated key becomes the row that users had
made of its predecessor. Which rows are a migration's own is noted when it is deployed (salvage.made_rows).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...postgres.bisect import NotTaken, savepoint
from ...postgres.connection import sql
from ...postgres.tables import Table
from ...rows.changes import CHANGED
from ...rows.changes import DELETED as TO_DELETE
from ...shapes import Cursor
from ..key import record
from ..made_rows import LITERAL
from ..store.items import DELETED
from ..store.returning import follow_own_rows, join_own_rows, numbers_that_differ, own_row_before

__all__ = ["BroughtAgain"]

FIND = """
    CREATE TEMPORARY TABLE {pairs} AS
    SELECT DISTINCT ON (k.number) k.number, now.place, now.partition, own_row.key, own_row.occurrence,
           own_row.key <> k.key AS renumbered
    FROM {work} k {own_rows}
    JOIN ({now}) AS now ON now.key = own_row.key AND now.occurrence = own_row.occurrence
    JOIN {target} t ON t.ctid = now.place AND t.tableoid = now.partition
    WHERE ({same})
      -- Neither a kept row that has its own, nor the own of another one.
      AND (own_row.key = k.key OR (k.place IS NULL
           AND NOT EXISTS (SELECT FROM {work} AS other WHERE other.key = own_row.key)))
    ORDER BY k.number, own_row.key = k.key DESC"""

# All of such a row is written, whatever columns of it counted under its former key.
PAIR = """
    UPDATE {work} k SET place = pair.place, partition = pair.partition, kind = {kind}, columns = NULL
    FROM {pairs} pair WHERE pair.number = k.number AND {which}"""

DEFAULTS = """
    SELECT a.attname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = %s"""


class BroughtAgain:
    """Pairs of a kept row and the own row that this deploy brought in its stead.

    Args:
        cursor: of the transaction.
        version: the migration.
        item: of the salvage.
        table: that it belongs to.
        work: SQL identifier of the work table with the kept rows, as RowReturn makes it.
    """

    def __init__(
        self, cursor: Cursor, version: str, item: dict[str, Any], table: Table, work: sql.Composable
    ) -> None:
        self.cursor = cursor
        self.version = version
        self.item = item
        self.table = table
        self.work = work
        self.pairs = sql.Identifier("pg_temp", f"runbook_pair_{item['item']}")
        self._paired = False

    def find(self, now: sql.Composable) -> None:
        """Find the pairs: by their key, or by the values of a unique index under another generated key.

        Args:
            now: SQL query for the rows of the table.
        """
        same: list[sql.Composable] = [sql.SQL("(own_row.key = k.key AND own_row.occurrence = k.occurrence)")]
        for columns in self.table.unique_columns:
            if set(columns) <= set(self.item["columns"]):
                equal = (
                    sql.SQL("t.{} = (k.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
                    for name in columns
                )
                same.append(sql.SQL("({})").format(sql.SQL(" AND ").join(equal)))
        self.cursor.execute(
            sql.SQL(FIND).format(
                pairs=self.pairs,
                work=self.work,
                own_rows=join_own_rows(self.version, self.item),
                now=now,
                target=self.table.identifier(),
                same=sql.SQL(" OR ").join(same),
            )
        )

    def made_of_something_else(self) -> list[int]:
        """Numbers of kept rows in whose stead the deploy has made another row than the time before.

        Another in columns that follow from its sources: neither generated keys nor what has a default that is
        computed. What it had made before is in the kept row; of a row that users had made themselves only what they
        had made of it can be compared.
        """
        self.cursor.execute(DEFAULTS, (self.table.oid,))
        computed = {name for name, default in self.cursor.fetchall() if not LITERAL.fullmatch(default)}
        names = [
            name
            for name in self.item["columns"]
            if name not in computed and name not in self.item["key_columns"]
        ]
        if not names:
            return []
        known = self.item["facts"].get("brought_columns") == self.table.columns
        try:
            with savepoint(self.cursor):
                return self._differing(names, known)
        except NotTaken:  # the table has other types now: nothing can be told
            self.cursor.execute(sql.SQL("SELECT number FROM {}").format(self.pairs))
            return [number for (number,) in self.cursor.fetchall()]

    def _differing(self, names: Sequence[str], known: bool) -> list[int]:
        """Numbers of the pairs that differ in these columns.

        Args:
            known: whether the own row of the time before was noted with the columns that the table has now.
        """
        shape = sql.Identifier("pg_temp", f"runbook_own_row_{self.item['item']}")
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                shape,
                sql.SQL(", ").join(map(sql.Identifier, self.table.columns)),
                sql.Identifier(*self.table.name),
            )
        )
        numbers = numbers_that_differ(
            self.cursor,
            self.item,
            pairs=self.pairs,
            work=self.work,
            target=self.table.identifier(),
            now=record(names, "t"),
            known=sql.Literal(known),
            kept=_fields(sql.SQL("k.shape"), names),
            own=_fields(own_row_before(shape), names),
        )
        self.cursor.execute(sql.SQL("DROP TABLE {}").format(shape))
        return numbers

    def pair(self, settable: Sequence[str]) -> None:
        """Let the own row be the place of the kept one: to be deleted again, or to become what users had made.

        Args:
            settable: columns that an UPDATE may set; a row under another key needs some.
        """
        if self.item["kind"] == DELETED:
            kind, which = TO_DELETE, sql.SQL("true")
        elif settable:
            kind, which = CHANGED, sql.SQL("pair.renumbered")
        else:
            return
        self._paired = True
        self.cursor.execute(
            sql.SQL(PAIR).format(work=self.work, pairs=self.pairs, kind=sql.Literal(kind), which=which)
        )

    def follow(self) -> None:
        """Note the keys of own rows that have become kept ones; to be called after the writing."""
        if self._paired and self.item["kind"] != DELETED:
            follow_own_rows(self.cursor, self.version, self.item, self.pairs, self.work)

    def close(self) -> None:
        self.cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.pairs))


def _fields(row: sql.Composable, names: Sequence[str]) -> sql.Composable:
    """SQL: fields of a row as one text."""
    return sql.SQL("ROW({})::text").format(
        sql.SQL(", ").join(sql.SQL("({}).{}").format(row, sql.Identifier(name)) for name in names)
    )
