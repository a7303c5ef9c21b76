# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which rows and values a migration itself brought: noted when it is deployed, before anybody else can write.

Three things follow from it. A row that the migration brought and that is gone when it is rolled back was deleted by a
user, and stays deleted when it is deployed again. And a row that a new deploy has just brought, though under another
key, may give way to the one that users had made of it. And of a column that a
rollback drops only those values need to be kept that the next deploy does not give by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.session import pin_session, restore_session
from ..shapes import Cursor
from .key import Key, choose_key, numbered_rows
from .store.brought import note_column, note_rows, note_source
from .store.items import SalvageStore
from .watch import DestructionWatch, WatchedTable

__all__ = ["MadeRows"]


# A default that gives the same value whenever the column is added again.
LITERAL = re.compile(
    r"""(?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(-\d+(?:\.\d+)?\)|true|false|NULL)"""
    r"""(?:::[A-Za-z0-9_ ."]+(?:\(\d+(?:,\d+)?\))?(?:\[\])*)?"""
)


class MadeRows:
    """Notes the rows that one migration brings.

    Args:
        cursor: of the applying transaction, before the migration's first statement.
        version: the migration.
        written_tables: ``schema.table`` of tables that were there and into which the rehearsal saw it insert.
    """

    def __init__(self, cursor: Cursor, version: str, written_tables: Collection[str] = ()) -> None:
        self.cursor = cursor
        self.version = version
        self.watch = DestructionWatch(cursor)
        self._known: dict[int, tuple[str, Key]] = {}
        previous = pin_session(cursor, local=True)
        for oid, table in self.watch.before.items():
            if ".".join(table.name) in written_tables and table.root == oid:
                self._note_keys(oid, table)
        self._scans = self._tables_read()
        restore_session(cursor, previous, local=True)

    def _note_keys(self, oid: int, table: WatchedTable) -> None:
        columns = [name for _, name in sorted(table.columns.items())]
        key = choose_key(self.cursor, oid, columns)
        image = f"runbook_known_{len(self._known)}"
        self.cursor.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT key, occurrence FROM ({}) AS rows"
            ).format(sql.Identifier(image), numbered_rows(table.name, table.kind == "p", key, key.columns))
        )
        self._known[oid] = (image, key)

    def _tables_read(self) -> dict[int, int]:
        """OID -> scans of each table in this transaction."""
        self.cursor.execute(
            "SELECT relid::bigint, coalesce(seq_scan, 0) + coalesce(idx_scan, 0)"
            " FROM pg_catalog.pg_stat_xact_user_tables"
        )
        return dict(self.cursor.fetchall())

    def _note_sources(self, store: SalvageStore, scans: dict[int, int]) -> None:
        """Tables that it read from: their rows may have made those that it brought."""
        if not store.exists():
            return
        for oid, table in self.watch.before.items():
            if scans.get(oid, 0) > self._scans.get(oid, 0):
                root = self.watch.before.get(table.root, table)
                note_source(self.cursor, self.version, root.name)

    def note(self) -> None:
        """Write them down; to be called after the migration's last statement, before anybody else's."""
        scans = self._tables_read()
        store = SalvageStore(self.cursor)
        store.bring_up_to_date()
        previous = pin_session(self.cursor, local=True)
        store.forget_made(self.version)
        self._note_columns(store)
        for oid, name, partitioned, columns in self.watch.tables_now():
            image, key = self._known.get(oid, (None, None))
            if oid in self.watch.before and image is None:
                continue
            if key is None or not set(key.columns) <= set(columns):
                key = choose_key(self.cursor, oid, columns)
            self.cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(*name)))
            if one_row(self.cursor)[0]:
                store.create()
                self._write(name, columns, numbered_rows(name, partitioned, key, columns), image)
            if image:
                self.cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("pg_temp", image)))
        self._note_sources(store, scans)
        restore_session(self.cursor, previous, local=True)

    def _note_columns(self, store: SalvageStore) -> None:
        """What each new column gave to the rows that were there: its default as it was then, or NULL.

        PostgreSQL notes such a default with the column (manual, "pg_attribute", attmissingval). Not noted is what
        the next deploy may give otherwise: where the migration wrote to the rows, or the table was rewritten, and
        where the value is not that of a constant: now() gives one value to all rows too.
        """
        written = {oid for oid, loss in self.watch.losses().items() if loss.rows}
        for oid, before in self.watch.before.items():
            if before.root in written or oid in written:
                continue
            self.cursor.execute(
                "SELECT n.nspname::text, c.relname::text, a.attname::text,"
                " CASE WHEN a.atthasmissing THEN ROW((a.attmissingval::text::text[])[1])::text END,"
                " pg_catalog.pg_get_expr(d.adbin, d.adrelid), pg_catalog.format_type(a.atttypid, a.atttypmod)"
                " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
                " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
                " WHERE a.attrelid = %s AND a.attnum > 0 AND a.attnum <> ALL (%s) AND NOT a.attisdropped"
                " AND a.attgenerated = '' AND a.attidentity = '' AND c.relkind = 'r'",
                (oid, list(before.columns)),
            )
            for schema, table, name, given, default, kind in self.cursor.fetchall():
                if given is None or given == self._constant(default, kind):
                    store.create()
                    note_column(self.cursor, self.version, (schema, table, name), given or "()")

    def _constant(self, default: str | None, kind: str) -> str | None:
        """The value of a default that is the same whenever it is asked for, as a record; else None."""
        # 'now' was written into the default when it was made, and will be again, then.
        if default is None or not LITERAL.fullmatch(default) or kind.startswith(("time", "date")):
            return None
        # Both are the catalog's own words.
        self.cursor.execute(
            sql.SQL("SELECT ROW(CAST({} AS {}))::text").format(sql.SQL(default), sql.SQL(kind))
        )
        return one_row(self.cursor)[0]

    def _write(
        self, name: tuple[str, str], columns: list[str], rows: sql.Composable, image: str | None
    ) -> None:
        if image:
            rows = sql.SQL(
                "SELECT * FROM ({}) AS rows WHERE NOT EXISTS (SELECT FROM {} known WHERE known.key = rows.key"
                " AND known.occurrence = rows.occurrence)"
            ).format(rows, sql.Identifier("pg_temp", image))
        note_rows(self.cursor, self.version, name, columns, rows)
