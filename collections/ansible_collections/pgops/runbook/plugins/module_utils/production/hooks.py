# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What production adds to the recipe in both directions: limits, lock retries, receipts, committing or finding out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from ..catalog.application import read_schema
from ..errors import Unchanged
from ..execution.hooks import Hooks, Work
from ..execution.script import LockPolicy
from ..ledger.ledger import RUN_LOCK, Ledger
from ..ledger.receipts import script_digests
from ..library.follow import PathsBefore, library_hosts_of, record_in_production
from ..postgres.abort import AbortPolicy, AbortWatch
from ..postgres.advisory_locks import holds, lock_of, take_again
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import transaction
from ..postgres.pooler import backend_pid
from ..postgres.standbys import refuse_endless_commit
from ..sentences import cut, listed
from ..shapes import Catalog, Connection, Cursor, Json
from ..step.step import Step
from .attempt import commit_or_find_out, in_production

__all__ = ["ProductionHooks"]

T = TypeVar("T")


class ProductionHooks(Hooks):
    """Hooks of one step in production.

    Args:
        step: the Step, its gate passed.
        policy: LockPolicy.
    """

    #: What a person reads where an attempt was undone: (one transaction, the beginning of a journal).
    undone: tuple[str, str]

    others_write = True

    def __init__(self, step: Step, policy: LockPolicy) -> None:
        self.step = step
        self.run_id = step.run_id
        self.ledger = Ledger()
        self.policy = policy
        self.smoke = step.smoke_scripts()
        self.files_follow = bool(library_hosts_of(step.receipts))
        self._kept: dict[str, Catalog] = {}
        self.abort = AbortWatch(step.params["target"], AbortPolicy.from_params(step.params))

    @property
    def connection(self) -> Connection:
        return self.step.connection

    def in_transaction(
        self, versions: list[str], direction: str, begins: bool, attempt: Callable[[Cursor], T]
    ) -> T:
        written = len(self.step.recorded)
        what = self.undone[begins].format(", ".join(versions))
        if begins:
            return in_production(self.step, lambda: self._committed(attempt), self.policy, what)
        with self._watched():
            return in_production(self.step, lambda: self.attempt(attempt, written), self.policy, what)

    def _committed(self, attempt: Callable[[Cursor], T]) -> T:
        with transaction(self.step.connection) as cursor:
            refuse_endless_commit(cursor)
            return attempt(cursor)

    def attempt(self, attempt: Callable[[Cursor], T], written: int) -> T:
        """One attempt, with its receipts.

        Args:
            attempt: see in_transaction.
            written: how many receipts the step had before it.
        """
        self.step.forget_unwritten(written)
        self._kept = {}
        with self.abort.armed(self.connection), self.connection.cursor() as cursor:
            result = attempt(cursor)
            # In the time that the script took a standby may have gone.
            refuse_endless_commit(cursor)
        commit_or_find_out(self.step, self.step.recorded[-1])
        return result

    @contextmanager
    def blockers(self) -> Iterator[Callable[[], list[str]]]:
        with self._watched(), BlockerWatch(self.step.params["target"], backend_pid(self.connection)) as watch:
            yield watch.sentences
        self.step.replication += watch.said_of_standbys()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            with self.abort:
                yield
        finally:
            for sentence in self.abort.said():
                self.step.module.warn(sentence)

    def cancellable(self, undone: bool) -> AbstractContextManager[None]:
        return self.abort.armed(self.connection, undone)

    def begin(self, cursor: Cursor) -> None:
        # A script of an attempt that failed may have released it, which no rollback undoes.
        if not holds(cursor, RUN_LOCK):
            take_again(cursor, [lock_of(RUN_LOCK)])
        self.policy.set_in(cursor)

    def reads_in_part(self, work: Work) -> bool:
        """Whether the rehearsal has seen that what is read again of the schema is all that changes."""
        raise NotImplementedError

    def schema_now(self, cursor: Cursor, work: Work) -> Catalog:
        if work.reading is None or not self.reads_in_part(work):
            return read_schema(cursor)
        found = work.reading.again(cursor)
        work.changed = work.reading.changed
        return found

    def keep_catalog(self, cursor: Cursor, catalog: Catalog) -> str:
        """Store a catalog, unless that was done before the script: its digest takes as long as the schema is large."""
        for digest, kept in self._kept.items():
            if kept == catalog:
                return digest
        digest = self.ledger.keep_catalog(cursor, catalog)
        self._kept[digest] = catalog
        return digest

    def finish(self, cursor: Cursor, work: Work, paths: PathsBefore | None) -> None:
        """Write the receipt: ``work.notes["outputs"]``, with the paths that were changed."""
        outputs = work.notes["outputs"] = self.outputs(cursor, work)
        if paths is not None:
            outputs["path_changes"] = record_in_production(
                cursor, paths, self.run_id, work.version, work.direction
            )
        inputs = script_digests(work.migration)
        self.step.record(cursor, "ok", migration=work.version, inputs=inputs, outputs=outputs)

    def outputs(self, cursor: Cursor, work: Work) -> Json:
        """What the receipt says."""
        raise NotImplementedError

    def refuse(self, code: str, what: str, lines: list[str]) -> None:
        """
        Raises:
            Unchanged: where there are lines.
        """
        if lines:
            raise Unchanged(code, f"{what}: {listed(lines)}.", difference=cut(lines))
