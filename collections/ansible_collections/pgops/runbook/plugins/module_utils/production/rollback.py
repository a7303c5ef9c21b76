# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rolling back in production: what it destroys is kept, and the schema compared with the one there was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ..catalog.application import read_schema
from ..catalog.difference import Difference, describe, difference, undone
from ..catalog.part import keys_of, limited_to
from ..catalog.remade import Remade, difference_left
from ..catalog.residue import beyond_residue, undeclared
from ..digests import digest_of
from ..errors import Refused, RunbookError, StepFailed, Unchanged, known
from ..execution.again import apply_again
from ..execution.hooks import Work
from ..execution.parts import commits_one_by_one
from ..execution.recipe import roll_back_in_one_transaction
from ..execution.recipe_one_by_one import roll_back_one_by_one
from ..execution.script import LockPolicy
from ..ledger.ledger import Ledger
from ..ledger.receipts import latest
from ..library.follow import PathsBefore
from ..postgres.connection import transaction
from ..postgres.sequences import positions
from ..salvage.keeping.keeper import LossesSeen, NotForeseen, SalvageKeeper
from ..salvage.labels import labels_added_since
from ..salvage.privileges import (
    as_others_would_have,
    change_privileges_again,
    privileges_changed_since,
    privileges_lost,
    privileges_taken_back,
)
from ..salvage.store.items import SalvageStore
from ..sentences import cut, listed
from ..shapes import Catalog, Cursor, Json, Migration
from ..step.step import Step
from .attempt import undo_attempt
from .hooks import ProductionHooks

__all__ = [
    "RollbackHooks",
    "expected_after",
    "must_give_back",
    "roll_back_production",
]

T = TypeVar("T")


def roll_back_production(step: Step, migrations: list[Migration], policy: LockPolicy) -> list[Json]:
    """Roll all of ``migrations`` back, in the given order, in one transaction.

    A script whose statements cannot be in one is run on its own, and then so is each of the others.

    Returns:
        list of dict: version, catalogs, seconds, statements, and whether the schema was compared with a
        record (a migration that was adopted has none).

    Raises:
        Unchanged: something failed or the schema is not the recorded one; nothing was rolled back.
        StepFailed: statements that commit one by one are done, and the next one or a check failed.
    """
    hooks = RollbackHooks(step, policy)
    if not any(commits_one_by_one(migration["rollback"]) for migration in migrations):
        done = roll_back_in_one_transaction(migrations, hooks)
    else:
        done = []
        for migration in migrations:
            with _what_is_done_stays(done):
                if done:
                    step.take_new_session()
                if commits_one_by_one(migration["rollback"]):
                    done.append(roll_back_one_by_one(migration, hooks))
                else:
                    done += roll_back_in_one_transaction([migration], hooks)
    return [work.notes["outputs"] for work in done]


@contextmanager
def _what_is_done_stays(done: Sequence[Work]) -> Iterator[None]:
    """One that fails leaves production as it was before it, and that is not as it was before the first.

    Raises:
        StepFailed: one failed, and others are taken back by then.
    """
    try:
        yield
    except (Unchanged, Refused) as error:
        if not done:
            raise
        versions = listed([work.version for work in done], separator=", ")
        taken_back = (
            "has been taken back, and stays so" if len(done) == 1 else "have been taken back, and stay so"
        )
        raise StepFailed(
            error.code,
            f"{error.reason} Of this run {versions} {taken_back}. When the cause is gone, type the same command"
            " again: it resumes there.",
            **error.details,
        ) from None


class RollbackHooks(ProductionHooks):
    """Keeps what a rollback destroys, and compares what it leaves with the schema from before the deploy."""

    undone = (
        "The rollback of {} was tried and undone, so that it is still applied",
        "The rollback of {} did not begin, so that it is still applied",
    )

    def __init__(self, step: Step, policy: LockPolicy) -> None:
        super().__init__(step, policy)
        self._losses_seen: dict[str, LossesSeen] = {}

    def attempt(self, attempt: Callable[[Cursor], T], written: int) -> T:
        while True:
            with transaction(self.step.connection) as cursor:
                sequences = positions(cursor)
            try:
                return super().attempt(attempt, written)
            except NotForeseen as found:
                undo_attempt(self.step, sequences)
                self.not_foreseen(found)

    def not_foreseen(self, found: NotForeseen) -> None:
        # Seen in a transaction that is undone: the next one keeps this too.
        self._losses_seen[found.version] = found.losses_seen

    def not_begun(self, work: Work, error: RunbookError) -> RunbookError:
        return Unchanged(
            error.code, f"{self.undone[True].format(work.version)}: {error.reason}", **error.details
        )

    def before_script(self, cursor: Cursor, work: Work) -> None:
        work.notes["expected"] = _expected_schema(self.step, cursor, work.version, work.before)
        # What the header declares by now, and what the rehearsal before the deploy saw and was allowed.
        proof = _rehearsed(self.step, cursor, work.version)[0]
        work.notes["may_leave"] = {*work.migration.get("leaves", []), *(proof.get("residue") or [])}
        # Absent in receipts of older releases.
        work.notes["read_in_part"] = bool(proof.get("rollback_read_in_part"))
        expected = work.notes["expected"]
        if expected is not None:
            # What takes as long as the schema is large is done here: later on others wait for the script's locks.
            work.notes["deployed"] = _deployed(cursor, work.version)
            work.notes["expected_keys"] = keys_of(difference(work.before, expected))
        if not work.one_by_one:
            for catalog in (work.before, expected):
                if catalog is not None:
                    self.keep_catalog(cursor, catalog)

    def reads_in_part(self, work: Work) -> bool:
        return work.notes["read_in_part"]

    def before_rows_change(self, cursor: Cursor, work: Work) -> None:
        proof, written = _rehearsed(self.step, cursor, work.version)
        work.notes["not_given_back"] = proof.get("not_given_back") or []
        foreseen = proof.get("rollback_impact", {}).get("destroyed")
        losses_seen = self._losses_seen.get(work.version)
        keeper = SalvageKeeper(cursor, work.run_id, work.version, foreseen, written, losses_seen)
        # Statements may have been committed before this transaction, and people's grants between them.
        current = read_schema(cursor) if work.one_by_one else work.before
        _keep_what_was_made_of_it(self.step, cursor, work.version, current, keeper)
        keeper.before()
        work.notes["keeper"] = keeper

    def after_rows_changed(self, cursor: Cursor, work: Work) -> None:
        work.salvage = work.notes["keeper"].after(partial(apply_again, cursor, work))

    def script_ran(self, cursor: Cursor, work: Work) -> None:
        expected = work.notes["expected"]
        if expected is not None:
            expected = self._give_privileges_again(cursor, work, expected)
        keys = self._may_differ(work)
        must_give_back(
            work,
            expected,
            lambda one, other: difference_left(cursor, limited_to(one, keys), limited_to(other, keys)),
            work.notes["may_leave"],
        )

    @staticmethod
    def _may_differ(work: Work) -> set[str] | None:
        """Keys under which what the rollback left may be something else than what it must give; None: any."""
        if work.changed is None:
            return None
        return {*work.changed, *work.notes.get("expected_keys", ())}

    def _give_privileges_again(self, cursor: Cursor, work: Work, expected: Catalog) -> Catalog:
        """Grant and revoke what people had on objects that the rollback has dropped and made again.

        ``work.made`` is looked at and read again.

        Returns:
            the schema that the rollback must give now.
        """
        left = limited_to(work.made, self._may_differ(work))
        lost = privileges_lost(expected, left, work.notes["deployed"], work.before)
        work.notes["privileges_again"] = sorted(lost)
        for key, change in sorted(lost.items()):
            # What could not be is a difference, which must_give_back() names.
            change_privileges_again(cursor, key, **change)
        if lost:
            work.made = work.after = self.schema_now(cursor, work)
        return as_others_would_have(expected, work.made, lost)

    def finish(self, cursor: Cursor, work: Work, paths: PathsBefore | None) -> None:
        if work.one_by_one:
            # An earlier run may have kept it.
            work.salvage = SalvageStore(cursor).items_of(work.run_id, work.version)
        super().finish(cursor, work, paths)

    def outputs(self, cursor: Cursor, work: Work) -> Json:
        return {
            "version": work.version,
            "catalog_before": self.keep_catalog(cursor, work.before),
            "catalog_after": self.keep_catalog(cursor, work.after),
            "schema_restored": work.notes["schema_restored"],
            "residue": work.notes["residue"],
            "salvage": work.salvage,
            # What the rehearsal saw, and the operator accepted.
            "not_given_back": work.notes.get("not_given_back", []),
            # Absent in receipts of older releases.
            "privileges_again": work.notes.get("privileges_again", []),
            "seconds": work.seconds(),
            "statements": work.statements,
        }


def must_give_back(
    work: Work,
    expected: Json | None,
    compare: Callable[[Json, Json], Difference] = difference,
    may_leave: Collection[str] = (),
) -> None:
    """Look at what a rollback gives, before COMMIT where it is one transaction.

    Args:
        work: its ``made`` and ``collisions`` are looked at; notes whether the schema is restored.
        expected: the schema it must give, or None where that is not known.
        compare: says how two catalogs differ.
        may_leave: what no rollback can take back and this one may leave (see catalog.residue).

    Raises:
        Unchanged: it gives another schema, or leaves a sequence at values that its column has.
    """
    found, residue = beyond_residue(compare(expected, work.made) if expected is not None else Difference())
    lines = [*describe(found), *undeclared(residue, may_leave)]
    work.notes["residue"] = residue
    work.notes["schema_restored"] = not lines if expected is not None else None
    if work.one_by_one:
        done = f"The rollback of {work.version} was committed statement by statement"
        schema = f"{done} and does not give back the schema from before its deploy: "
        behind = f"{done}, and after it "
    else:
        taken_back = f"was undone and {work.version} is still applied"
        schema = (
            f"The rollback of {work.version} does not give back the schema from before its deploy;"
            f" it {taken_back}: "
        )
        behind = f"The rollback of {work.version} {taken_back}: after it "
    if lines:
        raise Unchanged(
            "rollback_schema_differs",
            f"{schema}{listed(lines)}. Correct the rollback script, or put the backup back.",
            difference=cut(lines),
        )
    if work.collisions:
        raise Unchanged(
            "sequence_would_collide",
            f"{behind}{listed(work.collisions)}.",
            difference=cut(work.collisions),
        )


def _keep_what_was_made_of_it(
    step: Step, cursor: Cursor, version: str, current: Catalog, keeper: SalvageKeeper
) -> None:
    """Privileges and labels that people changed since on objects that the migration made."""
    applied = Ledger().applied_receipt(cursor, version)
    if applied is not None:
        outputs = applied["outputs"]
        before = Ledger().catalog(cursor, outputs["catalog_before"])
        made = Ledger().catalog(cursor, outputs.get("catalog_made") or outputs["catalog_after"])
        migration = difference(before, made)
        keeper.keep_privileges(
            {
                **privileges_changed_since(migration.added, current),
                **privileges_taken_back(migration, current),
            }
        )
        keeper.keep_labels(labels_added_since(migration.added, current))


def _deployed(cursor: Cursor, version: str) -> Catalog:
    """The schema right after the deploy."""
    applied = known(Ledger().applied_receipt(cursor, version), "the deploy's receipt")
    return Ledger().catalog(cursor, applied["outputs"]["catalog_after"])


def _rehearsed(step: Step, cursor: Cursor, version: str) -> tuple[Json, set[str] | None]:
    """The evidence of the rehearsal before the deploy (an empty one where there is none), and the tables it wrote."""
    applied = Ledger().applied_receipt(cursor, version)
    if applied is None:
        return {}, None
    impact = applied["outputs"]["impact"]
    written = set(impact["written"]) if "written" in impact else None
    rehearsed = latest(step.ledger.receipts(cursor, applied["run_id"]), "rehearse")
    for proof in rehearsed["outputs"]["migrations"] if rehearsed else []:
        if proof["version"] == version:
            return proof, written
    return {}, written


def _expected_schema(step: Step, cursor: Cursor, version: str, current: Catalog) -> Catalog | None:
    """The schema that the rollback must give, or None where the ledger does not know the deploy."""
    applied = Ledger().applied_receipt(cursor, version)
    if applied is None:
        return None
    before = Ledger().catalog(cursor, applied["outputs"]["catalog_before"])
    after = Ledger().catalog(cursor, applied["outputs"]["catalog_after"])
    if digest_of(current) == applied["outputs"]["catalog_after"]:
        return before
    # After a restore, what the deploy had made has the texts that PostgreSQL writes since.
    return expected_after(version, Remade().in_words_of(cursor, current, after), before, after)


def expected_after(version: str, current: Catalog, before: Catalog, after: Catalog) -> Catalog:
    """The schema that a rollback must give: the one now, without what the deploy made.

    Args:
        current, before, after: catalogs: now, before the deploy and after it.

    Raises:
        Unchanged: what the deploy made was changed since.
    """
    expected, conflicts = undone(current, before, after)
    if conflicts:
        raise Unchanged(
            "changed_since_deploy",
            f"What {version} made was changed after its deploy, and its rollback would undo that change too:"
            f" {listed(conflicts)}. Take that change back first.",
            difference=cut(conflicts),
        )
    return expected
