# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeping what a rollback destroys, in the rollback's own transaction.

Before the script: tables and columns that will go are copied into the salvage, and of tables whose rows it will
change an image is taken. After it: rows that differ from their image are kept in their old version. A comparison of
before and after misses nothing that a trigger would: TRUNCATE, cascades, partitions, changed keys, disabled triggers.
"""

from __future__ import annotations

import re

from ansible_collections.pgops.runbook.plugins.module_utils.connection import sql
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_key import (
    Key,
    choose_key,
    numbered_rows,
    record,
    table_digest,
)
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
from ansible_collections.pgops.runbook.plugins.module_utils.salvage_watch import (
    DestructionWatch,
    Loss,
    losses_from_json,
    uncovered,
)
from ansible_collections.pgops.runbook.plugins.module_utils.session import pin_session, restore_session

__all__ = ["NotForeseen", "SalvageKeeper"]

# A default that gives the same value whenever the column is added again.
LITERAL = re.compile(
    r"""(?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(-\d+(?:\.\d+)?\)|true|false|NULL)"""
    r"""(?:::[A-Za-z0-9_ ."]+(?:\(\d+(?:,\d+)?\))?(?:\[\])*)?"""
)

DEFAULTS = """
    SELECT a.attidentity <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
           pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s AND a.attname = %s AND a.attnum > 0"""


class NotForeseen(Exception):
    """The script destroyed what was not kept: undo it, and keep this too.

    Attributes:
        version: the migration.
        losses: dict OID -> Loss, all that has to be kept.
    """

    def __init__(self, version, losses):
        super().__init__(version)
        self.version = version
        self.losses = losses


class SalvageKeeper:
    """Keeps what the rollback of one migration destroys.

    Args:
        cursor: of the rollback's transaction.
        run_id: name of the run.
        version: the migration.
        foreseen: what the rehearsal saw it destroy (losses_to_json), or None.
        written_tables: ``schema.table`` of tables whose rows the migration itself wrote when it was deployed, or
            None where that is not known. Their new columns have values that its next deploy may compute anew, so
            that NULL and the default mean something there; and of their other rows it may work on those again
            that it found different the first time, or not at all.
        learnt: dict OID -> Loss that an earlier attempt was not prepared for, or None.
    """

    def __init__(self, cursor, run_id, version, foreseen=None, written_tables=None, learnt=None):
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.written_tables = written_tables
        self.store = SalvageStore(cursor)
        self.watch = DestructionWatch(cursor)
        self.planned = {**losses_from_json(self.watch, foreseen), **(learnt or {})}
        self._rewritten_again = self._expect_rewriting()
        self.items = []
        self._images = []
        self._sequences = {}

    # Before the script -----------------------------------------------------------------------------------

    def before(self):
        """Lock, copy, and take images; to be called before the rollback's first statement."""
        self._lock()
        previous = pin_session(self.cursor, local=True)
        self._sequences = self._positions()
        self._keep_deletions()
        for oid, loss in sorted(self.planned.items()):
            self.store.create()
            columns = list(self.watch.before[oid].columns.values())
            if loss.whole:
                self._keep_table(oid, loss, columns)
                continue
            if loss.columns:
                self._keep_columns(oid, loss, columns)
            if loss.rows:
                self._take_image(oid, loss)
        restore_session(self.cursor, previous, local=True)

    def _expect_rewriting(self):
        """Tables that were there and that the next deploy writes to again: their rows are compared too."""
        made = self._tables_made()
        found = set()
        for oid, table in self.watch.before.items():
            if ".".join(table.name) in (self.written_tables or ()) and table.name not in made:
                oid = table.root if table.root in self.watch.before else oid
                loss = self.planned.setdefault(oid, Loss(self.watch.before[oid].name))
                loss.rows = loss.rows or not loss.whole
                found.add(oid)
        return found

    def _tables_made(self):
        """Tables of the migration's own, which its rollback drops."""
        return {loss.table for loss in self.planned.values() if loss.whole}

    def _lock(self):
        """Nobody may write between the copy and the script; readers may go on until the script locks them out."""
        if self.planned:
            tables = sql.SQL(", ").join(
                sql.Identifier(*loss.table) for _, loss in sorted(self.planned.items())
            )
            self.cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))

    def _keep_deletions(self):
        """What the migration brought and a user deleted since must not come back with the next deploy."""
        if not self.store.exists():
            return
        self.cursor.execute(
            "SELECT DISTINCT schema_name, table_name, columns FROM runbook_salvage.made_row WHERE migration = %s",
            (self.version,),
        )
        for schema, name, columns in self.cursor.fetchall():
            oid = self.watch.oid_of((schema, name))
            if oid is None or not set(columns) <= set(self.watch.before[oid].columns.values()):
                continue
            key = choose_key(self.cursor, oid, columns)
            item = self._begin(DELETED, (schema, name), columns, key)
            self.cursor.execute(
                sql.SQL(
                    "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept)"
                    " SELECT %(item)s, made.key, made.occurrence, made.line FROM runbook_salvage.made_row made"
                    " WHERE made.migration = %(version)s AND made.schema_name = %(schema)s"
                    " AND made.table_name = %(name)s"
                    " AND NOT EXISTS (SELECT FROM ({}) AS now WHERE now.key = made.key"
                    " AND now.occurrence = made.occurrence)"
                ).format(numbered_rows((schema, name), self._partitioned(oid), key, key.columns)),
                {"item": item, "version": self.version, "schema": schema, "name": name},
            )
            self._finish(item)

    def _keep_table(self, oid, loss, columns):
        key = choose_key(self.cursor, oid, columns)
        item = self._begin(TABLE, loss.table, columns, key)
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept)"
                " SELECT {}, key, occurrence, line FROM ({}) AS rows"
            ).format(sql.Literal(item), self._numbered(oid, loss, key, columns))
        )
        self._finish(item)

    def _keep_columns(self, oid, loss, columns):
        gone = [name for name in columns if name in loss.columns]
        key = choose_key(self.cursor, oid, [name for name in columns if name not in loss.columns])
        item = self._begin(COLUMNS, loss.table, gone, key)
        differing = sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(
            sql.SQL(", ").join(self._differs_from_default(oid, loss, name) for name in gone)
        )
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns)"
                " SELECT {}, key, occurrence, line, differing FROM ({}) AS rows WHERE cardinality(differing) > 0"
            ).format(sql.Literal(item), self._numbered(oid, loss, key, gone, differing=differing))
        )
        self._finish(item)

    def _differs_from_default(self, oid, loss, name):
        """SQL: the column's name where its value is another than a new deploy gives, else NULL."""
        self.cursor.execute(DEFAULTS, (oid, name))
        identity, default, kind = self.cursor.fetchone()
        default = default or "NULL"
        known = self.written_tables is not None and ".".join(loss.table) not in self.written_tables
        if identity or not known or not LITERAL.fullmatch(default):
            return sql.Literal(name)
        # The default and the type are the catalog's own words.
        return sql.SQL("CASE WHEN ROW({})::text <> ROW(CAST({} AS {}))::text THEN {} END").format(
            sql.Identifier(name), sql.SQL(default), sql.SQL(kind), sql.Literal(name)
        )

    def _take_image(self, oid, loss):
        table = self.watch.before[oid]
        numbers = [number for number, name in sorted(table.columns.items()) if name not in loss.columns]
        names = [table.columns[number] for number in numbers]
        key = choose_key(self.cursor, oid, names)
        image = f"runbook_image_{len(self._images)}"
        # As text: a column of its own type would keep the script from dropping the type.
        self.cursor.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} ON COMMIT DROP AS {}").format(
                sql.Identifier(image), self._numbered(oid, loss, key, names, parts=_parts(names))
            )
        )
        self._images.append((oid, loss, numbers, names, key, image))

    def keep_privileges(self, granted):
        """Keep what was granted on objects that the rollback drops: dict catalog key -> privileges."""
        for key, privileges in sorted(granted.items()):
            self.store.create()
            item = self.store.begin_item(
                self.run_id, self.version, PRIVILEGES, facts={"object": key, "privileges": privileges}
            )
            for privilege in privileges:
                self.cursor.execute(
                    "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, %s, 1, %s)",
                    (item, key, privilege),
                )
            self._finish(item)

    # After the script ------------------------------------------------------------------------------------

    def after(self):
        """Keep the old version of every row that the script changed.

        Returns:
            list of dict: what was kept (see SalvageStore.finish_item).

        Raises:
            NotForeseen: when it destroyed more than was kept.
        """
        previous = pin_session(self.cursor, local=True)
        missing = uncovered(self.watch.losses(), self.planned)
        if missing:
            raise NotForeseen(self.version, missing)
        for image in self._images:
            self._keep_changed_rows(*image)
        self._keep_sequences()
        self.cursor.execute("SELECT to_regclass('runbook_salvage.made_row') IS NOT NULL")
        if self.cursor.fetchone()[0]:
            self.cursor.execute("DELETE FROM runbook_salvage.made_row WHERE migration = %s", (self.version,))
        restore_session(self.cursor, previous, local=True)
        return self.items

    def _keep_changed_rows(self, oid, loss, numbers, names, key, image):
        table_now, columns_now = self.watch.now(oid)
        names_now = [columns_now[number] for number in numbers]
        key_now = Key([names_now[names.index(name)] for name in key.columns], key.unique)
        self._left = {
            "left_table": table_now,
            "left_columns": names_now,
            "left_key_columns": key_now.columns,
            "left_digest": None if key.unique else self._digest(oid, table_now, key_now, names_now),
        }
        item = self._begin(ROWS, loss.table, names, key, self._left)
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns, left_digest)"
                " SELECT {item}, was.key, was.occurrence, was.line,"
                " CASE WHEN present.key IS NOT NULL AND {in_parts} THEN"
                " ARRAY(SELECT c.name FROM unnest({names}, was.parts, present.parts) AS c (name, was, now)"
                " WHERE c.was <> c.now) END, md5(present.line)"
                " FROM {image} was LEFT JOIN ({present}) AS present USING (key, occurrence) WHERE {which}"
            ).format(
                # Without a key no row can be told from its successor: the table goes back as a whole.
                which=sql.SQL("present.line IS DISTINCT FROM was.line" if key.unique else "true"),
                item=sql.Literal(item),
                # Where the next deploy writes to these rows again, their other columns count too.
                in_parts=sql.Literal(key.unique and oid not in self._rewritten_again),
                names=sql.Literal(names),
                image=sql.Identifier("pg_temp", image),
                present=numbered_rows(
                    table_now, self._partitioned(oid), key_now, names_now, parts=_parts(names_now)
                ),
            )
        )
        self._finish(item)
        if key.unique and oid in self._rewritten_again:
            self._note_untouched(loss, names, key, image)
        self.cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("pg_temp", image)))

    def _note_untouched(self, loss, names, key, image):
        """Digests of the other rows: they were as they are now before the rollback, and shall be so again."""
        item = self._begin(UNTOUCHED, loss.table, names, key, self._left)
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept, columns, left_digest)"
                " SELECT {}, was.key, was.occurrence, '', '{{}}', md5(was.line) FROM {} was"
                " WHERE NOT EXISTS (SELECT FROM runbook_salvage.kept_row k JOIN runbook_salvage.manifest m USING (item)"
                " WHERE m.run_id = {} AND m.kind = {} AND (m.schema_name, m.table_name) = ({}, {}) AND k.key = was.key)"
            ).format(
                sql.Literal(item),
                sql.Identifier("pg_temp", image),
                sql.Literal(self.run_id),
                sql.Literal(ROWS),
                *map(sql.Literal, loss.table),
            )
        )
        self._finish(item)

    def _digest(self, oid, table, key, columns):
        self.cursor.execute(
            sql.SQL("SELECT {} FROM ({}) AS rows").format(
                table_digest(), numbered_rows(table, self._partitioned(oid), key, columns)
            )
        )
        return self.cursor.fetchone()[0]

    def _keep_sequences(self):
        """Sequences that the script set back, or that went with it: their positions are values too."""
        now = self._positions()
        moved = {
            name: value
            for name, value in self._sequences.items()
            if now.get(name) is None or now[name] < value
        }
        for name, value in sorted(moved.items()):
            self.store.create()
            item = self.store.begin_item(
                self.run_id, self.version, SEQUENCE, name, facts={"next_value": value}
            )
            self.cursor.execute(
                "INSERT INTO runbook_salvage.kept_row (item, key, occurrence, kept) VALUES (%s, '', 1, %s)",
                (item, str(value)),
            )
            self._finish(item)

    def _positions(self):
        """(schema, name) -> next value of every ascending sequence of the application."""
        self.cursor.execute(
            "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_sequence s"
            " JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE s.seqincrement > 0 AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\\_%%'"
            " AND n.nspname NOT IN ('runbook', 'runbook_salvage')"
            # The one of the record of versions moves with every migration.
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass"
            " AND d.objid = c.oid AND d.refobjid = to_regclass(%s))",
            (self.watch.versions,),
        )
        found = {}
        for schema, name in self.cursor.fetchall():
            self.cursor.execute(
                sql.SQL("SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM {}").format(
                    sql.Identifier(schema, name)
                )
            )
            found[(schema, name)] = self.cursor.fetchone()[0]
        return found

    # Both ------------------------------------------------------------------------------------------------

    def _partitioned(self, oid):
        return self.watch.before[oid].kind == "p"

    def _numbered(self, oid, loss, key, columns, **more):
        return numbered_rows(loss.table, self._partitioned(oid), key, columns, **more)

    def _begin(self, kind, table, columns, key, facts=None):
        return self.store.begin_item(
            self.run_id,
            self.version,
            kind,
            table,
            columns,
            key.columns,
            {"unique_key": key.unique, **(facts or {})},
        )

    def _finish(self, item):
        found = self.store.finish_item(item)
        if found is not None:
            self.items.append(found)


def _parts(columns):
    """SQL: an array with each column as a text of its own, NULL told from the empty string."""
    return sql.SQL("ARRAY[{}]::text[]").format(sql.SQL(", ").join(record([name]) for name in columns))
