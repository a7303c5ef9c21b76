# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that this deploy has brought again, in the stead of rows that users had changed or deleted.

A row of the migration's own that a user deleted goes again. One that comes under another generated key becomes the
row that users had made of its predecessor. Which rows a deploy brought is noted by salvage_made_rows.
"""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.connection import sql

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

    def delete_again(self, low, high):
        """Delete those whose predecessors a user had deleted; of kept rows with numbers from ``low`` to ``high``."""
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM {} t USING {} pair WHERE pair.number BETWEEN %s AND %s"
                " AND t.ctid = pair.place AND t.tableoid = pair.partition"
            ).format(self.table.identifier(), self.pairs),
            (low, high),
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
