# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Putting salvage back, in the transaction that applies the migration again.

Nothing is forced: a row that somebody changed, whose parent is gone or whose unique values another row has, stays in
the salvage with the reason. What a row must look like so that nobody is overwritten is checked before the script.
"""

from __future__ import annotations

from contextlib import contextmanager

from ansible_collections.pgops.runbook.plugins.module_utils.connection import psycopg2, sql
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_key import (
    Key,
    numbered_rows,
    table_digest,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_privileges import grant_again
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
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_table import (
    raise_sequence,
    raise_sequences_of,
    table_facts,
    user_triggers_off,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_versions import hold_back_earlier_versions
from ansible_collections.pgops.runbook.plugins.module_utils.session import pin_session, restore_session

__all__ = ["SALVAGE_SPEC", "SalvageReturner"]

# Option of the modules that apply a migration.
SALVAGE_SPEC = {"restore_salvage": {"type": "bool", "default": True}}

# Whole tables and rows together, parents before the tables that refer to them; then the columns of these rows.
ORDER = ((DELETED,), (TABLE, UNTOUCHED, ROWS), (COLUMNS,), (SEQUENCE,), (PRIVILEGES,))

ROW_CHANGED = "somebody changed its row since the rollback"
ROW_DELETED = "somebody deleted its row since the rollback"
VALUES_TAKEN = "another row has its key or its unique values"
ROW_MADE = "somebody made a row with its key since the rollback"
ROW_GONE = "its row is gone"
TABLE_CHANGED = "somebody changed the table since the rollback, and it has no key to tell rows apart"


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
                self._hold_back_changed(item)
            elif item["kind"] == UNTOUCHED:
                self._look_at_untouched(item)
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

    # Before the script -----------------------------------------------------------------------------------

    def _look_at_untouched(self, item):
        """Take the values of the rows that are still as the rollback left them; the others are the migration's."""
        facts = item["facts"]
        table = table_facts(self.cursor, facts["left_table"])
        if table is not None and set(facts["left_columns"]) <= set(table.columns):
            self.cursor.execute(
                sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name))
            )
            key = Key(facts["left_key_columns"], True)
            self.cursor.execute(
                sql.SQL(
                    "UPDATE runbook_salvage.kept_row k SET kept = now.line, columns = NULL FROM ({}) AS now"
                    " WHERE k.item = %s AND now.key = k.key AND md5(now.line) = k.left_digest"
                ).format(numbered_rows(table.name, table.partitioned, key, facts["left_columns"])),
                (item["item"],),
            )
        self.cursor.execute(
            "DELETE FROM runbook_salvage.kept_row WHERE item = %s AND columns IS NOT NULL", (item["item"],)
        )

    def _hold_back_changed(self, item):
        facts = item["facts"]
        table = table_facts(self.cursor, facts["left_table"])
        if table is None or not set(facts["left_columns"]) <= set(table.columns):
            return  # not as the rollback left it; what can be said of it now is said after the script
        self.cursor.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(*table.name))
        )
        key = Key(facts["left_key_columns"], facts["unique_key"])
        now = numbered_rows(table.name, table.partitioned, key, facts["left_columns"])
        if not key.unique:
            self.cursor.execute(sql.SQL("SELECT {} FROM ({}) AS now").format(table_digest(), now))
            if self.cursor.fetchone()[0] != facts["left_digest"]:
                self._hold_back(item, TABLE_CHANGED)
            return
        self.cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row k SET held_back = CASE"
                " WHEN k.left_digest IS NULL THEN %(made)s WHEN now.key IS NULL THEN %(deleted)s ELSE %(changed)s END"
                " FROM runbook_salvage.kept_row same LEFT JOIN ({}) AS now USING (key, occurrence)"
                " WHERE k.item = %(item)s AND k.held_back IS NULL AND same.item = k.item AND same.number = k.number"
                " AND md5(now.line) IS DISTINCT FROM k.left_digest"
            ).format(now),
            {"item": item["item"], "made": ROW_MADE, "deleted": ROW_DELETED, "changed": ROW_CHANGED},
        )

    def _hold_back(self, item, reason, numbers=None):
        self.cursor.execute(
            "UPDATE runbook_salvage.kept_row SET held_back = %s WHERE item = %s AND held_back IS NULL"
            " AND (%s::bigint[] IS NULL OR number = ANY (%s))",
            (reason, item["item"], numbers, numbers),
        )

    # After the script ------------------------------------------------------------------------------------

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
                self._delete_returned(item, "true")
            else:
                self._hold_back(item, "the sequence is not there any more")
            return
        if item["kind"] == PRIVILEGES:
            problems = grant_again(self.cursor, item["facts"]["object"], item["facts"]["privileges"])
            if problems:
                self._hold_back(item, "; ".join(problems))
            else:
                self._delete_returned(item, "true")
            return
        table = table_facts(self.cursor, (item["schema"], item["table"]))
        if table is None:
            self._hold_back(item, "its table is not there any more")
            return
        lost = [name for name in item["columns"] if name not in table.columns]
        if lost or not set(item["key_columns"]) <= set(table.columns):
            self._hold_back(
                item, f"the table has no column {', '.join(lost or item['key_columns'])} any more"
            )
            return
        with user_triggers_off(self.cursor, table), self._shape(item, table):
            if item["kind"] != DELETED:
                self._hold_back_orphans(item, table)
            try:
                with self._savepoint():
                    self._put_rows(item, table)
            except psycopg2.Error as error:
                if self._replaces(item):
                    self._hold_back(item, _message(error))
                else:
                    self._one_by_one(item, table)
        raise_sequences_of(self.cursor, table)

    def _one_by_one(self, item, table):
        """As many rows as go; rows that refer to each other may need several rounds."""
        failing = {}
        while True:
            self.cursor.execute(
                "SELECT number FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL ORDER BY number",
                (item["item"],),
            )
            waiting = [number for (number,) in self.cursor.fetchall()]
            failing = {}
            for number in waiting:
                try:
                    with self._savepoint():
                        self._put_rows(item, table, number)
                except psycopg2.Error as error:
                    failing[number] = _message(error)
            if len(failing) in (0, len(waiting)):
                break
        for number, message in failing.items():
            self._hold_back(item, message, [number])

    def _put_rows(self, item, table, number=None):
        key = Key(item["key_columns"], item["facts"]["unique_key"])
        if self._replaces(item):
            if self._all_held_back(item):
                return
            self.cursor.execute(sql.SQL("DELETE FROM {}").format(table.identifier()))
        now = numbered_rows(table.name, table.partitioned, key, item["columns"])
        parts = {
            "table": sql.Identifier(*table.name),
            "only": table.only(),
            "now": now,
            "rows": sql.SQL(
                "SELECT number, key, occurrence, columns, kept, CAST(kept AS pg_temp.runbook_shape) AS shape"
                " FROM runbook_salvage.kept_row WHERE item = {} AND held_back IS NULL{}"
            ).format(
                sql.Literal(item["item"]),
                sql.SQL("") if number is None else sql.SQL(" AND number = {}").format(sql.Literal(number)),
            ),
        }
        if item["kind"] == DELETED:
            self._delete_again(item, table, parts)
            self._delete_returned(item, sql.SQL("held_back IS NULL"), number)
            return
        if item["kind"] != COLUMNS:
            self._take_over_fresh(item, table, parts)
        self._update_present(item, table, parts)
        if item["kind"] != COLUMNS:
            self._insert_missing(item, parts)
        # What is not there now did not find its place.
        self.cursor.execute(
            sql.SQL(
                "UPDATE runbook_salvage.kept_row SET held_back = {reason} WHERE number IN"
                " (SELECT k.number FROM ({rows}) AS k LEFT JOIN ({now}) AS now USING (key, occurrence)"
                " WHERE now.place IS NULL)"
            ).format(
                reason=sql.Literal(ROW_GONE if item["kind"] == COLUMNS else VALUES_TAKEN),
                **_only(parts, "rows", "now"),
            )
        )
        self._delete_returned(item, sql.SQL("held_back IS NULL"), number)

    @staticmethod
    def _replaces(item):
        """Whether the item is the whole content of a table that has no key to tell its rows apart."""
        return item["kind"] == ROWS and not item["facts"]["unique_key"]

    def _all_held_back(self, item):
        self.cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM runbook_salvage.kept_row WHERE item = %s AND held_back IS NULL)",
            (item["item"],),
        )
        return self.cursor.fetchone()[0]

    def _fresh(self, item, table, parts):
        """SQL query for pairs of a kept row and a row that this deploy brought in its stead: number, place, ...

        They belong together by their key, or by the values of a unique index, under another generated key.
        """
        same = [sql.SQL("(fresh.key = k.key AND fresh.occurrence = k.occurrence)")]
        for columns in table.unique_columns:
            if set(columns) <= set(item["columns"]):
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
            " JOIN {only}{table} t ON t.ctid = now.place AND t.tableoid = now.partition WHERE ({same})"
            # Neither a kept row that has its own, nor the own of another one.
            " AND (fresh.key = k.key OR NOT EXISTS (SELECT FROM ({rows}) AS other WHERE other.key = fresh.key)"
            " AND NOT EXISTS (SELECT FROM ({now}) AS other WHERE other.key = k.key))"
            " ORDER BY k.number, fresh.key = k.key DESC"
        ).format(
            version=sql.Literal(self.version),
            schema=sql.Literal(item["schema"]),
            name=sql.Literal(item["table"]),
            same=sql.SQL(" OR ").join(same),
            **parts,
        )

    def _delete_again(self, item, table, parts):
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM {only}{table} t USING ({fresh}) AS pair"
                " WHERE t.ctid = pair.place AND t.tableoid = pair.partition"
            ).format(fresh=self._fresh(item, table, parts), **_only(parts, "only", "table"))
        )

    def _take_over_fresh(self, item, table, parts):
        """A row that this deploy brought anew becomes the one that users had made of its predecessor."""
        if not table.unique_columns:
            return
        assignments = sql.SQL(", ").join(
            sql.SQL("{} = (pair.shape).{}").format(sql.Identifier(name), sql.Identifier(name))
            for name in item["columns"]
            if name not in table.always_identity
        )
        self.cursor.execute(
            sql.SQL(
                "WITH pair AS MATERIALIZED ({fresh}), taken AS (UPDATE {only}{table} t SET {assignments} FROM pair"
                " WHERE t.ctid = pair.place AND t.tableoid = pair.partition AND pair.fresh_key <> pair.key)"
                " UPDATE runbook_salvage.made_row made SET key = pair.key, occurrence = pair.occurrence FROM pair"
                " WHERE made.migration = {version} AND made.schema_name = {schema} AND made.table_name = {name}"
                " AND made.key = pair.fresh_key AND made.occurrence = pair.fresh_occurrence"
            ).format(
                fresh=self._fresh(item, table, parts),
                assignments=assignments,
                version=sql.Literal(self.version),
                schema=sql.Literal(item["schema"]),
                name=sql.Literal(item["table"]),
                **_only(parts, "only", "table"),
            )
        )

    def _update_present(self, item, table, parts):
        settable = [name for name in item["columns"] if name not in table.always_identity]
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
                "UPDATE {only}{table} t SET {assignments}"
                " FROM ({now}) AS now JOIN ({rows}) AS k USING (key, occurrence)"
                " WHERE k.kept <> now.line AND t.ctid = now.place AND t.tableoid = now.partition"
            ).format(assignments=assignments, **parts)
        )

    def _insert_missing(self, item, parts):
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}"
                " FROM ({rows}) AS k LEFT JOIN ({now}) AS now USING (key, occurrence)"
                " WHERE k.columns IS NULL AND now.place IS NULL ON CONFLICT DO NOTHING"
            ).format(
                columns=sql.SQL(", ").join(map(sql.Identifier, item["columns"])),
                values=sql.SQL(", ").join(
                    sql.SQL("(k.shape).{}").format(sql.Identifier(name)) for name in item["columns"]
                ),
                **_only(parts, "table", "rows", "now"),
            )
        )

    def _hold_back_orphans(self, item, table):
        """Rows whose parent is gone; a parent among the rows themselves is not asked for."""
        for constraint in table.foreign_keys:
            if constraint.parent == table.name or not set(constraint.columns) <= set(item["columns"]):
                continue
            mine = [sql.SQL("(k.shape).{}").format(sql.Identifier(name)) for name in constraint.columns]
            theirs = [sql.SQL("p.{}").format(sql.Identifier(name)) for name in constraint.referred]
            counted = sql.SQL(" OR ").join(
                sql.SQL("{} = ANY (k.columns)").format(sql.Literal(name)) for name in constraint.columns
            )
            self.cursor.execute(
                sql.SQL(
                    "UPDATE runbook_salvage.kept_row SET held_back = {reason} WHERE number IN (SELECT k.number"
                    " FROM (SELECT number, columns, CAST(kept AS pg_temp.runbook_shape) AS shape"
                    " FROM runbook_salvage.kept_row WHERE item = {item} AND held_back IS NULL"
                    " OFFSET 0) AS k WHERE (k.columns IS NULL OR {counted}) AND {known}"
                    " AND NOT EXISTS (SELECT FROM {parent} p WHERE {equal}))"
                ).format(
                    reason=sql.Literal(f"its parent in {'.'.join(constraint.parent)} is gone"),
                    item=sql.Literal(item["item"]),
                    counted=counted,
                    known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(one) for one in mine),
                    parent=sql.Identifier(*constraint.parent),
                    equal=sql.SQL(" AND ").join(
                        sql.SQL("{} = {}").format(one, other) for one, other in zip(theirs, mine)
                    ),
                )
            )

    # Both ------------------------------------------------------------------------------------------------

    @contextmanager
    def _shape(self, item, table):
        """A type with the item's columns in their order, which reads the kept records."""
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE runbook_shape AS SELECT {} FROM {} WITH NO DATA").format(
                sql.SQL(", ").join(map(sql.Identifier, item["columns"])), sql.Identifier(*table.name)
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

    def _delete_returned(self, item, condition, number=None):
        self.cursor.execute(
            sql.SQL(
                "DELETE FROM runbook_salvage.kept_row WHERE item = %s AND {} AND (%s::bigint IS NULL OR number = %s)"
            ).format(sql.SQL(condition) if isinstance(condition, str) else condition),
            (item["item"], number, number),
        )

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


def _message(error):
    return (error.diag.message_primary if error.diag else None) or " ".join(str(error).split())


def _only(parts, *names):
    return {name: parts[name] for name in names}
