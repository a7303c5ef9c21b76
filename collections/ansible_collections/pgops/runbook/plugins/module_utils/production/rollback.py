# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rolling back in production: one transaction, compared before COMMIT with the schema there was."""

from __future__ import annotations

import time

from ..catalog.application import read_schema
from ..catalog.difference import describe, difference, undone
from ..digests import digest_of
from ..errors import StepFailed, Unchanged
from ..execution.one_by_one import begin_or_resume, is_journalled, run_journalled
from ..execution.script import roll_back_migration, run_checks
from ..ledger.receipts import latest, script_digests
from ..ledger.versions import VersionTable
from ..library.changes import paths_to_follow
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import transaction
from ..postgres.sequences import collisions, new_collisions, positions
from ..salvage.keeping.keeper import NotForeseen, SalvageKeeper
from ..salvage.keeping.one_by_one import StatementSalvage
from ..salvage.labels import labels_added_since
from ..salvage.privileges import privileges_changed_since
from .attempt import commit_or_find_out, in_production, undo_attempt

__all__ = ["committed_by_this_run", "expected_after", "roll_back_and_compare", "roll_back_production"]


def committed_by_this_run(step, migrations):
    """What the ledger says that this run has committed and not taken back yet, newest first."""
    committed = []
    for migration in reversed(migrations):
        applied = latest(step.receipts, "apply", migration["version"])
        taken_back = latest(step.receipts, "emergency_rollback", migration["version"])
        if applied is not None and applied["status"] == "ok" and taken_back is None:
            committed.append(migration)
    return committed


def roll_back_production(step, migrations, policy):
    """Roll all of ``migrations`` back, in the given order, in one transaction.

    A script whose statements cannot be in one is run on its own, and then so is each of the others.

    Returns:
        list of dict: version, catalogs, seconds, statements, and whether the schema was compared with a
        record (a migration that was adopted has none).

    Raises:
        Unchanged: something failed or the schema is not the recorded one; nothing was rolled back.
    """
    if any(is_journalled(migration["rollback"]) for migration in migrations):
        done = []
        for migration in migrations:
            if is_journalled(migration["rollback"]):
                done.append(_roll_back_journalled(step, migration, policy))
            else:
                done += _roll_back_together(step, [migration], policy)
        return done
    return _roll_back_together(step, migrations, policy)


def _roll_back_together(step, migrations, policy):
    written = len(step.recorded)
    names = ", ".join(migration["version"] for migration in migrations)

    learnt = {}

    def attempt():
        while True:
            step.forget_unwritten(written)
            with transaction(step.connection) as cursor:
                sequences = positions(cursor)
            try:
                with step.connection.cursor() as cursor:
                    policy.set_in(cursor)
                    done = [
                        _roll_back_one(step, cursor, migration, learnt.get(migration["version"]))
                        for migration in migrations
                    ]
                    run_checks(cursor, step.smoke_scripts())
            except NotForeseen as found:
                # Seen in a transaction that is undone: the next one keeps this too.
                undo_attempt(step, sequences)
                learnt[found.version] = found.losses
                continue
            commit_or_find_out(step, step.recorded[-1])
            return done

    return in_production(
        step, attempt, policy, f"The rollback of {names} was tried and undone, it is still applied"
    )


def _roll_back_one(step, cursor, migration, learnt=None):
    version = migration["version"]
    clock = time.monotonic()
    current = read_schema(cursor)
    expected = _expected_schema(step, cursor, version, current)
    foreseen, written = _evidence(step, cursor, version)
    keeper = SalvageKeeper(cursor, step.run_id, version, foreseen, written, learnt)
    _keep_what_was_made_of_it(step, cursor, version, current, keeper)
    keeper.before()
    paths = paths_to_follow(step, cursor, migration)
    statements, found = roll_back_and_compare(cursor, migration, expected)
    salvage = keeper.after()
    outputs = {
        "version": version,
        "catalog_before": step.ledger.keep_catalog(cursor, current),
        "catalog_after": step.ledger.keep_catalog(cursor, found),
        "schema_restored": True if expected is not None else None,
        "salvage": salvage,
        "seconds": round(time.monotonic() - clock, 3),
        "statements": statements,
    }
    if paths is not None:
        outputs["path_changes"] = paths.record_changes(cursor, step.run_id, version, "rollback")
    inputs = script_digests(migration)
    step.record(cursor, "ok", migration=version, inputs=inputs, outputs=outputs)
    return outputs


def _keep_what_was_made_of_it(step, cursor, version, current, keeper):
    """Privileges and labels that people changed since on objects that the migration made."""
    applied = step.ledger.applied_receipt(cursor, version)
    if applied is not None:
        outputs = applied["outputs"]
        before = step.ledger.catalog(cursor, outputs["catalog_before"])
        made = step.ledger.catalog(cursor, outputs.get("catalog_made") or outputs["catalog_after"])
        added = difference(before, made).added
        keeper.keep_privileges(privileges_changed_since(added, current))
        keeper.keep_labels(labels_added_since(added, current))


def _evidence(step, cursor, version):
    """What the rehearsal before the deploy saw the rollback destroy, and the tables that the deploy wrote to.

    Returns:
        (list, set), or (None, None) for a migration that the ledger has not deployed: it is seen when the rollback
        is tried.
    """
    proof, written = _rehearsed(step, cursor, version)
    return proof.get("rollback_impact", {}).get("destroyed"), written


def _rehearsed(step, cursor, version):
    """The evidence of the rehearsal before the deploy (an empty one where there is none), and the tables it wrote."""
    applied = step.ledger.applied_receipt(cursor, version)
    if applied is None:
        return {}, None
    impact = applied["outputs"]["impact"]
    written = set(impact["written"]) if "written" in impact else None
    rehearsed = latest(step.ledger.receipts(cursor, applied["run_id"]), "rehearse")
    for proof in rehearsed["outputs"]["migrations"] if rehearsed else []:
        if proof["version"] == version:
            return proof, written
    return {}, written


def roll_back_and_compare(cursor, migration, expected, compare=difference):
    """Run a rollback and look at what it gives, before COMMIT.

    Args:
        cursor: of the transaction.
        migration: with its rollback script.
        expected: the schema it must give, or None where that is not known.
        compare: says how two catalogs differ.

    Returns:
        (statements, catalog afterwards).

    Raises:
        Unchanged: it gives another schema, or leaves a sequence at values that its column has.
    """
    version = migration["version"]
    before = collisions(cursor, indexed_only=True)
    statements = roll_back_migration(cursor, migration)
    found = read_schema(cursor)
    lines = describe(compare(expected, found)) if expected is not None else []
    if lines:
        raise Unchanged(
            "rollback_schema_differs",
            f"The rollback of {version} does not give back the schema from before its deploy; it was undone"
            f" and {version} is still applied: {'; '.join(lines[:10])}.",
            difference=lines,
        )
    lines = new_collisions(before, collisions(cursor, indexed_only=True))
    if lines:
        raise Unchanged(
            "sequence_would_collide",
            f"The rollback of {version} was undone and {version} is still applied: after it {'; '.join(lines[:10])}.",
            difference=lines,
        )
    return statements, found


def _roll_back_journalled(step, migration, policy):
    version = migration["version"]
    clock = time.monotonic()

    def begin():
        with transaction(step.connection) as cursor:
            journal, before = begin_or_resume(cursor, step.ledger, step.run_id, migration, "rollback")
            expected = _expected_schema(step, cursor, version, before)
            return journal, before, expected, _salvage_of_statements(step, cursor, migration, journal, before)

    journal, before, expected, salvage = in_production(
        step, begin, policy, f"The rollback of {version} did not begin, it is still applied"
    )
    try:
        with BlockerWatch(step.params["target"], step.connection.get_backend_pid()) as watch:
            statements = run_journalled(
                step.connection, journal, migration["rollback"], policy, watch.sentences, salvage=salvage
            )
    except StepFailed as error:
        with transaction(step.connection) as cursor:
            not_begun = journal.drop_if_nothing_is_done(cursor)
        if not_begun:
            raise Unchanged(
                error.code,
                f"The rollback of {version} did not begin, it is still applied: {error.reason}",
                **error.details,
            ) from None
        raise
    with transaction(step.connection) as cursor:
        VersionTable(cursor).forget(version)
        found = read_schema(cursor)
        lines = describe(difference(expected, found)) if expected is not None else []
        outputs = {
            "version": version,
            "catalog_before": step.ledger.keep_catalog(cursor, before),
            "catalog_after": step.ledger.keep_catalog(cursor, found),
            "schema_restored": not lines if expected is not None else None,
            "salvage": salvage.finish(cursor),
            "seconds": round(time.monotonic() - clock, 3),
            "statements": statements,
        }
        inputs = script_digests(migration)
        step.record(cursor, "ok", migration=version, inputs=inputs, outputs=outputs)
        journal.close(cursor)
    if lines:
        raise StepFailed(
            "rollback_schema_differs",
            f"The rollback of {version} was committed statement by statement and does not give back the schema"
            f" from before its deploy: {'; '.join(lines[:10])}.",
            difference=lines,
        )
    return outputs


def _salvage_of_statements(step, cursor, migration, journal, before):
    """What keeps the losses of each statement, with what the rehearsal saw each of them touch."""
    version = migration["version"]
    proof, written = _rehearsed(step, cursor, version)
    statements = proof.get("rollback_statements", [])
    destroyed = [one.get("destroyed") for one in statements]
    same = [one["line"] for one in statements] == [one["line"] for one in migration["rollback"]["statements"]]
    return StatementSalvage(
        journal.journal_id,
        journal.run_id,
        version,
        [one or [] for one in destroyed] if same and any(one is not None for one in destroyed) else None,
        written,
        lambda keeper: _keep_what_was_made_of_it(step, keeper.cursor, version, before, keeper),
    )


def _expected_schema(step, cursor, version, current):
    """The schema that the rollback must give, or None where the ledger does not know the deploy."""
    applied = step.ledger.applied_receipt(cursor, version)
    if applied is None:
        return None
    before = step.ledger.catalog(cursor, applied["outputs"]["catalog_before"])
    after = step.ledger.catalog(cursor, applied["outputs"]["catalog_after"])
    if digest_of(current) == applied["outputs"]["catalog_after"]:
        return before
    return expected_after(version, current, before, after)


def expected_after(version, current, before, after):
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
            f"What {version} made was changed since its deploy, so that its rollback would undo that change too:"
            f" {'; '.join(conflicts[:10])}.",
            difference=conflicts,
        )
    return expected
