# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeping what a rollback destroys, in the rollback's own transaction.

Before the script an image is taken of each table that it or the migration changes. After it the migration is applied
once more, the rows that it makes are compared with the image, and this is undone again: see keeping.base. A
comparison of before and after misses nothing that a trigger would: TRUNCATE, cascades, partitions, changed keys,
disabled triggers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from ...errors import RunbookError
from ...postgres.connection import psycopg2, sql
from ...postgres.keys import unique_keys
from ...postgres.message import one_line
from ...postgres.session import pin_session, restore_session
from ...postgres.tables import table_facts
from ...shapes import Cursor, Json, TableName
from ..defaults import defaults_of
from ..identity import Identity, identity_of
from ..key import record
from ..large_objects import LargeObjectWatch, keep_large_objects
from ..sequences import Position, keep_positions, sequence_positions, set_aside_positions
from ..store.items import COLUMNS, LABELS, PRIVILEGES, ROWS, TABLE, SalvageStore
from ..store.rows import enter_rows, keep_line, keep_unknown, note_made
from ..watch import DestructionWatch, Loss, Seen, losses_from_json, uncovered
from .base import Difference
from .image import TableImage
from .notes import facts, settle

__all__ = ["LossesSeen", "NotForeseen", "SalvageKeeper"]

#: Locks that were not to be had are for the caller, who tries again (manual, "PostgreSQL Error Codes").
LOCK_CODES = ("55P03", "40P01")


class LossesSeen(NamedTuple):
    """What an attempt that was undone showed to be destroyed.

    Attributes:
        losses: dict OID -> Loss.
        large_objects: OIDs.
    """

    losses: Mapping[int, Loss]
    large_objects: frozenset[int] = frozenset()


class NotForeseen(Exception):
    """The script destroyed what was not kept: undo it, and keep this too.

    Attributes:
        version: the migration.
        losses_seen: all that has to be kept.
    """

    def __init__(self, version: str, losses_seen: LossesSeen) -> None:
        super().__init__(version)
        self.version = version
        self.losses_seen = losses_seen


class _BaseUnknown(Exception):
    """The migration could not be applied again, or does not make what it had made; says why."""


@dataclass
class _Kept:
    """One table whose rows are kept: its OID, what it loses, its rows as they were, and the item for them."""

    oid: int
    loss: Loss
    image: TableImage
    item: int = 0
    old_keys: list[list[str]] = field(default_factory=list)


class SalvageKeeper:
    """Keeps what the rollback of one migration destroys.

    Args:
        cursor: of the rollback's transaction.
        run_id: name of the run.
        version: the migration.
        foreseen: what the rehearsal saw it destroy (losses_to_json), or None.
        written_tables: ``schema.table`` of tables whose rows the migration itself wrote when it was deployed, or
            None where that is not known: it is then found out.
        losses_seen: what an earlier attempt was not prepared for, or None.
    """

    def __init__(
        self,
        cursor: Cursor,
        run_id: str,
        version: str,
        foreseen: list[Json] | None = None,
        written_tables: Iterable[str] | None = None,
        losses_seen: LossesSeen | None = None,
    ) -> None:
        self.cursor = cursor
        self.run_id = run_id
        self.version = version
        self.store = SalvageStore(cursor)
        self.store.bring_up_to_date()
        self.watch = DestructionWatch(cursor)
        losses_seen = losses_seen or LossesSeen({})
        self.planned = {**losses_from_json(self.watch, foreseen), **losses_seen.losses}
        self.large_objects = losses_seen.large_objects
        self._expect_writing(set(written_tables or ()))
        self.items: list[Json] = []
        self._kept: list[_Kept] = []
        self._sequences: dict[TableName, Position] = {}
        self._zone = "UTC"
        # How the tables are when the script has run; until then, how they were.
        self._left = Seen(self.watch.before, {})

    # Before the script -----------------------------------------------------------------------------------

    def before(self) -> None:
        """Lock, and take images; to be called before the rollback's first statement."""
        self._lock()
        previous = pin_session(self.cursor, local=True)
        self._zone = previous["TimeZone"]
        self._sequences = sequence_positions(self.cursor, self.watch.versions)
        self._large_objects = LargeObjectWatch(self.cursor)
        if self.large_objects:
            self.store.create()
            self._finish(keep_large_objects(self.store, self.run_id, self.version, self.large_objects))
        for oid, loss in sorted(self.planned.items()):
            if loss.whole or loss.columns or loss.rows:
                self._kept.append(_Kept(oid, loss, self._image(oid, loss)))
        restore_session(self.cursor, previous, local=True)

    def _expect_writing(self, tables: set[str]) -> None:
        """Tables that were there and that the next deploy writes to again: their rows are compared too."""
        for oid, table in self.watch.before.items():
            if ".".join(table.name) in tables:
                oid = table.root if table.root in self.watch.before else oid
                loss = self.planned.setdefault(oid, Loss(self.watch.before[oid].name))
                loss.rows = loss.rows or not loss.whole

    def _lock(self) -> None:
        """Nobody may write between the image and the script; readers may go on until the script locks them out."""
        if self.planned:
            tables = sql.SQL(", ").join(
                sql.Identifier(*loss.table) for _, loss in sorted(self.planned.items())
            )
            self.cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))

    def _image(self, oid: int, loss: Loss) -> TableImage:
        table = self.watch.before[oid]
        columns = [name for _, name in sorted(table.columns.items())]
        made = set(columns) if loss.whole else loss.columns
        identity = identity_of(self.cursor, oid, columns, made)
        # All columns, also of a table that only loses some: whether a key means the same thing when the row comes back
        # is told by what else is in its row.
        new = set() if loss.whole else loss.columns
        defaults = defaults_of(self.cursor, oid, new)
        return TableImage(self.cursor, oid, table.name, table.kind == "p", columns, identity, new, defaults)

    def keep_privileges(self, changed: dict[str, Json]) -> None:
        """Keep what was granted and revoked on objects that the rollback drops: see privileges_changed_since()."""
        for key, change in sorted(changed.items()):
            lines = [*change["granted"], *(f"revoked {one}" for one in change["revoked"])]
            self._keep_lines(PRIVILEGES, key, change, lines)

    def keep_labels(self, added: dict[str, list[list[str | None]]]) -> None:
        """Keep the labels that were added to enums that the rollback drops: see labels_added_since()."""
        for key, labels in sorted(added.items()):
            self._keep_lines(LABELS, key, {"labels": labels}, [str(label) for label, _ in labels])

    def _keep_lines(self, kind: str, key: str, facts: Json, lines: Iterable[str]) -> None:
        """Keep what belongs to an object, not to rows of a table."""
        self.store.create()
        item = self.store.begin_item(self.run_id, self.version, kind, facts={"object": key, **facts})
        for line in lines:
            keep_line(self.cursor, item, key, line)
        self._finish(item)

    # After the script ------------------------------------------------------------------------------------

    def after(self, apply_again: Callable[[], object]) -> list[Json]:
        """Keep what users had made of every row that the migration does not make again by itself.

        Args:
            apply_again: runs the migration's statements on the schema that the rollback has left; is undone.

        Returns:
            list of dict: what was kept (see SalvageStore.finish_item).

        Raises:
            NotForeseen: when more was destroyed than was kept, or the migration changes more.
        """
        self._left = self.watch.look()
        losses = self.watch.losses(self._left)
        grown = self.watch.grown(self._left)
        for oid in grown:
            losses.setdefault(oid, Loss(self.watch.before[oid].name, rows=True)).rows = True
        self._must_be_planned(losses, self._large_objects.gone())
        self._large_objects.close()
        if self._kept:
            self.store.create()
            if any(self.watch.before[one.oid].row_security for one in self._kept):
                self.store.make_owners_alone()
            for kept in self._kept:
                if kept.loss.whole:
                    self.store.note_dropped(kept.loss.table, self.version)
                kept.item = self._begin(kept)
                kept.old_keys = self._old_keys(kept)
            with tempfile.TemporaryFile() as file:
                try:
                    facts_of_items = self._compare(apply_again, grown, file)
                except (_BaseUnknown, RunbookError) as error:
                    self._keep_all(str(error))
                except psycopg2.Error as error:
                    if self.cursor.connection.closed or error.pgcode in LOCK_CODES:
                        raise
                    self._keep_all(one_line(error))
                else:
                    file.seek(0)
                    enter_rows(self.cursor, file)
                    for kept in self._kept:
                        self.store.add_facts(
                            kept.item,
                            {**self._facts_of(kept), **facts_of_items[kept.item]},
                            kept.image.identity.key.columns,
                        )
                    self._note_made()
            for kept in self._kept:
                self._finish(kept.item)
                kept.image.drop()
        previous = pin_session(self.cursor, local=True)
        now = sequence_positions(self.cursor, self.watch.versions)
        self.items += keep_positions(self.store, self.run_id, self.version, self._sequences, now)
        restore_session(self.cursor, previous, local=True)
        return self.items

    def _must_be_planned(self, losses: Mapping[int, Loss], large_objects: Collection[int] = ()) -> None:
        missing = uncovered(losses, self.planned)
        if missing or not self.large_objects.issuperset(large_objects):
            known = self.large_objects.union(large_objects)
            raise NotForeseen(self.version, LossesSeen(missing or self.planned, known))

    @contextmanager
    def _undone(self) -> Iterator[None]:
        self.cursor.execute("SAVEPOINT runbook_base")
        try:
            yield
        finally:
            if not self.cursor.connection.closed:
                self.cursor.execute("ROLLBACK TO SAVEPOINT runbook_base; RELEASE SAVEPOINT runbook_base")

    def _compare(
        self, apply_again: Callable[[], object], grown: set[int], file: IO[bytes]
    ) -> dict[int, Json]:
        """Apply the migration again, and write what is users' into the file; gives facts of the items."""
        with self._undone():
            set_aside_positions(self.cursor)
            watch = DestructionWatch(self.cursor, self._left)
            apply_again()
            previous = pin_session(self.cursor, local=True)
            made = watch.look()
            changed, more = watch.losses(made), watch.grown(made)
            self._must_be_planned(
                {
                    oid: Loss(self.watch.before[oid].name, rows=True)
                    for oid in {*(oid for oid, loss in changed.items() if loss.rows), *more}
                    if oid in self.watch.before
                }
            )
            losses = self.watch.losses(made)
            differences: dict[TableName, Difference] = {}
            for kept in self._kept:
                table = table_facts(self.cursor, kept.image.name)
                if table is None or not set(kept.image.columns) <= set(table.columns):
                    raise _BaseUnknown(f"applied again it makes another table {'.'.join(kept.image.name)}")
                only_grew = kept.oid in grown and not any(
                    lost.rows for lost in (losses.get(kept.oid), changed.get(kept.oid)) if lost is not None
                )
                differences[kept.image.name] = Difference(
                    self.cursor, kept.image, table, only_grew, self._zone, kept.old_keys
                )
            settle(differences)
            of_items = {}
            for kept in self._kept:
                of_items[kept.item] = facts(differences[kept.image.name])
                differences[kept.image.name].copy_out(kept.item, file)
            restore_session(self.cursor, previous, local=True)
        return of_items

    def _note_made(self) -> None:
        """Of numbered rows: which the rollback has left, so that a user may have given the number away."""
        previous = pin_session(self.cursor, local=True)
        for kept in self._kept:
            if not kept.image.identity.numbered or kept.loss.whole:
                continue
            table = self._left.tables[kept.oid]
            numbers = {called: number for number, called in self.watch.before[kept.oid].columns.items()}
            left = [table.columns.get(numbers[key]) for key in sorted(kept.image.identity.key.columns)]
            if None not in left:
                key = record([known for known in left if known])
                note_made(
                    self.cursor,
                    kept.item,
                    sql.SQL("SELECT {} FROM {}").format(key, sql.Identifier(*table.name)),
                )
        restore_session(self.cursor, previous, local=True)

    def _keep_all(self, reason: str) -> None:
        """Keep all rows as they were, where nobody can tell which of it the migration makes by itself."""
        previous = pin_session(self.cursor, local=True)
        for kept in self._kept:
            gone = sorted(kept.loss.columns)
            columns = None if kept.loss.whole else gone if not kept.loss.rows else kept.image.columns
            keep_unknown(self.cursor, kept.item, kept.image.table, columns)
            self.store.add_facts(kept.item, {"base_known": False, "base_unknown_because": reason})
        restore_session(self.cursor, previous, local=True)

    def _begin(self, kept: _Kept) -> int:
        identity: Identity = kept.image.identity
        kind = TABLE if kept.loss.whole else ROWS if kept.loss.rows else COLUMNS
        return self.store.begin_item(
            self.run_id,
            self.version,
            kind,
            kept.loss.table,
            kept.image.columns,
            identity.key.columns,
            self._facts_of(kept),
        )

    @staticmethod
    def _facts_of(kept: _Kept) -> Json:
        """How its rows are recognised."""
        identity = kept.image.identity
        return {
            "unique_key": identity.key.unique,
            "has_key": identity.has_key,
            "assigned": identity.assigned,
            "generated": identity.generated,
            "numbered": identity.numbered,
            "names": list(identity.names),
            "by_content": identity.by_content,
            "named_by_text": identity.named_by_text,
            "made": kept.image.columns if kept.loss.whole else sorted(kept.loss.columns),
        }

    def _old_keys(self, kept: _Kept) -> list[list[str]]:
        """Unique keys of the table that the rollback has left, by the names that their columns have in the image."""
        if kept.loss.whole:
            return []
        names = {
            name: self.watch.before[kept.oid].columns[number]
            for number, name in self._left.tables[kept.oid].columns.items()
            if number in self.watch.before[kept.oid].columns
        }
        return [
            [names[name] for name in key.columns]
            for key in unique_keys(self.cursor, kept.oid)
            if key.immediate and key.not_null and set(key.columns) <= set(names)
        ]

    def _finish(self, item: int) -> None:
        found = self.store.finish_item(item)
        if found is not None:
            self.items.append(found)
