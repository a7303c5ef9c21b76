# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The items of a rollback whose statements commit one by one: found again, and renamed."""

from __future__ import annotations

import json

from ...postgres.connection import sql
from ..key import record
from ..store.items import SEQUENCE

__all__ = ["FoldedItems"]

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

    def _shape(self, columns):
        """A type of these columns, all text, which takes records of any types apart."""
        self.cursor.execute("DROP TABLE IF EXISTS pg_temp.runbook_text")
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE runbook_text ({}) ON COMMIT DROP").format(
                sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns)
            )
        )
