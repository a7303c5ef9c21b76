# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of a rollback whose statements commit one by one: found again, renamed, and merged row by row."""

from __future__ import annotations

import json

from ansible_collections.pgops.runbook.plugins.module_utils.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_key import record
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_store import COLUMNS, SEQUENCE, TABLE

__all__ = ["FoldedItems"]

KEY_CHANGED = "the rollback went on to give its table another key, by which it is not known again"

SELECT = """
    SELECT item, run_id, migration, kind, schema_name, table_name, columns, key_columns, facts
    FROM runbook_salvage.manifest WHERE {} ORDER BY item"""
NAMES = ("item", "run_id", "migration", "kind", "schema", "table", "columns", "key_columns", "facts")


class FoldedItems:
    """Items of one rollback, as dicts with the columns of the manifest.

    Args:
        cursor: of a statement's transaction.
        store: SalvageStore.
        state: FirstState.
    """

    def __init__(self, cursor, store, state):
        self.cursor = cursor
        self.store = store
        self.state = state
        self._changed = set()

    def _select(self, condition, *parameters):
        if not self.store.exists():
            return []
        self.cursor.execute(SELECT.format(condition), parameters)
        return [dict(zip(NAMES, row)) for row in self.cursor.fetchall()]

    def _of_journal(self, condition="true", parameters=(), **facts):
        facts = json.dumps({"journal": self.state.journal_id, **facts})
        return self._select(f"facts @> %s::jsonb AND {condition}", facts, *parameters)

    def load(self, numbers):
        """The items of these numbers."""
        return self._select("item = ANY (%s)", list(numbers))

    def tracked(self, oid, kind):
        """The item of a table and kind that later statements may still change, or None."""
        return next(iter(self._of_journal("kind = %s", (kind,), oid=oid, tracked=True)), None)

    def all_tracked(self):
        """Those of all tables."""
        return self._of_journal(tracked=True)

    def of_sequence(self, name):
        """The item of a sequence by its first name, or None."""
        return next(
            iter(self._of_journal("kind = %s AND (schema_name, table_name) = (%s, %s)", (SEQUENCE, *name))),
            None,
        )

    # Manifest --------------------------------------------------------------------------------------------

    def tag(self, item, oid=None, tracked=False):
        """Make it an item of this rollback."""
        facts = {"journal": self.state.journal_id}
        if oid is not None:
            facts.update(oid=oid, tracked=tracked)
        self.set_facts(item, **facts)
        self._changed.add(item["item"])

    def set_facts(self, item, **facts):
        """Set facts of an item."""
        item["facts"].update(facts)
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET facts = facts || %s::jsonb WHERE item = %s",
            (json.dumps(facts), item["item"]),
        )

    def drop(self, item):
        """Take an item out with its rows."""
        self.cursor.execute("DELETE FROM runbook_salvage.manifest WHERE item = %s", (item["item"],))

    def rename(self, item, table):
        """Let it be about the table or sequence of that (schema, name)."""
        item["schema"], item["table"] = table
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET schema_name = %s, table_name = %s WHERE item = %s",
            (*table, item["item"]),
        )

    def _set_columns(self, item, columns, key_columns):
        item["columns"], item["key_columns"] = columns, key_columns
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET columns = %s, key_columns = %s WHERE item = %s",
            (columns, key_columns, item["item"]),
        )

    def narrow(self, item, columns):
        """Leave columns out that are gone; returns whether it still has its key, without which it is dropped."""
        if not set(item["key_columns"]) <= columns:
            self.drop(item)
            return False
        self._set_columns(item, [name for name in item["columns"] if name in columns], item["key_columns"])
        return True

    def use_first_names(self, item, table, first):
        """Write an item of the last statement under the names from before the first one.

        Args:
            item: of a table.
            table: (schema, name) that it had.
            first: dict name of a column -> the one that it had.
        """
        self.rename(item, table)
        if all(name == known for name, known in first.items()):
            return
        keys = item["key_columns"]
        self._set_columns(item, [first[name] for name in item["columns"]], [first[name] for name in keys])
        self.cursor.execute(
            "UPDATE runbook_salvage.kept_row SET columns = ARRAY(SELECT coalesce(%s::jsonb ->> name, name)"
            " FROM unnest(columns) AS name) WHERE item = %s AND columns IS NOT NULL",
            (json.dumps(first), item["item"]),
        )
        if sorted(keys) != sorted(keys, key=lambda name: first[name]):
            # The text of a key has its columns in the order of their names.
            self._shape(sorted(keys))
            self.cursor.execute(
                sql.SQL(
                    "UPDATE runbook_salvage.kept_row k SET key = {} FROM (SELECT number,"
                    " (CAST(key AS pg_temp.runbook_text)).* FROM runbook_salvage.kept_row WHERE item = {}) AS was"
                    " WHERE k.item = {} AND k.number = was.number"
                ).format(
                    record(sorted(keys, key=lambda name: first[name]), "was"),
                    *[sql.Literal(item["item"])] * 2,
                )
            )

    def finish(self):
        """Count and digest what was changed; items without rows are taken out."""
        for item in sorted(self._changed):
            self.store.finish_item(item)

    # Rows ------------------------------------------------------------------------------------------------

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

    def _shape(self, columns):
        """A type of these columns, all text, which takes records of any types apart."""
        self.cursor.execute("DROP TABLE IF EXISTS pg_temp.runbook_text")
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE runbook_text ({}) ON COMMIT DROP").format(
                sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns)
            )
        )
