# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folding what one statement of a rollback destroyed into what the statements before it destroyed.

The result is what one transaction with all of them would have kept, under the names from before the first of them:
of each row the oldest version, with the digest of the row as the last statement left it. Rows that somebody changed
between two statements are no longer the rollback's: the older version is held back with the reason, and what the
later statement finds is kept as it is.
"""

from __future__ import annotations

from ...content.row_digest import sums_as_text
from ...postgres.connection import sql
from ..changed_since import hold_back_changed
from ..key import Key, numbered_rows
from ..store.items import COLUMNS, ROWS, SEQUENCE, TABLE, UNTOUCHED
from .merging import MergedItems

__all__ = ["Folding"]


class Folding:
    """The items of one rollback, in the transaction of one of its statements.

    Args:
        cursor: of the transaction.
        store: SalvageStore.
        state: FirstState.
        watch: DestructionWatch from before the statement.
    """

    def __init__(self, cursor, store, state, watch):
        self.cursor = cursor
        self.store = store
        self.state = state
        self.watch = watch
        self.items = MergedItems(cursor, store, state)

    def rows_item(self, oid):
        """Number of the item that has the changed rows of a table, or None."""
        found = self.items.tracked(oid, ROWS)
        return found["item"] if found else None

    # Before the statement --------------------------------------------------------------------------------

    def tell_apart(self, oid):
        """Find what others changed in a table since the last statement; it is locked by now."""
        self._look_at_own_rows(
            oid,
            self.watch.before[oid].name,
            self.watch.before[oid].columns,
            "DELETE FROM runbook.journal_row mine WHERE {mine} AND NOT EXISTS"
            " (SELECT FROM ({now}) AS now WHERE now.key = mine.key AND md5(now.line) = mine.left_digest)",
        )
        rows = self.items.tracked(oid, ROWS)
        if rows:
            hold_back_changed(self.cursor, rows)
            self.items.set_held_back_aside(rows)
        untouched = self.items.tracked(oid, UNTOUCHED)
        if untouched:
            self.cursor.execute(
                sql.SQL(
                    "DELETE FROM runbook_salvage.kept_row k WHERE item = {item} AND NOT EXISTS"
                    " (SELECT FROM ({now}) AS now WHERE now.key = k.key AND md5(now.line) = k.left_digest)"
                ).format(item=sql.Literal(untouched["item"]), now=self._left_now(untouched, oid))
            )

    # After the statement ---------------------------------------------------------------------------------

    def fold(self, made, planned, losing, sequences, rewritten=frozenset()):
        """Fold the items of this statement into the others.

        Args:
            made: their numbers.
            planned: dict OID -> Loss, what was prepared for.
            losing: dict OID -> Loss, what it took.
            sequences: (schema, name), as the statement found them, -> (OID, increment).
            rewritten: OIDs of tables that the next deploy writes to again.
        """
        if not self.store.exists():
            return
        new = self.items.load(made)
        for item in new:
            if item["kind"] == SEQUENCE:
                self._fold_sequence(item, *sequences[(item["schema"], item["table"])])
            elif item["kind"] not in (TABLE, COLUMNS, ROWS, UNTOUCHED):
                self.items.tag(item)
        for oid, loss in sorted(planned.items()):
            of_table = {
                item["kind"]: item
                for item in new
                if (item["schema"], item["table"]) == tuple(loss.table)
                and item["kind"] in (TABLE, COLUMNS, ROWS, UNTOUCHED)
            }
            self._fold_table(oid, of_table, losing.get(oid), oid in rewritten)
        for item in self.items.all_tracked():
            self._refresh(item, item["facts"]["oid"] in planned)
        for oid in planned:
            if self.watch.is_there(oid):
                self._look_at_own_rows(
                    oid,
                    *self.watch.now(oid),
                    "DELETE FROM runbook.journal_row mine WHERE {mine} AND NOT EXISTS"
                    " (SELECT FROM ({now}) AS now WHERE now.key = mine.key)",
                    "UPDATE runbook.journal_row mine SET left_digest = md5(now.line) FROM ({now}) AS now"
                    " WHERE {mine} AND now.key = mine.key",
                )
        self.items.finish()

    def _fold_sequence(self, item, oid, increment):
        name = self.state.sequences.get(oid)
        if name is None:
            self.items.drop(item)  # the rollback's own
            return
        earlier = self.items.of_sequence(name)
        if earlier is None:
            self.items.rename(item, name)
            self.items.tag(item)
            return
        farthest = max if increment > 0 else min
        value = farthest(earlier["facts"]["next_value"], item["facts"]["next_value"])
        self.items.set_facts(earlier, next_value=value)
        self.cursor.execute(
            "UPDATE runbook_salvage.kept_row SET kept = %s WHERE item = %s", (str(value), earlier["item"])
        )
        self.items.drop(item)

    def _fold_table(self, oid, new, loss, needed):
        """One table.

        Args:
            oid: its OID.
            new: what is new by kind.
            loss: what it really lost, None where rows were only put in.
            needed: whether its rows count all the same, because the next deploy writes to them again.
        """
        first = self.state.first_names(oid, self.watch.before[oid].columns)
        for item in new.values():
            self.items.use_first_names(item, self.state.tables[oid][0], first)
            self.items.take_out_own_rows(item, oid)
        gone = [first[name] for name in first if loss is not None and name in loss.columns]
        self._fold_untouched(oid, new, loss)
        old = self.items.tracked(oid, ROWS)
        if old and not self._same_key(old, new, gone):
            self.items.end_with(old)
            old = None
        if loss is not None and loss.whole:
            if old:
                self.items.into_table(old, new.get(TABLE))
            if new.get(TABLE):
                whole = self.items.tracked(self.state.roots[oid], ROWS) if old is None else None
                if whole and all(whole[one] == new[TABLE][one] for one in ("columns", "key_columns")):
                    self.items.into_partition(whole, new[TABLE])
                self.items.tag(new[TABLE], oid)
            self.cursor.execute(
                "DELETE FROM runbook.journal_row WHERE journal_id = %s AND oid = %s",
                (self.state.journal_id, oid),
            )
            return
        if old and gone:
            self.items.into_columns(old, new.get(COLUMNS), gone)
        if COLUMNS in new:
            self.items.tag(new[COLUMNS], oid)
        rows = new.get(ROWS)
        if rows and old:
            self.items.into_rows(old, rows)
        elif rows:
            self.items.tag(rows, oid, tracked=True)
            old = rows
        if old and not old["facts"]["unique_key"]:
            # A table without a key that was only added to has lost nothing yet; its old content may be asked for.
            only_made = loss is None and not needed and old["facts"].get("only_made", rows is old)
            self.items.set_facts(old, only_made=only_made)

    def _fold_untouched(self, oid, new, loss):
        noted = self.items.tracked(oid, UNTOUCHED)
        item = new.pop(UNTOUCHED, None)
        if item and self.state.is_new:
            self.items.tag(item, oid, tracked=True)
        elif item:
            self.items.drop(item)
        if noted and loss is not None and loss.whole:
            self.items.drop(noted)
        elif noted and ROWS in new:
            self.items.drop_rows_of(noted, new[ROWS])

    @staticmethod
    def _same_key(old, new, gone):
        """Whether rows kept before can be told from those kept now by one key."""
        if not old["facts"]["unique_key"]:
            return not any(item["facts"]["unique_key"] for item in new.values() if item["kind"] != COLUMNS)
        return set(old["key_columns"]).isdisjoint(gone) and all(
            item["key_columns"] == old["key_columns"] and item["facts"]["unique_key"] for item in new.values()
        )

    # How the statement left it ---------------------------------------------------------------------------

    def _refresh(self, item, touched):
        """Note under which names, and for rows of touched tables with which digests, the statement left them."""
        oid = item["facts"]["oid"]
        if not self.watch.is_there(oid):
            return
        name, columns = self.watch.now(oid)
        now = {one: columns[number] for number, one in self.state.tables[oid][1].items() if number in columns}
        if item["kind"] == UNTOUCHED and not self.items.narrow(item, set(now)):
            return
        facts = {
            "left_table": list(name),
            "left_columns": [now[one] for one in item["columns"] if one in now],
            "left_key_columns": [now[one] for one in item["key_columns"] if one in now],
        }
        if touched and item["kind"] == ROWS and not item["facts"]["unique_key"]:
            item["facts"].update(facts)
            self.cursor.execute(
                sql.SQL("SELECT {} FROM ({}) AS now").format(sums_as_text(), self._left_now(item, oid))
            )
            facts["left_digest"] = self.cursor.fetchone()[0]
        self.items.set_facts(item, **facts)
        if touched and item["facts"]["unique_key"]:
            self._digest_anew(item, oid)

    def _digest_anew(self, item, oid):
        self.cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row k SET left_digest = md5(now.line),"
                " columns = CASE WHEN now.key IS NOT NULL THEN k.columns END"
                " FROM runbook_salvage.kept_row same LEFT JOIN ({now}) AS now USING (key, occurrence)"
                " WHERE k.item = {item} AND k.held_back IS NULL AND same.item = k.item AND same.number = k.number"
                " AND md5(now.line) IS DISTINCT FROM k.left_digest"
            ).format(item=sql.Literal(item["item"]), now=self._left_now(item, oid))
        )

    def _left_now(self, item, oid):
        """SQL query for the rows of a table in the form in which an item noted them."""
        facts = item["facts"]
        return numbered_rows(
            facts["left_table"],
            self.watch.before[oid].kind == "p",
            Key(facts["left_key_columns"], facts["unique_key"]),
            facts["left_columns"],
        )

    def _look_at_own_rows(self, oid, name, columns, *queries):
        """Run queries on the rows that the rollback itself has put into a table, and the table's rows now.

        Where they cannot be known by their key any more they are taken for rows of others.
        """
        mine = sql.SQL("mine.journal_id = {} AND mine.oid = {}").format(
            sql.Literal(self.state.journal_id), sql.Literal(oid)
        )
        self.cursor.execute(
            sql.SQL("SELECT DISTINCT key_columns FROM runbook.journal_row mine WHERE {}").format(mine)
        )
        keys = [key for (key,) in self.cursor.fetchall()]
        if not keys:
            return
        first = self.state.first_names(oid, columns)
        called = {known: now for now, known in first.items()}
        if len(keys) > 1 or not set(keys[0]) <= set(called):
            self.cursor.execute(sql.SQL("DELETE FROM runbook.journal_row mine WHERE {}").format(mine))
            return
        key = Key([called[one] for one in keys[0]], True)
        now = numbered_rows(name, self.watch.before[oid].kind == "p", key, list(first))
        for query in queries:
            self.cursor.execute(sql.SQL(query).format(mine=mine, now=now))
