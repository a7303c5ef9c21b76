# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Schema ``runbook_salvage``: what rollbacks took out of the application's tables, until it comes back.

Values are kept as PostgreSQL's own record text, which every type's output function writes and its input function
reads back exactly, NULL told from the empty string (manual, "Composite Type Input and Output Syntax"). Kept in
their own types they would hold the very types and enum labels that a rollback has to drop.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...content.row_digest import sums_as_text
from ...digests import canonical_json
from ...ledger.schema import OWNER_ALONE
from ...ledger.upgrade import upgrade
from ...postgres.answers import one_row
from ...postgres.connection import sql
from ...shapes import Cursor, Json, TableName

__all__ = [
    "COLUMNS",
    "LABELS",
    "LARGE_OBJECTS",
    "OF_TABLES",
    "PRIVILEGES",
    "ROWS",
    "SEQUENCE",
    "TABLE",
    "SalvageStore",
]

# Kinds of an item.
TABLE = "dropped table"
COLUMNS = "dropped columns"
ROWS = "changed rows"
#: Those that are rows of a table; the others belong to an object.
OF_TABLES = (TABLE, COLUMNS, ROWS)
SEQUENCE = "sequence"
PRIVILEGES = "privileges"
LABELS = "enum labels"
LARGE_OBJECTS = "large objects"

OPEN_ITEMS = """
    SELECT item, run_id, migration, kind, schema_name, table_name, columns, key_columns, facts, rows, bytes, digest
    FROM runbook_salvage.manifest WHERE migration = %s AND returned IS NULL ORDER BY item"""

NAMES = (
    "item",
    "run_id",
    "migration",
    "kind",
    "schema",
    "table",
    "columns",
    "key_columns",
    "facts",
    "rows",
    "bytes",
    "digest",
)

# Rows of which nothing waits are there for those that refer to them: by them the ones that were meant are recognised.
WAITS = "cardinality({}.columns) IS DISTINCT FROM 0"

# Of one item; the digest is of its rows in any order.
MEASURE = f"""
    SELECT count(*) FILTER (WHERE {WAITS.format("rows")}),
           coalesce(sum(octet_length(coalesce(kept, base))), 0)::bigint,
           encode(sha256(convert_to({{}}, 'UTF8')), 'hex'), count(*)
    FROM (SELECT kept, base, columns,
                 -- As the first release wrote it, where there is nothing that it did not have.
                 CASE WHEN base IS NULL THEN ROW(key, occurrence, kept, columns)::text
                      ELSE ROW(key, occurrence, kept, base, columns)::text END AS line
          FROM runbook_salvage.kept_row WHERE item = %s) AS rows"""


class SalvageStore:
    """The schema in the database of the cursor; nothing here commits."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def exists(self) -> bool:
        self.cursor.execute("SELECT to_regclass('runbook_salvage.manifest') IS NOT NULL")
        return one_row(self.cursor)[0]

    def create(self) -> None:
        upgrade(self.cursor)

    def bring_up_to_date(self) -> None:
        """Add what a schema of an earlier release lacks; does nothing where there is none."""
        if self.exists():
            upgrade(self.cursor)

    def is_owners_alone(self) -> bool:
        """Whether row security keeps its rows from everybody but its owner."""
        self.cursor.execute(
            "SELECT coalesce(bool_or(relrowsecurity), false) FROM pg_catalog.pg_class"
            " WHERE oid = to_regclass('runbook_salvage.kept_row')"
        )
        return one_row(self.cursor)[0]

    def make_owners_alone(self) -> None:
        """Keep its rows from those, too, who may read every table: they were not to see all of what is kept."""
        if not self.is_owners_alone():
            self.cursor.execute(OWNER_ALONE)

    def begin_item(
        self,
        run_id: str,
        migration: str,
        kind: str,
        table: Sequence[str | None] = (None, None),
        columns: Sequence[str] = (),
        key_columns: Sequence[str] = (),
        facts: Json | None = None,
    ) -> int:
        """Enter an item without rows; returns its number."""
        self.cursor.execute(
            "INSERT INTO runbook_salvage.manifest (run_id, migration, kind, schema_name, table_name, columns,"
            " key_columns, facts) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING item",
            (
                run_id,
                migration,
                kind,
                *table,
                list(columns),
                list(key_columns),
                canonical_json(facts or {}),
            ),
        )
        return one_row(self.cursor)[0]

    def finish_item(self, item: int) -> Json | None:
        """Count, measure and digest its rows; an item without any is taken out.

        Returns:
            dict: item, table, kind, columns, rows, bytes, digest; or None where nothing of it waits.
        """
        rows, size, digest, entered = self._measure(item)
        if entered == 0:
            self.cursor.execute("DELETE FROM runbook_salvage.manifest WHERE item = %s", (item,))
            return None
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET rows = %s, bytes = %s, digest = %s WHERE item = %s"
            " RETURNING coalesce(schema_name || '.' || table_name, facts ->> 'object'), kind, columns",
            (rows, size, digest, item),
        )
        name, kind, columns = one_row(self.cursor)
        if rows == 0:
            return None
        return {
            "item": item,
            "table": name,
            "kind": kind,
            "columns": columns,
            "rows": rows,
            "bytes": size,
            "digest": digest,
        }

    def items_of(self, run_id: str, migration: str) -> list[Json]:
        """What a run has kept of a migration's rollback: as finish_item() gives it, one an item."""
        if not self.exists():
            return []
        self.cursor.execute(
            "SELECT item, coalesce(schema_name || '.' || table_name, facts ->> 'object'), kind, columns, rows, bytes,"
            " digest FROM runbook_salvage.manifest WHERE (run_id, migration) = (%s, %s) AND rows > 0 ORDER BY item",
            (run_id, migration),
        )
        names = ("item", "table", "kind", "columns", "rows", "bytes", "digest")
        return [dict(zip(names, row)) for row in self.cursor.fetchall()]

    def add_facts(self, item: int, facts: Json, key_columns: Sequence[str] | None = None) -> None:
        """Note more of what returning an item takes, and how its rows are known if that is something else now."""
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET facts = facts || %s, key_columns = coalesce(%s, key_columns)"
            " WHERE item = %s",
            (canonical_json(facts), None if key_columns is None else list(key_columns), item),
        )

    def note_dropped(self, table: TableName, migration: str) -> None:
        """Say of what is kept of a table for later migrations that this one's rollback has dropped the table since.

        Made again it may hand out its numbers to other rows. (Its OID would not do: the copy's is another one.)
        """
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest SET facts = facts || '{\"table_dropped\": true}'"
            " WHERE (schema_name, table_name) = (%s, %s) AND migration <> %s AND returned IS NULL",
            (*table, migration),
        )

    def purge(self, items: Sequence[int]) -> None:
        """Delete items with all that is kept of them."""
        for table in ("kept_row", "manifest"):
            self.cursor.execute(
                sql.SQL("DELETE FROM runbook_salvage.{} WHERE item = ANY (%s)").format(sql.Identifier(table)),
                (list(items),),
            )

    def hold_back(self, item: int, reason: str, numbers: list[int] | None = None) -> None:
        """Say why rows of an item stay where they are: all that have no reason yet, or those with these numbers."""
        self.cursor.execute(
            "UPDATE runbook_salvage.kept_row SET held_back = %s WHERE item = %s AND held_back IS NULL"
            " AND (%s::bigint[] IS NULL OR number = ANY (%s))",
            (reason, item, numbers, numbers),
        )

    def forget_returned(self, item: int) -> None:
        """Take out the rows of an item that went back: those that have no reason to stay."""
        self.cursor.execute(
            "DELETE FROM runbook_salvage.kept_row k WHERE item = %s AND held_back IS NULL AND "
            + WAITS.format("k"),
            (item,),
        )

    def forget_known_again(self, migration: str, run_id: str) -> None:
        """Take out what was kept for rows that refer to it, where none of a rollback waits any more."""
        self.cursor.execute(
            "UPDATE runbook_salvage.manifest m SET returned = clock_timestamp(), returned_by = %s"
            " WHERE migration = %s AND returned IS NULL AND NOT EXISTS (SELECT FROM runbook_salvage.kept_row k"
            " JOIN runbook_salvage.manifest other USING (item) WHERE (other.run_id, other.migration)"
            " = (m.run_id, m.migration) AND other.returned IS NULL AND " + WAITS.format("k") + ")",
            (run_id, migration),
        )
        self.cursor.execute(
            "DELETE FROM runbook_salvage.kept_row k USING runbook_salvage.manifest m"
            " WHERE m.item = k.item AND m.migration = %s AND m.returned IS NOT NULL",
            (migration,),
        )

    def measure(self, item: int) -> tuple[int, int, str]:
        """(rows, bytes, digest) of what is kept now."""
        rows, size, digest, _ = self._measure(item)
        return rows, size, digest

    def _measure(self, item: int) -> tuple[int, int, str, int]:
        self.cursor.execute(sql.SQL(MEASURE).format(sums_as_text()), (item,))
        rows, size, digest, entered = one_row(self.cursor)
        return rows, size, digest, entered

    def open_items(self, migration: str) -> list[Json]:
        """Items of a migration that have not gone back whole, in the order in which they were kept.

        Returns:
            list of dict: item, run_id, migration, kind, schema, table, columns, key_columns, facts, rows,
            bytes, digest.
        """
        if not self.exists():
            return []
        self.cursor.execute(OPEN_ITEMS, (migration,))
        return [dict(zip(NAMES, row)) for row in self.cursor.fetchall()]

    def item(self, number: int) -> Json | None:
        """One item as ``open_items`` gives it, or None where there is none that has not gone back whole."""
        self.cursor.execute("SELECT migration FROM runbook_salvage.manifest WHERE item = %s", (number,))
        row = self.cursor.fetchone()
        found = self.open_items(row[0]) if row else []
        return next((item for item in found if item["item"] == number), None)

    def waiting(self) -> list[tuple[str, str]]:
        """(run_id, migration) of each item of which something waits."""
        if not self.exists():
            return []
        self.cursor.execute(
            "SELECT m.run_id, m.migration FROM runbook_salvage.manifest m WHERE m.returned IS NULL AND EXISTS"
            " (SELECT FROM runbook_salvage.kept_row k WHERE k.item = m.item AND " + WAITS.format("k") + ")"
            " ORDER BY m.item"
        )
        return self.cursor.fetchall()

    def summary(self) -> list[Json]:
        """What is kept, by migration and table.

        Returns:
            list of dict: item, run_id, migration, kind, table, columns, rows (still here), held_back (of these),
            reasons (reason -> rows held back for it), bytes, kept (UTC text), age_days (whole days).
        """
        if not self.exists():
            return []
        self.cursor.execute(
            "SELECT m.item, m.run_id, m.migration, m.kind,"
            " coalesce(m.schema_name || '.' || m.table_name, m.facts ->> 'object'), m.columns,"
            " count(*), count(k.held_back),"
            " (SELECT coalesce(jsonb_object_agg(held.reason, held.rows), '{}') FROM"
            " (SELECT h.held_back AS reason, count(*) AS rows FROM runbook_salvage.kept_row h"
            " WHERE h.item = m.item AND h.held_back IS NOT NULL GROUP BY h.held_back) AS held),"
            # Status reads an earlier layout too, which has no base.
            " coalesce(sum(octet_length(coalesce(k.kept, to_jsonb(k) ->> 'base'))), 0)::bigint,"
            " to_char(m.kept AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"'),"
            " greatest(floor(extract(epoch FROM clock_timestamp() - m.kept) / 86400), 0)::int"
            " FROM runbook_salvage.manifest m JOIN runbook_salvage.kept_row k USING (item)"
            " WHERE m.returned IS NULL AND " + WAITS.format("k") + " GROUP BY m.item ORDER BY m.item"
        )
        names = (
            "item",
            "run_id",
            "migration",
            "kind",
            "table",
            "columns",
            "rows",
            "held_back",
            "reasons",
            "bytes",
            "kept",
            "age_days",
        )
        return [dict(zip(names, row)) for row in self.cursor.fetchall()]
