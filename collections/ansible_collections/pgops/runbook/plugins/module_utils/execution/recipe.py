# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applying a migration and taking one back: the one recipe that the rehearsal and production run.

What either of them adds has its place in Hooks, so that all the rest is seen on a copy before it is done in
production. Statements that cannot be in one transaction have a form of their own, in recipe_one_by_one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from ..catalog.reading import SchemaReading
from ..impact.meter import ImpactMeter
from ..impact.wal import SessionWal
from ..library.follow import paths_before
from ..postgres.connection import read_committed
from ..postgres.constraints import constraints_as_declared
from ..postgres.sequences import collisions, new_collisions
from ..salvage.returning.returner import SalvageReturner
from ..shapes import Cursor, Migration
from .hooks import Hooks, Work
from .labels_left import with_labels_left
from .salvage_return import put_back_salvage, refuse_losses
from .script import apply_migration, roll_back_migration, run_checks

__all__ = [
    "apply_in_one_transaction",
    "apply_together",
    "prove_apply",
    "prove_rollback",
    "roll_back_in_one_transaction",
]


def apply_in_one_transaction(migration: Migration, hooks: Hooks) -> Work:
    """Apply a migration in one transaction.

    Returns:
        Work: its impact has ``session_wal`` too, which is known after COMMIT only.

    Raises:
        RunbookError: as the hooks give it; nothing is changed.
    """
    wal = SessionWal(hooks.connection)
    work = hooks.in_transaction(
        [migration["version"]], "apply", False, lambda cursor: _apply(cursor, migration, hooks)
    )
    work.impact = {**work.impact, "session_wal": wal.written()}
    return work


def apply_together(migrations: list[Migration], hooks: Hooks) -> list[Work]:
    """Apply several migrations, in the given order, all in one transaction.

    Returns:
        list of Work: the impact of the last one has ``session_wal``, which is of all of them.

    Raises:
        RunbookError: as the hooks give it; nothing is changed.
    """
    wal = SessionWal(hooks.connection)
    versions = [migration["version"] for migration in migrations]
    works = hooks.in_transaction(
        versions, "apply", False, lambda cursor: _apply_all(cursor, migrations, hooks)
    )
    works[-1].impact = {**works[-1].impact, "session_wal": wal.written()}
    return works


def _apply_all(cursor: Cursor, migrations: list[Migration], hooks: Hooks) -> list[Work]:
    read_committed(cursor)
    hooks.begin(cursor)
    done: list[tuple[Work, ImpactMeter]] = []
    for migration in migrations:
        if done:
            # The one before has ended with all of them immediate; one by one each begins a transaction.
            constraints_as_declared(cursor)
        done.append(_apply_one(cursor, migration, hooks))
    for work, meter in done:
        meter.held_until_now(work.impact)
    return [work for work, _ in done]


def _apply(cursor: Cursor, migration: Migration, hooks: Hooks) -> Work:
    read_committed(cursor)
    hooks.begin(cursor)
    work, _ = _apply_one(cursor, migration, hooks)
    return work


def _apply_one(cursor: Cursor, migration: Migration, hooks: Hooks) -> tuple[Work, ImpactMeter]:
    migration = with_labels_left(cursor, migration, hooks.left)
    work = Work(migration, "apply")
    work.reading = SchemaReading(cursor)
    work.found = work.before = work.reading.schema
    hooks.before_script(cursor, work)
    returner = SalvageReturner(cursor, hooks.run_id, work.version, hooks.restore_salvage)
    returner.choose()
    meter = ImpactMeter(cursor, hooks.with_sizes)
    paths = paths_before(cursor, migration.get("files"), hooks.files_follow)
    work.statements = apply_migration(cursor, migration, meter)
    work.impact = meter.result()
    prove_apply(cursor, work, hooks, returner)
    meter.held_until_now(work.impact)
    hooks.finish(cursor, work, paths)
    return work, meter


def prove_apply(
    cursor: Cursor,
    work: Work,
    hooks: Hooks,
    returner: SalvageReturner,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Look at what the migration did; then what users had made of it comes back, and the smoke tests follow.

    The migration's own checks look at its own work, and so they come before rows of users. Where they fail, nothing
    comes back.

    Args:
        cursor: of the transaction.
        work: ``made``, ``after`` and ``returned`` are set.
        hooks: of the copy or of production.
        returner: has chosen its items.
        guard: what is around checks: a failure goes through it, or is kept in ``work.failure``.
    """
    work.made = work.after = hooks.schema_now(cursor, work)
    with guard():
        hooks.script_ran(cursor, work)
        run_checks(cursor, work.verify_scripts())
        work.verified = [script["name"] for script in work.verify_scripts()]
    if work.failure is None:
        work.returned, losses = put_back_salvage(cursor, returner, work.one_by_one)
        if work.returned:
            work.after = hooks.schema_now(cursor, work)
        with guard():
            refuse_losses(work.version, losses)
            run_checks(cursor, hooks.smoke)


def roll_back_in_one_transaction(migrations: list[Migration], hooks: Hooks) -> list[Work]:
    """Roll migrations back, in the given order, all in one transaction.

    Raises:
        RunbookError: as the hooks give it; nothing is changed.
    """
    return hooks.in_transaction(
        [migration["version"] for migration in migrations],
        "rollback",
        False,
        lambda cursor: _roll_back_all(cursor, migrations, hooks),
    )


def _roll_back_all(cursor: Cursor, migrations: list[Migration], hooks: Hooks) -> list[Work]:
    read_committed(cursor)
    hooks.begin(cursor)
    done: list[tuple[Work, ImpactMeter | None]] = []
    for migration in migrations:
        if done:
            # The one before has ended with all of them immediate; on the copy it was in a transaction of its own.
            constraints_as_declared(cursor)
        done.append(_roll_back(cursor, migration, hooks))
    run_checks(cursor, hooks.smoke)
    for work, meter in done:
        if meter is not None:
            meter.held_until_now(work.impact)
    return [work for work, _ in done]


def _roll_back(cursor: Cursor, migration: Migration, hooks: Hooks) -> tuple[Work, ImpactMeter | None]:
    work = Work(migration, "rollback", run_id=hooks.run_id)
    work.reading = SchemaReading(cursor)
    work.found = work.before = work.reading.schema
    hooks.before_script(cursor, work)
    hooks.before_rows_change(cursor, work)
    paths = paths_before(cursor, migration.get("files"), hooks.files_follow)
    before = collisions(cursor, indexed_only=True)
    meter = ImpactMeter(cursor, hooks.with_sizes) if hooks.measures_rollbacks else None
    work.statements = roll_back_migration(cursor, migration, meter)
    if meter is not None:
        work.impact = meter.result()
    hooks.after_rows_changed(cursor, work)
    prove_rollback(cursor, work, hooks, before)
    hooks.finish(cursor, work, paths)
    return work, meter


def prove_rollback(
    cursor: Cursor,
    work: Work,
    hooks: Hooks,
    collisions_before: dict[str, str],
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Look at what a rollback has left; see prove_apply."""
    work.made = work.after = hooks.schema_now(cursor, work)
    work.collisions = new_collisions(collisions_before, collisions(cursor, indexed_only=True))
    with guard():
        hooks.script_ran(cursor, work)
