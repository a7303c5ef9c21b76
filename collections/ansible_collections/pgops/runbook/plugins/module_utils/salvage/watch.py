# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a script destroys of the data that was there: tables, columns, and rows that it changed.

Told from the identity of things, not from their names: a table that is dropped and made again under its name has
another OID, a column another number. Rows are counted by PostgreSQL's own statistics of the transaction, which
miss no cascade, partition or disabled trigger; TRUNCATE and rewrites change the table's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..postgres.application_tables import RELATIONS, TABLES, of_application
from ..shapes import Cursor, Json

__all__ = ["DestructionWatch", "Loss", "Seen", "losses_from_json", "losses_to_json", "uncovered"]

# Of partitioned tables the topmost stands for all of its partitions. Generated columns are left out: they come back
# by themselves.
WATCHED = f"""
    SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, c.relfilenode::bigint,
           CASE WHEN c.relispartition THEN pg_catalog.pg_partition_root(c.oid)::oid ELSE c.oid END::bigint,
           c.relrowsecurity,
           coalesce(columns.numbers, '{{}}'), coalesce(columns.names, '{{}}'), coalesce(columns.types, '{{}}')
    FROM {RELATIONS}
    CROSS JOIN LATERAL (
        SELECT array_agg(a.attnum::int) AS numbers, array_agg(a.attname::text) AS names,
               array_agg(pg_catalog.concat_ws('/', a.atttypid, a.atttypmod, fields.numbers)) AS types
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        -- A composite type may lose a field, and with it all of its values do.
        LEFT JOIN LATERAL (
            SELECT string_agg(f.attnum::text, ',' ORDER BY f.attnum) AS numbers FROM pg_catalog.pg_attribute f
            WHERE f.attrelid = coalesce(e.typrelid, t.typrelid) AND f.attnum > 0 AND NOT f.attisdropped
        ) AS fields ON coalesce(e.typrelid, t.typrelid) <> 0
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ) AS columns
    WHERE {of_application(TABLES, version_tables="%(versions)s")}"""

CHANGED_ROWS = """
    SELECT relid::bigint, n_tup_upd + n_tup_del, n_tup_ins FROM pg_catalog.pg_stat_xact_user_tables
    WHERE n_tup_upd + n_tup_del + n_tup_ins > 0"""


NONE = (0, 0)


@dataclass
class Loss:
    """What one table loses.

    Attributes:
        table: schema and name.
        whole: the table itself goes.
        columns: names of the columns that go.
        rows: rows that stay were updated, deleted, truncated or converted to another type.
    """

    table: tuple[str, str]
    whole: bool = False
    columns: set[str] = field(default_factory=set)
    rows: bool = False


@dataclass
class WatchedTable:
    name: tuple[str, str]
    kind: str
    file: int
    root: int
    row_security: bool
    columns: dict[int, str]
    types: dict[int, str]


@dataclass
class Seen:
    """All tables at one moment of a transaction: OID -> table, and OID -> rows changed or deleted, rows inserted."""

    tables: dict[int, WatchedTable]
    rows: dict[int, tuple[int, int]]


class DestructionWatch:
    """Looks at the tables before a script and tells what it destroyed from how they are seen afterwards.

    A look reads the catalog of all tables, which among many takes as long as a script: one that serves for several
    questions is taken once.

    Args:
        cursor: of the script's transaction, before its first statement.
        before: how they have been seen, where nothing was changed since.
    """

    def __init__(self, cursor: Cursor, before: Seen | None = None) -> None:
        self.cursor = cursor
        # Its row goes and comes with every migration, and is no user's.
        self.versions = VersionTable(cursor).quoted_names()
        seen = before or self.look()
        self.before, self._rows = seen.tables, seen.rows
        self._counted = self._counts_rows()

    def look(self) -> Seen:
        """How the tables are now; of the rows those that were changed in this transaction."""
        return Seen(self._tables(), self._changed_rows())

    def _tables(self) -> dict[int, WatchedTable]:
        self.cursor.execute(WATCHED, {"versions": self.versions})
        return {
            oid: WatchedTable(
                (schema, name),
                kind,
                file,
                root,
                secured,
                dict(zip(numbers, names)),
                dict(zip(numbers, types)),
            )
            for oid, schema, name, kind, file, root, secured, numbers, names, types in self.cursor.fetchall()
        }

    def _changed_rows(self) -> dict[int, tuple[int, int]]:
        self.cursor.execute(CHANGED_ROWS)
        return {oid: (changed, inserted) for oid, changed, inserted in self.cursor.fetchall()}

    def _counts_rows(self) -> bool:
        """Whether the server counts rows (track_counts); where it does not, any row may have been changed."""
        self.cursor.execute("SHOW track_counts")
        return one_row(self.cursor)[0] == "on"

    def oid_of(self, table: Sequence[str]) -> int | None:
        """OID of a table that was there before, by (schema, name), or None."""
        return next((oid for oid, found in self.before.items() if found.name == tuple(table)), None)

    def losses(self, after: Seen) -> dict[int, Loss]:
        """What went since this was built.

        Returns:
            dict OID -> Loss, by topmost table; the names are those from before.
        """
        losses: dict[int, Loss] = {}
        for oid, was in self.before.items():
            # What a partition loses are rows of its topmost table.
            root = was.root if was.root in self.before else oid
            now = after.tables.get(oid)
            if now is None:
                loss = losses.setdefault(root, Loss(self.before[root].name))
                loss.whole, loss.rows = loss.whole or root == oid, True
                continue
            gone = {name for number, name in was.columns.items() if number not in now.columns}
            converted = any(
                was.types[number] != kind for number, kind in now.types.items() if number in was.types
            )
            rewritten = was.kind == "r" and was.file != now.file
            changed = not self._counted or after.rows.get(oid, NONE)[0] > self._rows.get(oid, NONE)[0]
            if gone or converted or rewritten or changed:
                loss = losses.setdefault(root, Loss(self.before[root].name))
                loss.rows = loss.rows or converted or rewritten or changed
                if root == oid:
                    loss.columns |= gone
        return losses

    def grown(self, after: Seen) -> set[int]:
        """OIDs of the topmost tables that were there and into which rows were inserted since."""
        return {
            was.root if was.root in self.before else oid
            for oid, was in self.before.items()
            if after.rows.get(oid, NONE)[1] > self._rows.get(oid, NONE)[1]
        }


def uncovered(losses: Mapping[int, Loss], planned: Mapping[int, Loss]) -> dict[int, Loss]:
    """Losses that were not planned for: what must be kept before the script may run.

    Args:
        losses, planned: dict OID -> Loss.

    Returns:
        dict OID -> Loss: ``planned`` widened by what was missing; empty where nothing was.
    """
    widened = {}
    for oid, loss in losses.items():
        plan = planned.get(oid)
        if plan is None or (loss.whole and not plan.whole):
            widened[oid] = loss
        elif not plan.whole and (not loss.columns <= plan.columns or (loss.rows and not plan.rows)):
            widened[oid] = Loss(loss.table, False, loss.columns | plan.columns, loss.rows or plan.rows)
    return {**planned, **widened} if widened else {}


def losses_to_json(losses: Mapping[int, Loss]) -> list[Json]:
    """As plain JSON types, by name: an OID means nothing in another database."""
    return [
        {"table": list(loss.table), "whole": loss.whole, "columns": sorted(loss.columns), "rows": loss.rows}
        for _, loss in sorted(losses.items())
    ]


def losses_from_json(watch: DestructionWatch, entries: Iterable[Json] | None) -> dict[int, Loss]:
    """The inverse of losses_to_json for the database of ``watch``; what is not there is left out.

    Returns:
        dict OID -> Loss.
    """
    losses = {}
    for entry in entries or []:
        oid = watch.oid_of(entry["table"])
        if oid is not None:
            known = set(watch.before[oid].columns.values())
            losses[oid] = Loss(
                watch.before[oid].name, entry["whole"], set(entry["columns"]) & known, entry["rows"]
            )
    return losses
