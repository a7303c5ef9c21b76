# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recipe's form for scripts that cannot be in one transaction: their statements commit one by one.

The journal is begun in a transaction of its own, and closed in one with the receipt and all that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from ..catalog.application import read_schema
from ..errors import RunbookError, StepFailed
from ..impact.one_by_one import ImpactOneByOne
from ..impact.wal import SessionWal
from ..ledger.journal import Journal
from ..ledger.versions import FoundTable, VersionTable
from ..postgres.connection import psycopg2, read_committed, transaction
from ..postgres.constraints import fire_deferred
from ..postgres.sequences import collisions
from ..postgres.standbys import commit_without_standbys
from ..preflight.checks import check_rows_change_together
from ..salvage.returning.returner import SalvageReturner
from ..shapes import Cursor, Migration
from .hooks import Hooks, Work
from .labels_left import with_labels_left
from .one_by_one import begin_or_resume, run_one_by_one
from .parts import lines_of_changes
from .recipe import prove_apply, prove_rollback
from .script import refuse_hidden_versions, run_checks, script_of

__all__ = ["apply_one_by_one", "roll_back_one_by_one"]


class _Begun(NamedTuple):
    work: Work
    journal: Journal
    collisions: dict[str, str]
    versions: FoundTable | None


def apply_one_by_one(migration: Migration, hooks: Hooks) -> Work:
    """Apply a migration whose statements commit one by one; goes on where an earlier run stopped.

    Raises:
        RunbookError: as the hooks give it, when nothing was changed.
        StepFailed: statements are committed, and the next one or a check failed.
    """
    begun = hooks.in_transaction(
        [migration["version"]], "apply", True, lambda cursor: _begin(cursor, migration, "apply", hooks)
    )
    work = begun.work
    _run(begun, hooks)
    with hooks.blockers(), transaction(hooks.connection) as cursor:
        read_committed(cursor)
        hooks.begin(cursor)
        fire_deferred(cursor)
        refuse_hidden_versions(work.script, VersionTable(cursor), begun.versions)
        VersionTable(cursor).record(work.version, migration["description"])
        returner = SalvageReturner(cursor, hooks.run_id, work.version, hooks.restore_salvage)
        returner.choose()
        prove_apply(cursor, work, hooks, returner, guard=partial(_noted, cursor, work))
        hooks.finish(cursor, work, None)
        begun.journal.close(cursor)
    _fail_if_a_check_did(work)
    return work


def roll_back_one_by_one(migration: Migration, hooks: Hooks) -> Work:
    """Roll a migration back whose statements commit one by one; goes on where an earlier run stopped.

    Statements that stand together and may be in a transaction are in one: see parts_of.

    Raises:
        RunbookError: as the hooks give it, when nothing was changed.
        StepFailed: statements are committed, and the next one or a check failed.
    """
    script = script_of(migration, "rollback")
    changes = lines_of_changes(script)
    check_rows_change_together(script["name"], changes)
    begun = hooks.in_transaction(
        [migration["version"]], "rollback", True, lambda cursor: _begin(cursor, migration, "rollback", hooks)
    )
    work = begun.work
    _run(begun, hooks)
    with hooks.blockers(), transaction(hooks.connection) as cursor:
        read_committed(cursor)
        hooks.begin(cursor)
        if not changes:
            # There may be something to keep all the same: what people granted, or deleted.
            hooks.before_rows_change(cursor, work)
            hooks.after_rows_changed(cursor, work)
        fire_deferred(cursor)
        refuse_hidden_versions(work.script, VersionTable(cursor), begun.versions)
        VersionTable(cursor).forget(work.version)
        guard = partial(_noted, cursor, work)
        prove_rollback(cursor, work, hooks, begun.collisions, guard)
        if work.failure is None:
            with guard():
                run_checks(cursor, hooks.smoke)
        hooks.finish(cursor, work, None)
        begun.journal.close(cursor)
    _fail_if_a_check_did(work)
    return work


def _begin(cursor: Cursor, migration: Migration, direction: str, hooks: Hooks) -> _Begun:
    read_committed(cursor)
    if direction == "apply":
        migration = with_labels_left(cursor, migration, hooks.left)
    work = Work(migration, direction, one_by_one=True)
    hooks.begin(cursor)
    hooks.journal_begins(cursor)
    work.found = read_schema(cursor)
    journal, work.before = begin_or_resume(
        cursor, hooks.ledger, hooks.run_id, migration, direction, work.found
    )
    hooks.before_script(cursor, work)
    work.run_id = journal.run_id or hooks.run_id
    versions = VersionTable(cursor).find()
    if direction == "rollback":
        return _Begun(work, journal, collisions(cursor, indexed_only=True), versions)
    return _Begun(work, journal, {}, versions)


def _run(begun: _Begun, hooks: Hooks) -> None:
    """Run the statements that the journal does not have as done."""
    work, journal = begun.work, begun.journal
    wal = SessionWal(hooks.connection)
    impact = ImpactOneByOne(hooks.with_sizes)
    try:
        work.statements = run_one_by_one(journal, work, hooks, impact)
    except StepFailed as error:
        with transaction(hooks.connection) as cursor:
            # That a standby is missing may be why.
            commit_without_standbys(cursor, local=True)
            not_begun = journal.drop_if_nothing_is_done(cursor)
        if not_begun:
            raise hooks.not_begun(work, error) from None
        raise
    work.impact = {**impact.result(), "session_wal": wal.written()}


@contextmanager
def _noted(cursor: Cursor, work: Work) -> Iterator[None]:
    """What a check says against statements that are committed already is kept in ``work.failure``.

    The receipt is written all the same: the emergency rollback goes by it.
    """
    try:
        yield
    except (RunbookError, psycopg2.Error) as error:
        if cursor.connection.closed:
            raise
        work.failure = error


def _fail_if_a_check_did(work: Work) -> None:
    """Where one transaction would be undone, the emergency rollback follows."""
    failure = work.failure
    if isinstance(failure, RunbookError):
        raise StepFailed(failure.code, failure.reason, **failure.details) from None
    if failure is not None:
        raise failure
