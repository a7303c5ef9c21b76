# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing the kept rows of one item into their table, as many as go without overwriting anybody."""

from __future__ import annotations

from contextlib import contextmanager

from ansible_collections.pgops.runbook.plugins.module_utils.connection import psycopg2, sql
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_key import Key, numbered_rows
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_store import (
    COLUMNS,
    DELETED,
    ROWS,
    SalvageStore,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_table import (
    raise_sequences_of,
    user_triggers_off,
)

__all__ = ["RowReturn"]

VALUES_TAKEN = "another row has its key or its unique values"
ROW_GONE = "its row is gone"


class RowReturn:
    """Puts the rows of one item back; those for which there is no place are held back with the reason.

    Args:
        cursor: of the transaction.
        version: the migration.
        item: as SalvageStore.open_items() gives it, of a kind that has rows of a table.
        table: Table that they go into, which has the item's columns.
    """

    def __init__(self, cursor, version, item, table):
        self.cursor = cursor
        self.version = version
        self.item = item
        self.table = table
        self.store = SalvageStore(cursor)
        key = Key(item["key_columns"], item["facts"]["unique_key"])
        self.now = numbered_rows(table.name, table.partitioned, key, item["columns"])
        # Without a key to tell its rows apart the item is the whole content of the table.
        self.replaces = item["kind"] == ROWS and not key.unique

    def put_back(self):
        """All at once where that goes, else one by one."""
        with user_triggers_off(self.cursor, self.table), self._shape():
            if self.item["kind"] != DELETED:
                self._hold_back_orphans()
            try:
                with self._savepoint():
                    self._put_rows()
            except psycopg2.Error as error:
                if self.replaces:
                    self.store.hold_back(self.item["item"], _message(error))
                else:
                    self._one_by_one()
        raise_sequences_of(self.cursor, self.table)

    def _one_by_one(self):
        """As many rows as go; rows that refer to each other may need several rounds."""
        while True:
            self.cursor.execute(
                "SELECT number FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL ORDER BY number",
                (self.item["item"],),
            )
            waiting = [number for (number,) in self.cursor.fetchall()]
            failing = {}
            for number in waiting:
                try:
                    with self._savepoint():
                        self._put_rows(number)
                except psycopg2.Error as error:
                    failing[number] = _message(error)
            if len(failing) in (0, len(waiting)):
                break
        for number, message in failing.items():
            self.store.hold_back(self.item["item"], message, [number])

    def _put_rows(self, number=None):
        """Put back all rows, or the one with this number."""
        if self.replaces:
            if not self._any_free():
                return
            self.cursor.execute(sql.SQL("DELETE FROM {}").format(self.table.identifier()))
        rows = self._rows(number)
        if self.item["kind"] == DELETED:
            self._delete_again(rows)
        else:
            if self.item["kind"] == COLUMNS:
                self._update_present(rows)
            else:
                self._take_over_fresh(rows)
                self._update_present(rows)
                self._insert_missing(rows)
            self._hold_back_absent(rows)
        self.store.forget_returned(self.item["item"], number)

    def _rows(self, number):
        """SQL query for the kept rows that may go: number, key, occurrence, columns, kept, shape (a record)."""
        return sql.SQL(
            "SELECT number, key, occurrence, columns, kept, CAST(kept AS pg_temp.runbook_shape) AS shape"
            " FROM runbook_salvage.kept_row WHERE item = {} AND held_back IS NULL{}"
        ).format(
            sql.Literal(self.item["item"]),
            sql.SQL("") if number is None else sql.SQL(" AND number = {}").format(sql.Literal(number)),
        )

    def _any_free(self):
        self.cursor.execute(
            "SELECT EXISTS (SELECT FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL)",
            (self.item["item"],),
        )
        return self.cursor.fetchone()[0]

    # Rows that this deploy brought -----------------------------------------------------------------------

    def _fresh(self, rows):
        """SQL query for pairs of a kept row and a row that this deploy brought in its stead: number, place, ...

        They belong together by their key, or by the values of a unique index, under another generated key.
        """
        same = [sql.SQL("(fresh.key = k.key AND fresh.occurrence = k.occurrence)")]
        for columns in self.table.unique_columns:
            if set(columns) <= set(self.item["columns"]):
                equal = (
                    sql.SQL("t.{} = (k.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
                    for name in columns
                )
                same.append(sql.SQL("({})").format(sql.SQL(" AND ").join(equal)))
        return sql.SQL(
            "SELECT DISTINCT ON (k.number) k.number, k.key, k.occurrence, k.shape, now.place, now.partition,"
            " fresh.key AS fresh_key, fresh.occurrence AS fresh_occurrence"
            " FROM ({rows}) AS k JOIN runbook_salvage.made_row fresh"
            " ON fresh.migration = {version} AND fresh.schema_name = {schema} AND fresh.table_name = {name}"
            " JOIN ({now}) AS now ON now.key = fresh.key AND now.occurrence = fresh.occurrence"
            " JOIN {table} t ON t.ctid = now.place AND t.tableoid = now.partition WHERE ({same})"
            # Neither a kept row that has its own, nor the own of another one.
            " AND (fresh.key = k.key OR NOT EXISTS (SELECT FROM ({rows}) AS other WHERE other.key = fresh.key)"
            " AND NOT EXISTS (SELECT FROM ({now}) AS other WHERE other.key = k.key))"
            " ORDER BY k.number, fresh.key = k.key DESC"
        ).format(
            rows=rows,
            now=self.now,
            table=self.table.identifier(),
            version=sql.Literal(self.version),
            schema=sql.Literal(self.item["schema"]),
            name=sql.Literal(self.item["table"]),
            same=sql.SQL(" OR ").join(same),
        )

    def _delete_again(self, rows):
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM {} t USING ({}) AS pair WHERE t.ctid = pair.place AND t.tableoid = pair.partition"
            ).format(self.table.identifier(), self._fresh(rows))
        )

    def _take_over_fresh(self, rows):
        """A row that this deploy brought anew becomes the one that users had made of its predecessor."""
        if not self.table.unique_columns:
            return
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = (pair.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
            for name in self._settable()
        )
        self.cursor.execute(
            sql.SQL(
                "WITH pair AS MATERIALIZED ({fresh}), taken AS (UPDATE {table} t SET {assignments} FROM pair"
                " WHERE t.ctid = pair.place AND t.tableoid = pair.partition AND pair.fresh_key <> pair.key)"
                " UPDATE runbook_salvage.made_row made SET key = pair.key, occurrence = pair.occurrence FROM pair"
                " WHERE made.migration = {version} AND made.schema_name = {schema} AND made.table_name = {name}"
                " AND made.key = pair.fresh_key AND made.occurrence = pair.fresh_occurrence"
            ).format(
                fresh=self._fresh(rows),
                table=self.table.identifier(),
                assignments=assignments,
                version=sql.Literal(self.version),
                schema=sql.Literal(self.item["schema"]),
                name=sql.Literal(self.item["table"]),
            )
        )

    # Rows of users ---------------------------------------------------------------------------------------

    def _settable(self):
        return [name for name in self.item["columns"] if name not in self.table.always_identity]

    def _update_present(self, rows):
        settable = self._settable()
        if not settable:
            return
        assignments = sql.SQL(", ").join(
            sql.SQL(
                "{} = CASE WHEN k.columns IS NULL OR {} = ANY (k.columns) THEN (k.shape).{} ELSE t.{} END"
            ).format(sql.Identifier(name), sql.Literal(name), sql.Identifier(name), sql.Identifier(name))
            for name in settable
        )
        self.cursor.execute(
            sql.SQL(
                "UPDATE {table} t SET {assignments}"
                " FROM ({now}) AS now JOIN ({rows}) AS k USING (key, occurrence)"
                " WHERE k.kept <> now.line AND t.ctid = now.place AND t.tableoid = now.partition"
            ).format(table=self.table.identifier(), assignments=assignments, now=self.now, rows=rows)
        )

    def _insert_missing(self, rows):
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}"
                " FROM ({rows}) AS k LEFT JOIN ({now}) AS now USING (key, occurrence)"
                " WHERE k.columns IS NULL AND now.place IS NULL ON CONFLICT DO NOTHING"
            ).format(
                # INSERT knows no ONLY.
                table=sql.Identifier(*self.table.name),
                columns=sql.SQL(", ").join(map(sql.Identifier, self.item["columns"])),
                values=sql.SQL(", ").join(
                    sql.SQL("(k.shape).{}").format(sql.Identifier(name)) for name in self.item["columns"]
                ),
                rows=rows,
                now=self.now,
            )
        )

    def _hold_back_absent(self, rows):
        """What is not there now did not find its place."""
        self.cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row SET held_back = {reason} WHERE number IN"
                " (SELECT k.number FROM ({rows}) AS k LEFT JOIN ({now}) AS now USING (key, occurrence)"
                " WHERE now.place IS NULL)"
            ).format(
                reason=sql.Literal(ROW_GONE if self.item["kind"] == COLUMNS else VALUES_TAKEN),
                rows=rows,
                now=self.now,
            )
        )

    def _hold_back_orphans(self):
        """Rows whose parent is gone; a parent among the rows themselves is not asked for."""
        for constraint in self.table.foreign_keys:
            if constraint.parent == self.table.name or not set(constraint.columns) <= set(
                self.item["columns"]
            ):
                continue
            mine = [sql.SQL("(k.shape).{}").format(sql.Identifier(name)) for name in constraint.columns]
            theirs = [sql.SQL("p.{}").format(sql.Identifier(name)) for name in constraint.referred]
            counted = sql.SQL(" OR ").join(
                sql.SQL("{} = ANY (k.columns)").format(sql.Literal(name)) for name in constraint.columns
            )
            self.cursor.execute(
                sql.SQL(
                    "UPDATE runbook_salvage.kept_row SET held_back = {reason} WHERE number IN (SELECT k.number"
                    " FROM ({rows} OFFSET 0) AS k WHERE (k.columns IS NULL OR {counted}) AND {known}"
                    " AND NOT EXISTS (SELECT FROM {parent} p WHERE {equal}))"
                ).format(
                    reason=sql.Literal(f"its parent in {'.'.join(constraint.parent)} is gone"),
                    rows=self._rows(None),
                    counted=counted,
                    known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(one) for one in mine),
                    parent=sql.Identifier(*constraint.parent),
                    equal=sql.SQL(" AND ").join(
                        sql.SQL("{} = {}").format(one, other) for one, other in zip(theirs, mine)
                    ),
                )
            )

    # ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _shape(self):
        """A type with the item's columns in their order, which reads the kept records."""
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE runbook_shape AS SELECT {} FROM {} WITH NO DATA").format(
                sql.SQL(", ").join(map(sql.Identifier, self.item["columns"])),
                sql.Identifier(*self.table.name),
            )
        )
        yield
        self.cursor.execute("DROP TABLE pg_temp.runbook_shape")

    @contextmanager
    def _savepoint(self):
        self.cursor.execute("SAVEPOINT runbook_return")
        try:
            yield
        except psycopg2.Error:
            if not self.cursor.connection.closed:
                self.cursor.execute("ROLLBACK TO SAVEPOINT runbook_return")
            raise
        self.cursor.execute("RELEASE SAVEPOINT runbook_return")


def _message(error):
    return (error.diag.message_primary if error.diag else None) or " ".join(str(error).split())
