# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that this deploy has brought again, in the stead of rows that users had changed or deleted.

A row of the migration's own that a user deleted goes again. One that comes under another generated key becomes the
row that users had made of its predecessor. Which rows a deploy brought is noted by salvage_made_rows.
"""

from __future__ import annotations

from ...postgres.bisect import NotTaken, savepoint
from ...postgres.connection import sql
from ..key import record
from ..made_rows import LITERAL

__all__ = ["BroughtRows"]


class BroughtRows:
    """Pairs of a kept row and the row that this deploy brought in its stead.

    Args:
        cursor: of the transaction.
        version: the migration.
        item: of the salvage.
        table: Table that it belongs to.
        rows: identifier of the table with the rows that were kept, as RowReturn makes it.
    """

    def __init__(self, cursor, version, item, table, rows):
        self.cursor = cursor
        self.version = version
        self.item = item
        self.table = table
        self.rows = rows
        self.pairs = sql.Identifier("pg_temp", f"runbook_pair_{item['item']}")

    def find(self, now):
        """Find the pairs: by their key, or by the values of a unique index under another generated key.

        Args:
            now: SQL query for the rows of the table.
        """
        same = [sql.SQL("(made.key = k.key AND made.occurrence = k.occurrence)")]
        for columns in self.table.unique_columns:
            if set(columns) <= set(self.item["columns"]):
                equal = (
                    sql.SQL("t.{} = (k.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
                    for name in columns
                )
                same.append(sql.SQL("({})").format(sql.SQL(" AND ").join(equal)))
        self.cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {pairs} AS SELECT DISTINCT ON (k.number) k.number, now.place, now.partition,"
                " made.key, made.occurrence, made.key <> k.key AS renumbered"
                " FROM {rows} k JOIN runbook_salvage.made_row made"
                " ON made.migration = {version} AND made.schema_name = {schema} AND made.table_name = {name}"
                " JOIN ({now}) AS now ON now.key = made.key AND now.occurrence = made.occurrence"
                " JOIN {table} t ON t.ctid = now.place AND t.tableoid = now.partition WHERE ({same})"
                # Neither a kept row that has its own, nor the own of another one.
                " AND (made.key = k.key OR (k.place IS NULL"
                " AND NOT EXISTS (SELECT FROM {rows} AS other WHERE other.key = made.key)))"
                " ORDER BY k.number, made.key = k.key DESC"
            ).format(
                pairs=self.pairs,
                rows=self.rows,
                version=sql.Literal(self.version),
                schema=sql.Literal(self.item["schema"]),
                name=sql.Literal(self.item["table"]),
                now=now,
                table=self.table.identifier(),
                same=sql.SQL(" OR ").join(same),
            )
        )

    def made_of_something_else(self):
        """Numbers of kept rows in whose stead the deploy has made another row than the time before.

        Another in columns that follow from its sources: neither generated keys nor what has a default that is
        computed. What it had made before is in the kept row; of a row that users had made themselves only what they
        had made of it can be compared.
        """
        self.cursor.execute(
            "SELECT a.attname::text, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a"
            " JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = %s",
            (self.table.oid,),
        )
        computed = {name for name, default in self.cursor.fetchall() if not LITERAL.fullmatch(default)}
        names = [
            name
            for name in self.item["columns"]
            if name not in computed and name not in self.item["key_columns"]
        ]
        if not names:
            return []
        brought = self.item["facts"].get("brought_columns") == self.table.columns
        try:
            with savepoint(self.cursor):
                return self._differing(names, brought)
        except NotTaken:  # the table has other types now: nothing can be told
            self.cursor.execute(sql.SQL("SELECT number FROM {}").format(self.pairs))
            return [number for (number,) in self.cursor.fetchall()]

    def _differing(self, names, brought):
        """Numbers of the pairs that differ in these columns.

        Args:
            brought: whether what had been brought before has the columns that the table has now.
        """
        shape = sql.Identifier("pg_temp", f"runbook_brought_{self.item['item']}")
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
                shape,
                sql.SQL(", ").join(map(sql.Identifier, self.table.columns)),
                sql.Identifier(*self.table.name),
            )
        )
        self.cursor.execute(
            sql.SQL(
                "SELECT p.number FROM {pairs} p JOIN {rows} k USING (number)"
                " JOIN runbook_salvage.kept_row USING (number)"
                " JOIN {table} t ON t.ctid = p.place AND t.tableoid = p.partition"
                " WHERE kept_row.item = {item}"
                " AND {now} <> CASE WHEN kept_row.brought IS NULL OR NOT {known} THEN {kept} ELSE {brought} END"
            ).format(
                pairs=self.pairs,
                rows=self.rows,
                table=self.table.identifier(),
                item=sql.Literal(self.item["item"]),
                known=sql.Literal(brought),
                now=record(names, "t"),
                kept=_fields(sql.SQL("k.shape"), names),
                brought=_fields(sql.SQL("CAST(kept_row.brought AS {})").format(shape), names),
            )
        )
        numbers = [number for (number,) in self.cursor.fetchall()]
        self.cursor.execute(sql.SQL("DROP TABLE {}").format(shape))
        return numbers

    def delete_again(self, low, high):
        """Delete those whose predecessors a user had deleted; of kept rows with numbers from ``low`` to ``high``."""
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM {} t USING {} pair WHERE pair.number BETWEEN {} AND {}"
                " AND t.ctid = pair.place AND t.tableoid = pair.partition"
            ).format(self.table.identifier(), self.pairs, sql.Literal(low), sql.Literal(high))
        )

    def take_over(self, low, high, columns):
        """Make those under another key what users had made of their predecessors; they are written then."""
        if not self.table.unique_columns or not columns:
            return
        self.cursor.execute(
            sql.SQL(
                "WITH pair AS (SELECT p.*, k.key AS old_key, k.occurrence AS old_occurrence, k.shape"
                " FROM {pairs} p JOIN {rows} k USING (number)"
                " WHERE p.renumbered AND NOT k.written AND p.number BETWEEN {low} AND {high}),"
                " taken AS (UPDATE {table} t SET {assignments} FROM pair"
                " WHERE t.ctid = pair.place AND t.tableoid = pair.partition),"
                " written AS (UPDATE {rows} k SET written = true, place = pair.place FROM pair"
                " WHERE k.number = pair.number)"
                " UPDATE runbook_salvage.made_row made SET key = pair.old_key, occurrence = pair.old_occurrence"
                " FROM pair WHERE made.migration = {version} AND made.schema_name = {schema}"
                " AND made.table_name = {name} AND made.key = pair.key AND made.occurrence = pair.occurrence"
            ).format(
                pairs=self.pairs,
                rows=self.rows,
                low=sql.Literal(low),
                high=sql.Literal(high),
                table=self.table.identifier(),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{} = (pair.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
                    for name in columns
                ),
                version=sql.Literal(self.version),
                schema=sql.Literal(self.item["schema"]),
                name=sql.Literal(self.item["table"]),
            )
        )

    def close(self):
        self.cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.pairs))


def _fields(row, names):
    """SQL: fields of a row as one text."""
    return sql.SQL("ROW({})::text").format(
        sql.SQL(", ").join(sql.SQL("({}).{}").format(row, sql.Identifier(name)) for name in names)
    )
