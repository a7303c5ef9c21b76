# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeping what a rollback destroys whose statements commit one by one: each in its own transaction.

After each of them the salvage is what it would be if all statements so far had been one transaction: it has rows as
they were before the first statement that touched them, and their digests as the last one left them. What others
write between two statements is told from the rollback's own work by these digests, before each statement.
"""

from __future__ import annotations

from ...postgres.connection import sql
from ...postgres.session import pin_session, restore_session
from ..key import Key, numbered_rows
from ..sources import note_sources
from ..store.items import SalvageStore
from ..watch import Loss, TouchWatch, losses_from_json, uncovered
from .first_names import FirstState, sequences_now
from .folding import Folding
from .keeper import NotForeseen, SalvageKeeper

__all__ = ["StatementSalvage"]


class StatementSalvage:
    """What the statements of one rollback destroy, kept statement by statement.

    Args:
        journal_id: of the rollback.
        run_id: of the run that began it; a later one that finishes it keeps under this name too.
        version: the migration.
        destroyed: for each statement what the rehearsal saw it touch (TouchWatch.as_json), or None.
        written_tables: as for SalvageKeeper.
        more: called with the keeper of the first statement, to keep what belongs to no rows.
    """

    def __init__(self, journal_id, run_id, version, destroyed=None, written_tables=None, more=None):
        self.journal_id = journal_id
        self.run_id = run_id
        self.version = version
        self.destroyed = destroyed
        made = {tuple(loss["table"]) for one in destroyed or [] for loss in one if loss["whole"]}
        self.written_tables = written_tables
        if written_tables is not None:
            # Those that go are the migration's own.
            self.written_tables = {name for name in written_tables if tuple(name.split(".", 1)) not in made}
        self.more = more or (lambda keeper: None)

    def before(self, cursor, ordinal, learnt=None):
        """Keep what a statement will destroy; to be called in its transaction, before it.

        Args:
            cursor: of the transaction.
            ordinal: which statement.
            learnt: the losses of NotForeseen, where it was tried and undone.

        Returns:
            StatementKeeper: its ``after()`` is to be called after the statement.
        """
        foreseen = self.destroyed[ordinal - 1] if self.destroyed else None
        keeper = StatementKeeper(cursor, self, foreseen, learnt)
        keeper.before()
        return keeper

    def items(self, cursor):
        """What all statements so far have kept: list of dict, as SalvageKeeper.after() gives them."""
        if not SalvageStore(cursor).exists():
            return []
        cursor.execute(
            "SELECT item, coalesce(schema_name || '.' || table_name, facts ->> 'object'), kind, columns, rows, bytes,"
            " digest FROM runbook_salvage.manifest WHERE facts @> jsonb_build_object('journal', %s) ORDER BY item",
            (self.journal_id,),
        )
        names = ("item", "table", "kind", "columns", "rows", "bytes", "digest")
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def finish(self, cursor):
        """The last statement is done: take out what only served to tell its work from that of others."""
        state = FirstState(cursor, self.journal_id)
        state.forget()
        kept = [item["item"] for item in self.items(cursor)]
        if kept:
            previous = pin_session(cursor, local=True)
            note_sources(cursor, self.version, kept)  # as the last statement left them
            restore_session(cursor, previous, local=True)
        SalvageStore(cursor).forget_made(self.version)
        if SalvageStore(cursor).exists():
            cursor.execute(
                "DELETE FROM runbook_salvage.manifest WHERE facts @> jsonb_build_object('journal', %s::bigint,"
                " 'only_made', true)",
                (self.journal_id,),
            )
        return self.items(cursor)


class _StoreOfStatements(SalvageStore):
    def forget_made(self, migration):
        """What the deploy had brought is asked for until the last statement is done."""


class StatementKeeper(SalvageKeeper):
    """Keeps what one statement destroys, and folds it into what the statements before it destroyed.

    Args:
        cursor: of the statement's transaction.
        salvage: StatementSalvage.
        foreseen, learnt: as for SalvageKeeper.
    """

    def __init__(self, cursor, salvage, foreseen, learnt):
        self.state = FirstState(cursor, salvage.journal_id)
        watch = self.state.watch()
        self.touched = TouchWatch(cursor, watch)
        super().__init__(
            cursor, salvage.run_id, salvage.version, foreseen, salvage.written_tables, learnt, watch
        )
        self.store = _StoreOfStatements(cursor)
        if self.state.is_new:
            salvage.more(self)
        else:
            # What the next deploy will work on again was noted before the first statement.
            self.planned = {**losses_from_json(watch, foreseen), **(learnt or {})}
        self.folding = Folding(cursor, self.store, self.state, watch)
        self._sequence_oids = {name: oid for oid, name in sequences_now(cursor).items()}

    def _keep_deletions(self):
        """As they are before the first statement; later ones delete rows that the migration brought."""
        if self.state.is_new:
            super()._keep_deletions()

    def before(self):
        super().before()
        previous = pin_session(self.cursor, local=True)
        for oid in sorted(self.planned):
            self.folding.tell_apart(oid)
        restore_session(self.cursor, previous, local=True)

    def after(self):
        """Keep old versions as SalvageKeeper does, and fold all of it into what is kept already.

        Raises:
            NotForeseen: when it touched more than was prepared for.
        """
        touched = self.touched.losses()
        missing = uncovered(touched, self.planned)
        for oid, loss in self.planned.items():
            if loss.whole and not (oid in touched and touched[oid].whole):
                # It stays, other than on the copy: its rows have to be compared.
                missing = missing or dict(self.planned)
                missing[oid] = Loss(loss.table, False, set(), True)
        if missing:
            raise NotForeseen(self.version, missing)
        super().after()
        previous = pin_session(self.cursor, local=True)
        losing = self.watch.losses()
        sequences = {
            name: (self._sequence_oids[name], increment) for name, (_, increment) in self._sequences.items()
        }
        self.folding.fold(
            [item["item"] for item in self.items], self.planned, losing, sequences, self._rewritten_again
        )
        restore_session(self.cursor, previous, local=True)
        return self.items

    def _keep_changed_rows(self, oid, loss, numbers, image):
        if image.key.unique:
            self._note_own_rows(oid, numbers, image)
        super()._keep_changed_rows(oid, loss, numbers, image)

    def _note_own_rows(self, oid, numbers, image):
        """Rows that the statement has put in, or given another key: a later statement destroys nothing with them."""
        name, columns = self.watch.now(oid)
        names = [columns[number] for number in numbers]
        key = Key([names[image.columns.index(one)] for one in image.key.columns], True)
        first = self.state.first_names(oid, self.watch.before[oid].columns)
        self.cursor.execute(
            sql.SQL(
                "INSERT INTO runbook.journal_row (journal_id, oid, key_columns, key, left_digest)"
                " SELECT {journal}, {oid}, {key_columns}, present.key, md5(present.line) FROM ({present}) AS present"
                " WHERE NOT EXISTS (SELECT FROM {image} was WHERE was.key = present.key)"
                " AND NOT EXISTS (SELECT FROM runbook_salvage.kept_row k WHERE k.item = {rows}"
                " AND k.held_back IS NULL AND k.key = present.key)"
            ).format(
                journal=sql.Literal(self.state.journal_id),
                oid=sql.Literal(oid),
                key_columns=sql.Literal([first[one] for one in image.key.columns]),
                present=numbered_rows(name, self._partitioned(oid), key, names),
                image=image.image,
                rows=sql.Literal(self.folding.rows_item(oid)),
            )
        )
