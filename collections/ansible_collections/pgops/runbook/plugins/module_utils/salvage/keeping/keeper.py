# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeping what a rollback destroys, in the rollback's own transaction.

Before the script: tables and columns that will go are copied into the salvage, and of tables whose rows it will
change an image is taken. After it: rows that differ from their image are kept in their old version. A comparison of
before and after misses nothing that a trigger would: TRUNCATE, cascades, partitions, changed keys, disabled triggers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...postgres.connection import sql
from ...postgres.session import pin_session, restore_session
from ...shapes import Cursor, Json
from ..key import Key, choose_key, numbered_rows, record
from ..sequences import keep_positions, sequence_positions
from ..sources import note_sources
from ..store.brought import given_to_column, tables_brought_into
from ..store.items import COLUMNS, DELETED, LABELS, PRIVILEGES, ROWS, TABLE, UNTOUCHED, SalvageStore
from ..store.rows import keep_deleted, keep_line, keep_rows
from ..watch import DestructionWatch, Loss, losses_from_json, uncovered
from .image import LeftTable, RowImage

__all__ = ["NotForeseen", "SalvageKeeper"]


class NotForeseen(Exception):
    """The script destroyed what was not kept: undo it, and keep this too.

    Attributes:
        version: the migration.
        losses: dict OID -> Loss, all that has to be kept.
    """

    def __init__(self, version: str, losses: dict[int, Loss]) -> None:
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

    def __init__(
        self,
        cursor: Cursor,
        run_id: str,
        version: str,
        foreseen: list[Json] | None = None,
        written_tables: Iterable[str] | None = None,
        learnt: dict[int, Loss] | None = None,
    ) -> None:
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.written_tables = written_tables
        self.store = SalvageStore(cursor)
        self.store.bring_up_to_date()
        self.watch = DestructionWatch(cursor)
        self.planned = {**losses_from_json(self.watch, foreseen), **(learnt or {})}
        self._rewritten_again = self._expect_rewriting()
        self.items: list[Json] = []
        self._images: list[tuple[int, Loss, list[int], RowImage]] = []
        self._sequences: dict[tuple[str, str], tuple[int, int]] = {}

    # Before the script -----------------------------------------------------------------------------------

    def before(self) -> None:
        """Lock, copy, and take images; to be called before the rollback's first statement."""
        self._lock()
        previous = pin_session(self.cursor, local=True)
        self._sequences = sequence_positions(self.cursor, self.watch.versions)
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

    def _expect_rewriting(self) -> set[int]:
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

    def _tables_made(self) -> set[tuple[str, str]]:
        """Tables of the migration's own, which its rollback drops."""
        return {loss.table for loss in self.planned.values() if loss.whole}

    def _lock(self) -> None:
        """Nobody may write between the copy and the script; readers may go on until the script locks them out."""
        if self.planned:
            tables = sql.SQL(", ").join(
                sql.Identifier(*loss.table) for _, loss in sorted(self.planned.items())
            )
            self.cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))

    def _keep_deletions(self) -> None:
        """What the migration brought and a user deleted since must not come back with the next deploy."""
        if not self.store.exists():
            return
        for schema, name, columns in tables_brought_into(self.cursor, self.version):
            oid = self.watch.oid_of((schema, name))
            if oid is None or not set(columns) <= set(self.watch.before[oid].columns.values()):
                continue
            key = choose_key(self.cursor, oid, columns)
            item = self._begin(DELETED, (schema, name), columns, key)
            now = numbered_rows((schema, name), self._partitioned(oid), key, key.columns)
            keep_deleted(self.cursor, item, self.version, (schema, name), now)
            self._finish(item)

    def _keep_table(self, oid: int, loss: Loss, columns: list[str]) -> None:
        key = choose_key(self.cursor, oid, columns)
        item = self._begin(TABLE, loss.table, columns, key)
        keep_rows(self.cursor, item, self._numbered(oid, loss, key, columns))
        self._finish(item)

    def _keep_columns(self, oid: int, loss: Loss, columns: list[str]) -> None:
        gone = [name for name in columns if name in loss.columns]
        key = choose_key(self.cursor, oid, [name for name in columns if name not in loss.columns])
        item = self._begin(COLUMNS, loss.table, gone, key)
        differing = sql.SQL("array_remove(ARRAY[{}]::text[], NULL)").format(
            sql.SQL(", ").join(self._differs_from_given(loss, name) for name in gone)
        )
        rows = sql.SQL("SELECT * FROM ({}) AS rows WHERE cardinality(differing) > 0").format(
            self._numbered(oid, loss, key, gone, differing=differing)
        )
        keep_rows(self.cursor, item, rows, columns=sql.Identifier("differing"))
        self._finish(item)

    def _differs_from_given(self, loss: Loss, name: str) -> sql.Composable:
        """SQL: the column's name where its value is another than a new deploy gives, else NULL."""
        given = (
            given_to_column(self.cursor, self.version, (*loss.table, name)) if self.store.exists() else None
        )
        if given is None:
            return sql.Literal(name)
        return sql.SQL("CASE WHEN {} <> {} THEN {} END").format(
            record([name]), sql.Literal(given), sql.Literal(name)
        )

    def _take_image(self, oid: int, loss: Loss) -> None:
        table = self.watch.before[oid]
        numbers = [number for number, name in sorted(table.columns.items()) if name not in loss.columns]
        names = [table.columns[number] for number in numbers]
        key = choose_key(self.cursor, oid, names)
        image = RowImage(self.cursor, oid, loss.table, self._partitioned(oid), names, key)
        self._images.append((oid, loss, numbers, image))

    def keep_privileges(self, changed: dict[str, Json]) -> None:
        """Keep what was granted and revoked on objects that the rollback drops: see privileges_changed_since()."""
        for key, change in sorted(changed.items()):
            lines = [*change["granted"], *(f"revoked {one}" for one in change["revoked"])]
            self._keep_lines(PRIVILEGES, key, change, lines)

    def keep_labels(self, added: dict[str, list[list[Any]]]) -> None:
        """Keep the labels that were added to enums that the rollback drops: see labels_added_since()."""
        for key, labels in sorted(added.items()):
            self._keep_lines(LABELS, key, {"labels": labels}, [label for label, _ in labels])

    def _keep_lines(self, kind: str, key: str, facts: Json, lines: Iterable[str]) -> None:
        """Keep what belongs to an object, not to rows of a table."""
        self.store.create()
        item = self.store.begin_item(self.run_id, self.version, kind, facts={"object": key, **facts})
        for line in lines:
            keep_line(self.cursor, item, key, line)
        self._finish(item)

    # After the script ------------------------------------------------------------------------------------

    def after(self) -> list[Json]:
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
        self.items += keep_positions(
            self.store,
            self.run_id,
            self.version,
            self._sequences,
            sequence_positions(self.cursor, self.watch.versions),
        )
        if self.items:
            note_sources(self.cursor, self.version, [item["item"] for item in self.items])
        self.store.forget_made(self.version)
        restore_session(self.cursor, previous, local=True)
        return self.items

    def _keep_changed_rows(self, oid: int, loss: Loss, numbers: list[int], image: RowImage) -> None:
        name, columns = self.watch.now(oid)
        left = LeftTable(name, self._partitioned(oid), [columns[number] for number in numbers])
        facts = image.facts(left)
        changed = self._begin(ROWS, loss.table, image.columns, image.key, facts)
        # Where the next deploy writes to these rows again, their other columns count too.
        rewritten_again = oid in self._rewritten_again
        image.keep_changed(changed, left, only_changed_columns=not rewritten_again)
        if image.key.unique and rewritten_again:
            untouched = self._begin(UNTOUCHED, loss.table, image.columns, image.key, facts)
            image.note_untouched(untouched, changed)
            self._finish(changed)
            self._finish(untouched)
        else:
            self._finish(changed)
        image.drop()

    # Both ------------------------------------------------------------------------------------------------

    def _partitioned(self, oid: int) -> bool:
        return self.watch.before[oid].kind == "p"

    def _numbered(
        self, oid: int, loss: Loss, key: Key, columns: list[str], **more: sql.Composable
    ) -> sql.Composable:
        return numbered_rows(loss.table, self._partitioned(oid), key, columns, **more)

    def _begin(
        self, kind: str, table: Sequence[str], columns: list[str], key: Key, facts: Json | None = None
    ) -> int:
        return self.store.begin_item(
            self.run_id,
            self.version,
            kind,
            table,
            columns,
            key.columns,
            {"unique_key": key.unique, **(facts or {})},
        )

    def _finish(self, item: int) -> None:
        found = self.store.finish_item(item)
        if found is not None:
            self.items.append(found)
