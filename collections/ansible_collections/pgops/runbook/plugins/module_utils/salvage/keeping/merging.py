# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Merging what two statements of a rollback have kept of one table, row by row: of each the older version stays."""

from __future__ import annotations

from ...postgres.connection import sql
from ..key import record
from ..store.items import COLUMNS, TABLE
from .folded_items import FoldedItems

__all__ = ["MergedItems"]

KEY_CHANGED = "the rollback went on to give its table another key, by which it is not known again"


class MergedItems(FoldedItems):
    """FoldedItems whose rows can be merged."""

    def _run(self, query, **numbers):
        self.cursor.execute(query, {name: item["item"] for name, item in numbers.items()})

    def take_out_own_rows(self, item, oid):
        """Rows that the rollback itself has put in are nothing that it destroys."""
        self.cursor.execute(
            "DELETE FROM runbook_salvage.kept_row k USING runbook.journal_row mine WHERE k.item = %s"
            " AND mine.journal_id = %s AND mine.oid = %s AND mine.key_columns = %s AND mine.key = k.key",
            (item["item"], self.state.journal_id, oid, item["key_columns"]),
        )
        self._changed.add(item["item"])

    def drop_rows_of(self, item, other):
        """Take out the rows that another item has too."""
        self._run(
            "DELETE FROM runbook_salvage.kept_row k USING runbook_salvage.kept_row o"
            " WHERE k.item = %(item)s AND o.item = %(other)s AND o.key = k.key",
            item=item,
            other=other,
        )
        self._changed.add(item["item"])

    def set_held_back_aside(self, item):
        """Rows that somebody changed meanwhile are no longer followed; a later statement may keep them once more."""
        self._run(
            "SELECT count(*) FROM runbook_salvage.kept_row WHERE item = %(item)s AND held_back IS NOT NULL",
            item=item,
        )
        if not self.cursor.fetchone()[0]:
            return
        self._changed.add(item["item"])
        if not item["facts"]["unique_key"]:
            self.set_facts(item, tracked=False, only_made=False)
            return
        aside = self.store.begin_item(
            item["run_id"],
            item["migration"],
            item["kind"],
            (item["schema"], item["table"]),
            item["columns"],
            item["key_columns"],
            {**item["facts"], "tracked": False},
        )
        self.cursor.execute(
            "UPDATE runbook_salvage.kept_row SET item = %s WHERE item = %s AND held_back IS NOT NULL",
            (aside, item["item"]),
        )
        self._changed.add(aside)

    def end_with(self, item):
        """The table has another key by now: what was kept stays in the salvage."""
        self.store.hold_back(item["item"], KEY_CHANGED)
        self.set_facts(item, tracked=False, only_made=False)

    def into_rows(self, old, new):
        """More changed rows of a table: of each the older version stays, and counts for what both changed."""
        if old["facts"]["unique_key"]:
            self._run(
                "UPDATE runbook_salvage.kept_row e SET columns = CASE WHEN e.columns IS NOT NULL"
                " AND n.columns IS NOT NULL THEN ARRAY(SELECT unnest(e.columns) UNION SELECT unnest(n.columns)"
                " ORDER BY 1) END FROM runbook_salvage.kept_row n"
                " WHERE e.item = %(old)s AND n.item = %(new)s AND n.key = e.key",
                old=old,
                new=new,
            )
            self.drop_rows_of(new, old)
            self._run(
                "UPDATE runbook_salvage.kept_row SET item = %(old)s WHERE item = %(new)s", old=old, new=new
            )
        self.drop(new)
        self._changed.add(old["item"])

    def into_table(self, old, table):
        """The table goes: its rows as they were before the rollback changed them."""
        if table is None:
            table = self._begin_beside(old, TABLE, old["columns"])
        if old["facts"]["unique_key"]:
            self._run(
                "DELETE FROM runbook_salvage.kept_row t USING runbook_salvage.kept_row e"
                " WHERE t.item = %(table)s AND e.item = %(old)s AND e.key = t.key",
                table=table,
                old=old,
            )
        else:
            self._run("DELETE FROM runbook_salvage.kept_row WHERE item = %(table)s", table=table)
            self._set_columns(table, old["columns"], old["key_columns"])
        self._run(
            "UPDATE runbook_salvage.kept_row SET item = %(table)s, columns = NULL, left_digest = NULL"
            " WHERE item = %(old)s",
            table=table,
            old=old,
        )
        self.drop(old)
        self._changed.add(table["item"])

    def into_partition(self, whole, table):
        """A partition goes that was detached before: its rows as they were before the rollback changed them."""
        if whole["facts"]["unique_key"]:
            self._run(
                "WITH older AS (DELETE FROM runbook_salvage.kept_row e USING runbook_salvage.kept_row t"
                " WHERE e.item = %(whole)s AND t.item = %(table)s AND e.key = t.key AND e.left_digest = md5(t.kept)"
                " RETURNING t.number, e.kept) UPDATE runbook_salvage.kept_row t SET kept = older.kept"
                " FROM older WHERE t.item = %(table)s AND t.number = older.number",
                whole=whole,
                table=table,
            )
            self._changed |= {whole["item"], table["item"]}

    def into_columns(self, old, columns, gone):
        """Columns go: their values as they were before the rollback changed these rows.

        Args:
            old: item of changed rows.
            columns: item of these columns, or None.
            gone: names of the columns.
        """
        if not old["facts"]["unique_key"]:
            if columns:  # the table goes back as a whole, with these columns
                self._run("DELETE FROM runbook_salvage.kept_row WHERE item = %(columns)s", columns=columns)
            return
        if columns is None:
            columns = self._begin_beside(old, COLUMNS, gone)
        self._shape(old["columns"])
        values = {
            "old": sql.Literal(old["item"]),
            "columns": sql.Literal(columns["item"]),
            "gone": sql.SQL("{}::text[]").format(sql.Literal(gone)),
            "lost": record(columns["columns"], "was"),
            "rest": record([name for name in old["columns"] if name not in gone], "was"),
            "was": sql.SQL(
                "(SELECT number, (CAST(kept AS pg_temp.runbook_text)).* FROM runbook_salvage.kept_row WHERE item = {})"
            ).format(sql.Literal(old["item"])),
        }
        for query in (
            # What changed rows are known to have had ...
            "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns)"
            " SELECT {columns}, e.key, e.occurrence, {lost}, CASE WHEN e.columns IS NULL THEN {gone} ELSE"
            " ARRAY(SELECT unnest(e.columns) INTERSECT SELECT unnest({gone}) UNION SELECT unnest(c.columns)) END"
            " FROM runbook_salvage.kept_row e JOIN {was} AS was USING (number) LEFT JOIN runbook_salvage.kept_row c"
            " ON c.item = {columns} AND c.key = e.key"
            " WHERE e.item = {old} AND (e.columns IS NULL OR e.columns && {gone})",
            # ... is instead of what they have now.
            "DELETE FROM runbook_salvage.kept_row c USING runbook_salvage.kept_row better WHERE c.item = {columns}"
            " AND better.item = {columns} AND better.key = c.key AND better.number > c.number",
            "UPDATE runbook_salvage.kept_row e SET kept = {rest}, columns = CASE WHEN e.columns IS NOT NULL THEN"
            " ARRAY(SELECT unnest(e.columns) EXCEPT SELECT unnest({gone})) END"
            " FROM {was} AS was WHERE e.item = {old} AND e.number = was.number",
            "DELETE FROM runbook_salvage.kept_row WHERE item = {old} AND columns = '{{}}'",
        ):
            self.cursor.execute(sql.SQL(query).format(**values))
        self._set_columns(old, [name for name in old["columns"] if name not in gone], old["key_columns"])
        self._changed |= {old["item"], columns["item"]}

    def _begin_beside(self, old, kind, columns):
        number = self.store.begin_item(
            old["run_id"],
            old["migration"],
            kind,
            (old["schema"], old["table"]),
            columns,
            old["key_columns"],
            {"unique_key": old["facts"]["unique_key"]},
        )
        (item,) = self.load([number])
        self.tag(item, old["facts"]["oid"])
        return item
