# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applying to production: one transaction a migration, compared with the rehearsal before COMMIT."""

from __future__ import annotations

import time

from ..catalog.application import read_schema
from ..catalog.catalog import carried_by_dump
from ..catalog.difference import describe, difference, to_json
from ..errors import RunbookError, StepFailed, Unchanged
from ..execution.one_by_one import begin_or_resume, is_journalled, run_journalled
from ..execution.script import apply_migration, run_checks
from ..impact.difference import acted_otherwise
from ..impact.meter import ImpactMeter, rows_written
from ..impact.one_by_one import JournalledImpact
from ..impact.wal import SessionWal
from ..ledger.journal import open_journal
from ..ledger.receipts import latest, script_digests
from ..ledger.versions import VersionTable
from ..library.changes import paths_to_follow
from ..library.rehearsed import forget_rehearsed
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import transaction
from ..salvage.made_rows import MadeRows
from ..salvage.returning.returner import SalvageReturner
from .attempt import commit_or_find_out, in_production

__all__ = ["apply_to_production"]

LINES_SHOWN = 10


def apply_to_production(step, migrations, policy):
    """Apply each migration that this run has not applied yet.

    Args:
        step: the Step, its gate passed.
        migrations: in order, with statements.
        policy: LockPolicy.

    Returns:
        list of dict: version, catalogs before and after, seconds and statements of each.

    Raises:
        Unchanged: a migration failed or did not give the rehearsed schema; its transaction is rolled back.
        StepFailed: production's state could not be found out.
    """
    rehearsed = {proof["version"]: proof for proof in step.outputs_of("rehearse")["migrations"]}
    done = []
    for migration in migrations:
        earlier = latest(step.receipts, "apply", migration["version"])
        if earlier is not None and earlier["status"] == "ok":
            done.append(earlier["outputs"])  # committed before the controller was killed
            continue
        wal = SessionWal(step.connection)
        outputs = _apply_one(step, migration, rehearsed[migration["version"]], policy)
        # Known only after COMMIT, and so not in the receipt.
        done.append({**outputs, "impact": {**outputs["impact"], "session_wal": wal.written()}})
    return done


def _apply_one(step, migration, proof, policy):
    if is_journalled(migration["apply"]):
        return _apply_journalled(step, migration, proof, policy)
    version = migration["version"]
    written = len(step.recorded)
    with transaction(step.connection) as cursor:
        rehearsed_before = step.ledger.catalog(cursor, proof["catalog_before"])
        rehearsed_after = step.ledger.catalog(cursor, proof["catalog_after"])

    def attempt():
        step.forget_unwritten(written)
        clock = time.monotonic()
        with step.connection.cursor() as cursor:
            policy.set_in(cursor)
            before = read_schema(cursor)
            _must_be_equal(
                carried_by_dump(rehearsed_before),
                carried_by_dump(before),
                f"The schema of production is no longer the one that was rehearsed; {version} was not applied",
            )
            returner = SalvageReturner(cursor, step.run_id, version, step.params["restore_salvage"])
            returner.before()
            made = MadeRows(cursor, version, _inserted_into(proof) | returner.tables())
            same_rows = rows_written(cursor) == step.outputs_of("backup")["rows_written"]
            meter = ImpactMeter(cursor)
            paths = paths_to_follow(step, cursor, migration)
            statements = apply_migration(cursor, migration, meter)
            impact = meter.result()
            after = read_schema(cursor)
            what = (
                f"Migration {version} made another schema in production than on the copy; it was rolled back"
            )
            _must_be_equal(carried_by_dump(rehearsed_after), carried_by_dump(after), what)
            _must_change_alike((rehearsed_before, rehearsed_after), (before, after), what)
            _must_act_alike(
                _expected_impact(proof),
                impact,
                same_rows,
                f"Migration {version} did something else in production than on the copy; it was rolled back",
            )
            made.note()
            # The migration's own checks look at its own work; what users had made of it comes back after them.
            run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
            made_catalog = after
            returned = returner.after()
            if returned:
                after = read_schema(cursor)
            run_checks(cursor, step.smoke_scripts())
            meter.held_until_now(impact)
            outputs = {
                "version": version,
                "catalog_before": step.ledger.keep_catalog(cursor, before),
                "catalog_made": step.ledger.keep_catalog(cursor, made_catalog),
                "catalog_after": step.ledger.keep_catalog(cursor, after),
                "seconds": round(time.monotonic() - clock, 3),
                "statements": statements,
                "impact": impact,
                "salvage_returned": returned,
            }
            if paths is not None:
                forget_rehearsed(cursor)
                outputs["path_changes"] = paths.record_changes(cursor, step.run_id, version, "deploy")
            inputs = script_digests(migration)
            receipt = step.record(cursor, "ok", migration=version, inputs=inputs, outputs=outputs)
        commit_or_find_out(step, receipt)
        return outputs

    return in_production(
        step, attempt, policy, f"Migration {version} was tried in production and rolled back"
    )


def _expected_impact(proof):
    """What the migration did on the copy in the situation in which production is."""
    return proof.get("impact_with_salvage") or proof["impact"]


def _inserted_into(proof):
    """Tables into which the rehearsal saw the migration insert."""
    return set(proof["impact"].get("inserted", ()))


def _apply_journalled(step, migration, proof, policy):
    """Statements that commit one by one: compared with the rehearsal afterwards, and taken back if they differ."""
    version = migration["version"]
    clock = time.monotonic()

    def begin():
        with transaction(step.connection) as cursor:
            policy.set_in(cursor)
            rehearsed_before = step.ledger.catalog(cursor, proof["catalog_before"])
            found = read_schema(cursor)
            _must_be_equal(
                carried_by_dump(rehearsed_before),
                carried_by_dump(found),
                f"The schema of production is no longer the one that was rehearsed; {version} was not applied",
            )
            resumes = open_journal(cursor) is not None
            journal, before = begin_or_resume(cursor, step.ledger, step.run_id, migration, "apply")
            if not resumes:
                # Afterwards nobody can tell what people changed since the rollback from what the migration did.
                SalvageReturner(cursor, step.run_id, version, step.params["restore_salvage"]).before()
            return journal, before, step.ledger.catalog(cursor, proof["catalog_after"])

    journal, before, rehearsed_after = in_production(
        step, begin, policy, f"Migration {version} did not begin in production"
    )
    impact = JournalledImpact()
    try:
        with BlockerWatch(step.params["target"], step.connection.get_backend_pid()) as watch:
            statements = run_journalled(
                step.connection, journal, migration["apply"], policy, watch.sentences, impact
            )
    except StepFailed as error:
        with transaction(step.connection) as cursor:
            not_begun = journal.drop_if_nothing_is_done(cursor)
        if not_begun:
            raise Unchanged(error.code, error.reason, **error.details) from None
        raise
    with transaction(step.connection) as cursor:
        VersionTable(cursor).record(version, migration["description"])
        after = read_schema(cursor)
        policy.set_in(cursor)
        returner = SalvageReturner(cursor, step.run_id, version, step.params["restore_salvage"])
        returner.choose()
        returned = returner.after()
        outputs = {
            "version": version,
            "catalog_before": step.ledger.keep_catalog(cursor, before),
            "catalog_made": step.ledger.keep_catalog(cursor, after),
            "catalog_after": step.ledger.keep_catalog(cursor, read_schema(cursor) if returned else after),
            "seconds": round(time.monotonic() - clock, 3),
            "statements": statements,
            "impact": impact.result(),
            "salvage_returned": returned,
        }
        inputs = script_digests(migration)
        step.record(cursor, "ok", migration=version, inputs=inputs, outputs=outputs)
        journal.close(cursor)
    if returned:
        migration = {**migration, "verify": None}  # it looks at a table as the migration made it
    _check_committed(step, migration, (rehearsed_after, after), (_expected_impact(proof), outputs["impact"]))
    return outputs


def _check_committed(step, migration, catalogs, impacts):
    """What one transaction checks before COMMIT; here the emergency rollback follows a failure."""
    version = migration["version"]
    try:
        _must_be_equal(
            *map(carried_by_dump, catalogs),
            f"Migration {version} made another schema in production than on the copy",
        )
        _must_act_alike(
            *impacts, False, f"Migration {version} did something else in production than on the copy"
        )
        with transaction(step.connection) as cursor:
            run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
            run_checks(cursor, step.smoke_scripts())
    except RunbookError as error:
        raise StepFailed(error.code, error.reason, **error.details) from None


def _must_be_equal(expected, found, what):
    lines = describe(difference(expected, found))
    if lines:
        raise Unchanged(
            "production_schema_differs_from_rehearsal",
            f"{what}: {'; '.join(lines[:LINES_SHOWN])}.",
            difference=lines,
        )


def _must_change_alike(on_the_copy, in_production, what):
    """The same change on both sides, in what no dump carries over as well (a disabled trigger, for one)."""
    rehearsed, real = (to_json(difference(*catalogs)) for catalogs in (on_the_copy, in_production))
    if rehearsed != real:
        lines = describe(difference(*in_production))
        raise Unchanged(
            "production_schema_differs_from_rehearsal",
            f"{what}. It changed there: {'; '.join(lines[:LINES_SHOWN])}.",
            difference=lines,
        )


def _must_act_alike(on_the_copy, in_production, same_rows, what):
    """The same effect on locks, files and rows."""
    lines = acted_otherwise(on_the_copy, in_production, same_rows)
    if lines:
        raise Unchanged(
            "production_acts_otherwise_than_rehearsal",
            f"{what}: {'; '.join(lines[:LINES_SHOWN])}. Rows that were written since the backup can be the reason: the"
            " same deploy again makes a new backup and rehearses with them.",
            difference=lines,
        )
