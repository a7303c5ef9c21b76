# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applying to production: each migration compared with its rehearsal, before COMMIT where it is one transaction."""

from __future__ import annotations

from ..catalog.catalog import carried_by_dump, of_dumped_tables, without_extensions
from ..catalog.difference import Difference, describe, difference
from ..catalog.part import keys_of, limited_to, with_change
from ..catalog.remade import Remade
from ..errors import RunbookError, Unchanged
from ..execution.hooks import Work
from ..execution.parts import commits_one_by_one
from ..execution.recipe import apply_in_one_transaction, apply_together
from ..execution.recipe_one_by_one import apply_one_by_one
from ..execution.script import LockPolicy
from ..impact.difference import differs_from_rehearsal
from ..impact.meter import rows_written
from ..ledger.receipts import latest
from ..postgres.connection import transaction
from ..sentences import cut, listed
from ..shapes import Catalog, Cursor, Json, Migration
from ..step.step import Step
from .hooks import ProductionHooks
from .replicas import pause_between_batches

__all__ = ["ApplyHooks", "TogetherHooks", "apply_to_production"]


def apply_to_production(step: Step, migrations: list[Migration], policy: LockPolicy) -> list[Json]:
    """Apply each migration that this run has not applied yet.

    Args:
        step: the Step, its gate passed.
        migrations: in order, with statements.
        policy: LockPolicy.

    Returns:
        list of dict: version, catalogs before and after, seconds and statements of each.

    Raises:
        Unchanged: a migration failed or did not give the rehearsed schema; its transaction is rolled back.
        StepFailed: production's state could not be found out, or statements that commit one by one differ.
    """
    rehearsed = {proof["version"]: proof for proof in step.outputs_of("rehearse")["migrations"]}
    if step.outputs_of("preflight").get("together"):
        return _apply_together(step, migrations, policy, rehearsed)
    done = []
    for migration in migrations:
        earlier = latest(step.receipts, "apply", migration["version"])
        if earlier is not None and earlier["status"] == "ok":
            done.append(earlier["outputs"])  # committed before the controller was killed
            continue
        if done:
            step.take_new_session()  # as on the copy: the session of the one before ends with it
        hooks = ApplyHooks(step, policy, rehearsed[migration["version"]])
        one_by_one = commits_one_by_one(migration["apply"])
        work = (apply_one_by_one if one_by_one else apply_in_one_transaction)(migration, hooks)
        # With what is known only after COMMIT, and so not in the receipt.
        done.append({**work.notes["outputs"], "impact": work.impact})
    return done


def _apply_together(
    step: Step, migrations: list[Migration], policy: LockPolicy, rehearsed: dict[str, Json]
) -> list[Json]:
    """See apply_to_production(): all of them, or none."""
    earlier = [latest(step.receipts, "apply", migration["version"]) for migration in migrations]
    committed = [one["outputs"] for one in earlier if one is not None and one["status"] == "ok"]
    if len(committed) == len(migrations):
        return committed  # before the controller was killed
    works = apply_together(migrations, TogetherHooks(step, policy, rehearsed))
    return [{**work.notes["outputs"], "impact": work.impact} for work in works]


class ApplyHooks(ProductionHooks):
    """Compares what a migration does in production with what it did on the copy.

    Args:
        step, policy: see ProductionHooks.
        proof: the rehearsal's evidence of this migration.
    """

    undone = (
        "Migration {} was tried in production and rolled back",
        "Migration {} did not begin in production",
    )

    def __init__(self, step: Step, policy: LockPolicy, proof: Json) -> None:
        super().__init__(step, policy)
        self.proof = proof
        self.remade = Remade()
        self.restore_salvage = step.params["restore_salvage"]
        with transaction(step.connection) as cursor:
            self.rehearsed = self._catalogs(cursor, proof)

    def _catalogs(self, cursor: Cursor, proof: Json) -> tuple[Catalog, ...]:
        """Before the migration and after it, as they were on the copy."""
        return tuple(self.ledger.catalog(cursor, proof[key]) for key in ("catalog_before", "catalog_after"))

    def between_batches(self) -> None:
        params = self.step.params
        pause_between_batches(self.connection, params["batch_pause_seconds"], params["max_replica_lag_mb"])

    def not_begun(self, work: Work, error: RunbookError) -> RunbookError:
        return Unchanged(error.code, error.reason, **error.details)

    def before_script(self, cursor: Cursor, work: Work) -> None:
        self._must_be_equal(
            cursor,
            self._in_both(self.rehearsed[0]),
            self._in_both(work.found),
            f"The schema of production is no longer the one that was rehearsed, so {work.version} was not applied",
        )
        # What takes as long as the schema is large is done here: later on others wait for the script's locks.
        change = difference(*self.rehearsed)
        work.notes["rehearsed_keys"] = keys_of(change)
        work.notes["rehearsed_change"] = self.remade.difference(cursor, *self.rehearsed)
        if not work.one_by_one:
            self.keep_catalog(cursor, work.before)
            self.keep_catalog(cursor, with_change(work.before, change))
        written = rows_written(cursor) - self.step.outputs_of("backup")["rows_written"]
        # Where statements commit one by one the application has its turn between them, and they count as written too;
        # below zero the server has forgotten its figures.
        work.notes["written"] = None if work.one_by_one or written < 0 else written

    def reads_in_part(self, work: Work) -> bool:
        # Absent in receipts of older releases.
        return bool(self.proof.get("read_in_part"))

    def script_ran(self, cursor: Cursor, work: Work) -> None:
        end = "" if work.one_by_one else ", and was rolled back"
        what = f"Migration {work.version} made another schema in production than on the copy{end}"
        keys = None if work.changed is None else work.changed | work.notes["rehearsed_keys"]
        found, made = (limited_to(one, keys) for one in (work.found, work.made))
        expected, dumped = (limited_to(self._in_both(one), keys) for one in (self.rehearsed[1], work.made))
        self._must_be_equal(cursor, expected, dumped, what)
        self._must_change_alike(cursor, work, self.remade.difference(cursor, found, made), what)
        self._must_act_alike(
            work, f"Migration {work.version} did something else in production than on the copy{end}"
        )

    def outputs(self, cursor: Cursor, work: Work) -> Json:
        return {
            "version": work.version,
            "catalog_before": self.keep_catalog(cursor, work.before),
            "catalog_made": self.keep_catalog(cursor, work.made),
            "catalog_after": self.keep_catalog(cursor, work.after),
            "seconds": work.seconds(),
            "statements": work.statements,
            "impact": {key: value for key, value in work.impact.items() if key != "session_wal"},
            "verified": work.verified,
            "salvage_returned": work.returned,
        }

    def _in_both(self, catalog: Catalog) -> Catalog:
        """What of a whole schema is on the copy as in production, where the copy has all that it can have."""
        left_out = self.step.outputs_of("verify_restore").get("extensions_left_out", [])
        return of_dumped_tables(without_extensions(catalog, left_out))

    def _must_be_equal(self, cursor: Cursor, expected: Catalog, actual: Catalog, what: str) -> None:
        self.refuse(
            "production_schema_differs_from_rehearsal",
            what,
            describe(self.remade.difference(cursor, *map(carried_by_dump, (expected, actual)))),
        )

    def _must_change_alike(self, cursor: Cursor, work: Work, real: Difference, what: str) -> None:
        """The same change on both sides, in what no dump carries over as well (a disabled trigger, for one)."""
        if self.remade.difference_of_changes(cursor, work.notes["rehearsed_change"], real):
            lines = describe(real)
            raise Unchanged(
                "production_schema_differs_from_rehearsal",
                f"{what}. In production it changed: {listed(lines)}.",
                difference=cut(lines),
            )

    def _must_act_alike(self, work: Work, what: str) -> None:
        """The same effect on locks, files and rows as on the copy in the situation in which production is."""
        expected = self.proof.get("impact_with_salvage") or self.proof["impact"]
        lines = differs_from_rehearsal(expected, work.impact, work.notes["written"])
        if lines:
            raise Unchanged(
                "production_acts_otherwise_than_rehearsal",
                f"{what}: {listed(lines)}. The reason may be rows that were written since the backup. Deploy again:"
                " that makes a new backup and rehearses with them.",
                difference=cut(lines),
            )


class TogetherHooks(ApplyHooks):
    """Of several migrations in one transaction: each is compared with its own part of the rehearsal.

    Args:
        step, policy: see ProductionHooks.
        proofs: the rehearsal's evidence of each version.
    """

    undone = (
        "Migrations {} were tried together in production and rolled back, so that none of them is applied",
        "Migrations {} did not begin in production",
    )

    def __init__(self, step: Step, policy: LockPolicy, proofs: dict[str, Json]) -> None:
        super().__init__(step, policy, next(iter(proofs.values())))
        with transaction(step.connection) as cursor:
            self._proofs = {
                version: (proof, self._catalogs(cursor, proof)) for version, proof in proofs.items()
            }

    def before_script(self, cursor: Cursor, work: Work) -> None:
        self.proof, self.rehearsed = self._proofs[work.version]
        super().before_script(cursor, work)
