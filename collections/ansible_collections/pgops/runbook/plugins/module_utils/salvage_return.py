# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting salvage back, in the transaction that applies the migration again.

Nothing is forced: a row that somebody changed, whose parent is gone or whose unique values another row has, stays in
the salvage with the reason. What a row must look like so that nobody is overwritten is checked before the script.
"""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.salvage_changed_since import (
    hold_back_changed,
    narrow_to_untouched,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_privileges import grant_again
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_rows import RowReturn
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_store import (
    COLUMNS,
    DELETED,
    PRIVILEGES,
    ROWS,
    SEQUENCE,
    TABLE,
    UNTOUCHED,
    SalvageStore,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_table import raise_sequence, table_facts
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_versions import hold_back_earlier_versions
from ansible_collections.pgops.runbook.plugins.module_utils.session import pin_session, restore_session

__all__ = ["SALVAGE_SPEC", "SalvageReturner"]

# Option of the modules that apply a migration.
SALVAGE_SPEC = {"restore_salvage": {"type": "bool", "default": True}}

# Whole tables and rows together, parents before the tables that refer to them; then the columns of these rows.
ORDER = ((DELETED,), (TABLE, UNTOUCHED, ROWS), (COLUMNS,), (SEQUENCE,), (PRIVILEGES,))


class SalvageReturner:
    """Puts back what rollbacks of one migration kept.

    Args:
        cursor: of the applying transaction.
        run_id: name of the run.
        version: the migration.
        wanted: false to leave it all where it is.
        only: number of the one item to put back; default is all.
    """

    def __init__(self, cursor, run_id, version, wanted=True, only=None):
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.wanted = wanted
        self.only = only
        self.store = SalvageStore(cursor)
        self.items = []

    def before(self):
        """Find the rows that somebody changed since; to be called before the migration's first statement."""
        self.choose()
        previous = pin_session(self.cursor, local=True)
        for item in self.items:
            if item["kind"] == ROWS:
                hold_back_changed(self.cursor, item)
            elif item["kind"] == UNTOUCHED:
                narrow_to_untouched(self.cursor, item)
        restore_session(self.cursor, previous, local=True)

    def choose(self):
        """Take the items without a look at what was changed since: for a migration that is in place already."""
        found = self.store.open_items(self.version) if self.wanted else []
        self.items = [item for item in found if self.only in (None, item["item"])]

    def tables(self):
        """``schema.table`` of the tables that rows go back to."""
        return {f"{item['schema']}.{item['table']}" for item in self.items if item["table"]}

    def after(self):
        """Put back; to be called after the migration's last statement.

        Returns:
            list of dict: table, kind, returned, held_back (rows) and reasons (reason -> rows), one an item.
        """
        if not self.items:
            return []
        previous = pin_session(self.cursor, local=True)
        # A constraint that is deferred to COMMIT would hold back nothing, and fail everything.
        self.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        hold_back_earlier_versions(self.cursor, self.items)
        done = []
        for item in self._in_order():
            kept = self._kept_rows(item)
            self._put_back(item)
            done.append(self._close(item, kept))
        restore_session(self.cursor, previous, local=True)
        return done

    def _in_order(self):
        """Parents before the tables that refer to them."""
        names = {(item["schema"], item["table"]) for item in self.items if item["kind"] in ORDER[1]}
        depth = dict.fromkeys(names, 0)
        self.cursor.execute(
            "SELECT n.nspname::text, c.relname::text, pn.nspname::text, pc.relname::text"
            " FROM pg_catalog.pg_constraint f"
            " JOIN pg_catalog.pg_class c ON c.oid = f.conrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_catalog.pg_class pc ON pc.oid = f.confrelid"
            " JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace WHERE f.contype = 'f'"
        )
        references = [((a, b), (c, d)) for a, b, c, d in self.cursor.fetchall() if (a, b) != (c, d)]
        for _ in names:  # a path has at most as many tables; a circle ends with it
            for child, parent in references:
                if child in depth and parent in depth:
                    depth[child] = max(depth[child], depth[parent] + 1)
        return sorted(
            self.items,
            key=lambda item: (
                next(place for place, kinds in enumerate(ORDER) if item["kind"] in kinds),
                depth.get((item["schema"], item["table"]), 0),
                item["item"],
            ),
        )

    def _put_back(self, item):
        if item["kind"] == SEQUENCE:
            if raise_sequence(self.cursor, (item["schema"], item["table"]), item["facts"]["next_value"]):
                self.store.forget_returned(item["item"])
            else:
                self.store.hold_back(item["item"], "the sequence is not there any more")
            return
        if item["kind"] == PRIVILEGES:
            problems = grant_again(self.cursor, item["facts"]["object"], item["facts"]["privileges"])
            if problems:
                self.store.hold_back(item["item"], "; ".join(problems))
            else:
                self.store.forget_returned(item["item"])
            return
        table = table_facts(self.cursor, (item["schema"], item["table"]))
        if table is None:
            self.store.hold_back(item["item"], "its table is not there any more")
            return
        lost = [name for name in item["columns"] if name not in table.columns]
        if lost or not set(item["key_columns"]) <= set(table.columns):
            missing = ", ".join(lost or item["key_columns"])
            self.store.hold_back(item["item"], f"the table has no column {missing} any more")
            return
        RowReturn(self.cursor, self.version, item, table).put_back()

    def _kept_rows(self, item):
        self.cursor.execute("SELECT count(*) FROM runbook_salvage.kept_row WHERE item = %s", (item["item"],))
        return self.cursor.fetchone()[0]

    def _close(self, item, kept):
        """Say what became of an item that had ``kept`` rows; an earlier deploy may have put back some already."""
        self.cursor.execute(
            "SELECT coalesce(held_back, ''), count(*) FROM runbook_salvage.kept_row WHERE item = %s GROUP BY 1",
            (item["item"],),
        )
        reasons = dict(self.cursor.fetchall())
        held_back = sum(reasons.values())
        if not held_back:
            self.cursor.execute(
                "UPDATE runbook_salvage.manifest SET returned = clock_timestamp(), returned_by = %s WHERE item = %s",
                (self.run_id, item["item"]),
            )
        return {
            "item": item["item"],
            "table": item["facts"].get("object") or f"{item['schema']}.{item['table']}",
            "kind": item["kind"],
            "returned": kept - held_back,
            "held_back": held_back,
            "reasons": reasons,
        }
