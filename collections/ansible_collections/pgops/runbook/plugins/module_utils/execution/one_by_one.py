# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a script whose statements cannot be in one transaction: one by one, each noted in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ..errors import StepFailed
from ..impact.one_by_one import ImpactOneByOne
from ..ledger.aftermath import committed_of_script
from ..ledger.journal import Journal, open_journal
from ..ledger.ledger import Ledger
from ..postgres.connection import READ_COMMITTED, psycopg2
from ..postgres.script_session import leave_nothing, scripts_turn
from ..postgres.sequences import positions, put_back
from ..postgres.standbys import endless_commit
from ..postgres.statement_limits import StatementLimits
from ..salvage.keeping.keeper import NotForeseen
from ..salvage.watch import DestructionWatch
from ..shapes import Catalog, Connection, Cursor, Migration, Runnable, Statement, Timing
from .batches import Batches
from .hooks import Hooks, Work
from .outside_transaction import after_failure, after_success, took_effect
from .parts import Part, parts_of, sets_session
from .script import deferred_done, refuse_settings_left, run_script, run_statement, with_lock_retries

__all__ = ["begin_or_resume", "run_one_by_one"]

# CONCURRENTLY waits for older transactions without keeping anybody waiting, so it may wait longer than a lock that
# the application would queue behind.
ALONE_LOCK_TIMEOUT_SECONDS = 600


# How often a table is gone through at most where others write: who makes rows as fast as batches change them would hold
# the deploy up for ever, and whether all is done is what the verify script asks.
MOST_ROUNDS = 10

T = TypeVar("T")

# What goes on with a script that stopped half way.
PLAYBOOKS = {"apply": "deploy.yml", "rollback": "emergency_rollback.yml"}


def begin_or_resume(
    cursor: Cursor, ledger: Ledger, run_id: str, migration: Migration, direction: str, catalog: Catalog
) -> tuple[Journal, Catalog]:
    """The journal of this migration: the one that was begun and not finished, or a new one.

    Args:
        cursor: of a transaction that the caller commits.
        ledger: Ledger.
        run_id: name of the run.
        migration: with its version.
        direction: "apply" or "rollback".
        catalog: the schema as it is now.

    Returns:
        (Journal, catalog): the schema from before the first statement.

    Raises:
        StepFailed: when another migration is half applied.
    """
    half_done = open_journal(cursor)
    if half_done is None:
        digest = ledger.keep_catalog(cursor, catalog)
        return Journal.begin(cursor, run_id, migration["version"], direction, digest), catalog
    if (half_done["migration"], half_done["direction"]) != (migration["version"], direction):
        raise StepFailed(
            "migration_half_done",
            f"Migration {half_done['migration']} is half done: {committed_of_script(half_done)}. Finish it first:"
            f" {PLAYBOOKS[half_done['direction']]} -e migration={half_done['migration']}",
        )
    journal = Journal.resume(cursor, half_done, run_id)
    return journal, ledger.catalog(cursor, half_done["catalog_before"])


@contextmanager
def _autocommit(connection: Connection) -> Iterator[Cursor]:
    connection.commit()
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        if not connection.closed:
            connection.autocommit = False


def run_one_by_one(
    journal: Journal, work: Work, hooks: Hooks, impact: ImpactOneByOne | None = None
) -> list[Timing]:
    """Run the statements that the journal does not have as done.

    Args:
        journal: of this migration.
        work: which one, in which direction.
        hooks: of the copy or of production; their connection is idle.
        impact: measures each statement that is run now.

    Returns:
        the timing of each statement that was run now.

    Raises:
        StepFailed: naming the statement; those of the parts before it are done and stay done.
    """
    timings: list[Timing] = []
    impact = impact or ImpactOneByOne()
    statements = len(work.script["statements"])
    with hooks.blockers() as blockers, _autocommit(hooks.connection) as cursor:
        for part in parts_of(work.script, work.direction):
            to_do = _to_do(cursor, journal, work, part)
            if not to_do:
                continue
            run = _PartRun(cursor, journal, work, hooks, impact, part, to_do)
            try:
                timings += run.run(blockers)
            except StepFailed as error:
                if not hooks.stays:
                    raise
                committed = run.committed(statements)
                state = (
                    f"{committed} are committed and stay so. When the cause is removed, run"
                    f" {PLAYBOOKS[journal.direction]} for the same migration again: it resumes here"
                    if committed
                    else f"None of the {statements} statements was committed"
                )
                raise StepFailed(
                    error.code, f"{error.reason.rstrip('.')}. {state}", **error.details
                ) from None
        leave_nothing(cursor, [])
    return timings


def _to_do(cursor: Cursor, journal: Journal, work: Work, part: Part) -> list[tuple[int, Statement]]:
    """(ordinal, statement) of those that are not done."""
    not_done = []
    for ordinal, statement in part.numbered():
        state = journal.state(cursor, ordinal, statement)
        if (
            state == "begun"
            and statement["outside_transaction"]
            and _took_effect(cursor, work, part, statement)
        ):
            journal.note_done(cursor, ordinal)
        elif state != "done":
            not_done.append((ordinal, statement))
    return not_done


@contextmanager
def _turn(cursor: Cursor, work: Work, part: Part) -> Iterator[StatementLimits]:
    """The script's turn for one part: its session is as the parts before it have set it.

    Between parts the journal has its turn, and a run that goes on where another stopped has a session of its own.
    """
    if part.first == 1:
        refuse_settings_left(cursor, work.script)
    with scripts_turn(cursor, whole=False) as limits:
        before = [one for one in work.script["statements"][: part.first - 1] if sets_session(one)]
        run_script(cursor, {"name": work.script["name"], "statements": before}, limits=limits)
        yield limits


def _took_effect(cursor: Cursor, work: Work, part: Part, statement: Statement) -> bool:
    with _turn(cursor, work, part):
        return took_effect(cursor, statement)


class _PartRun:
    """One part of a script, with what it takes to run it.

    Args:
        cursor: in autocommit mode.
        journal, work, hooks, impact: see run_one_by_one.
        part: which one.
        to_do: (ordinal, statement) of its statements that are not done.
    """

    def __init__(
        self,
        cursor: Cursor,
        journal: Journal,
        work: Work,
        hooks: Hooks,
        impact: ImpactOneByOne,
        part: Part,
        to_do: list[tuple[int, Statement]],
    ):
        self.cursor = cursor
        self.journal = journal
        self.work = work
        self.hooks = hooks
        self.impact = impact
        self.part = part
        self.to_do = to_do
        self.script: Runnable = {
            "name": work.script["name"],
            "statements": [statement for _, statement in to_do],
        }
        first = to_do[0][1]
        self.batches = Batches(first, work.script["name"]) if first.get("batches") else None
        # By a run that did not get to the end of them.
        self.batches_before = 0

    def committed(self, statements: int) -> str:
        """What of the script is committed, where that is anything, as the beginning of a sentence.

        Args:
            statements: how many the script has.
        """
        done = self.part.first - 1
        batches = self.batches_before + (self.batches.committed if self.batches is not None else 0)
        whole = f"{done} of {statements} statements"
        if not batches:
            return whole if done else ""
        of = f"{batches} batches of the one at line {self.to_do[0][1]['line']}"
        return f"{whole} and {of}"

    def run(self, blockers: Callable[[], list[str]]) -> list[Timing]:
        """Run it, with lock retries; returns the timings."""
        endless = endless_commit(self.cursor)
        if endless is not None:
            raise StepFailed("synchronous_standby_missing", endless)
        started = time.monotonic()
        if self.batches is not None:
            timings = self._in_batches(self.batches, blockers)
        else:
            attempt = self._alone if self.part.is_alone else self._foreseen
            timings = with_lock_retries(attempt, self.hooks.policy, blockers)
        timings[0]["attempted_seconds"] = round(time.monotonic() - started, 6)
        return timings

    def _alone(self) -> list[Timing]:
        cursor = self.cursor
        ((ordinal, statement),) = self.to_do
        self.journal.note_begin(cursor, ordinal, statement)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{ALONE_LOCK_TIMEOUT_SECONDS}s",))
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
        try:
            with (
                self.impact.outside_transaction(cursor) as timings,
                _turn(cursor, self.work, self.part) as limits,
            ):
                self._run_alone(statement, limits, timings)
        except (StepFailed, psycopg2.Error):
            if not cursor.connection.closed:
                self.journal.forget(cursor, ordinal)
            raise
        self.journal.note_done(cursor, ordinal)
        return timings

    def _run_alone(self, statement: Statement, limits: StatementLimits, timings: list[Timing]) -> None:
        """Run it, and look at what it is about where it finds it."""
        cursor = self.cursor
        try:
            with self.hooks.cancellable(undone=False):
                timings += run_script(cursor, self.script, limits=limits)
            after_success(cursor, statement)
        except (StepFailed, psycopg2.Error):
            if not cursor.connection.closed:
                after_failure(cursor, statement)
            raise

    def _in_batches(self, batches: Batches, blockers: Callable[[], list[str]]) -> list[Timing]:
        cursor = self.cursor
        ((ordinal, statement),) = self.to_do
        self.journal.note_begin(cursor, ordinal, statement)
        self.batches_before = self.journal.batches(cursor, ordinal)

        def commit(first: int, pages: int) -> Timing | None:
            batch = partial(self._batch, batches, first, pages)
            return with_lock_retries(partial(self._in_transaction, batch), self.hooks.policy, blockers)

        try:
            for _ in range(MOST_ROUNDS if self.hooks.others_write else 1):
                with _turn(cursor, self.work, self.part):
                    extent = batches.extent(cursor)
                changed = batches.once(extent, commit, self.hooks.between_batches)
                if not changed:
                    break
            self._refuse_endless(batches)
        except (StepFailed, psycopg2.Error):
            if not cursor.connection.closed:
                self.journal.forget(cursor, ordinal)
            raise
        self.journal.note_done(cursor, ordinal)
        return [batches.whole()]

    def _batch(self, batches: Batches, first: int, pages: int) -> Timing | None:
        cursor = self.cursor
        with (
            self.impact.in_transaction(cursor, again=bool(batches.committed)) as meter,
            _turn(cursor, self.work, self.part) as limits,
        ):
            statement = batches.changing(cursor, first, pages)
            if statement is None:
                return None
            timing = run_statement(cursor, self.script["name"], statement, meter, limits)
            deferred_done(cursor, self.script, [timing], meter)
        # After what is measured, and with it: what is killed now has noted neither or both.
        self.journal.note_batch(cursor, self.to_do[0][0])
        return timing

    def _refuse_endless(self, batches: Batches) -> None:
        """
        Raises:
            StepFailed: nobody else writes, and each row was taken, and there are rows to be changed still.
        """
        if self.hooks.others_write:
            return
        with _turn(self.cursor, self.work, self.part):
            finds_more = batches.finds_more(self.cursor)
        if finds_more:
            raise StepFailed(
                "batches_never_end",
                f"{self.script['name']} line {batches.statement['line']}: when every row had been taken once, the WHERE"
                f" of this {batches.statement['kind'].removesuffix('Stmt').upper()} still found rows. It has to leave"
                " out what it has changed, as in WHERE new_column IS NULL",
            )

    def _foreseen(self) -> list[Timing]:
        while True:
            try:
                return self._in_transaction(self._up_to_commit)
            except NotForeseen as found:
                self.hooks.not_foreseen(found)

    def _in_transaction(self, work: Callable[[], T]) -> T:
        """Call ``work()`` in a transaction, and return what it returns."""
        cursor = self.cursor
        sequences = positions(cursor)
        try:
            with self.hooks.cancellable(undone=True):
                cursor.execute(f"BEGIN {READ_COMMITTED}")
                self.hooks.policy.set_in(cursor)
                result = work()
            cursor.execute("COMMIT")
        except BaseException:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK")
                put_back(cursor, sequences)  # a setval() is not undone by ROLLBACK
            raise
        return result

    def _up_to_commit(self) -> list[Timing]:
        cursor = self.cursor
        # The journal's entries are not of what is measured.
        for ordinal, statement in self.to_do:
            self.journal.note_begin(cursor, ordinal, statement)
        with (
            self._rows_change(),
            self.impact.in_transaction(cursor) as meter,
            _turn(cursor, self.work, self.part) as limits,
        ):
            timings = run_script(cursor, self.script, meter, limits)
            deferred_done(cursor, self.script, timings, meter)
        for ordinal, _ in self.to_do:
            self.journal.note_done(cursor, ordinal)
        return timings

    @contextmanager
    def _rows_change(self) -> Iterator[None]:
        """What a rollback destroys is kept in one part of it; the others destroy nothing."""
        if self.work.direction == "apply":
            yield
        elif self.part.changes_rows:
            self.hooks.before_rows_change(self.cursor, self.work)
            yield
            self.hooks.after_rows_changed(self.cursor, self.work)
        else:
            watch = DestructionWatch(self.cursor)
            yield
            lost = sorted(".".join(loss.table) for loss in watch.losses(watch.look()).values())
            if lost:
                raise StepFailed(
                    "rows_changed_unforeseen",
                    f"{self.script['name']} line {self.script['statements'][0]['line']}: a statement that seemed to"
                    f" change no rows destroyed rows or columns of {', '.join(lost)}. That was undone. Put it next to"
                    " the statements that change rows, so that what they destroy is kept",
                )
