# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applying to production: one transaction a migration, compared with the rehearsal before COMMIT."""

from __future__ import annotations

import time

from ansible_collections.pgops.runbook.plugins.module_utils.blocker_watch import BlockerWatch
from ansible_collections.pgops.runbook.plugins.module_utils.catalog_difference import describe, difference
from ansible_collections.pgops.runbook.plugins.module_utils.connection import connect, psycopg2, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.errors import RunbookError, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.impact import ImpactMeter
from ansible_collections.pgops.runbook.plugins.module_utils.receipts import digest_of, latest
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal import run_checks
from ansible_collections.pgops.runbook.plugins.module_utils.schema import read_schema
from ansible_collections.pgops.runbook.plugins.module_utils.script_execution import (
    apply_migration,
    with_lock_retries,
)

__all__ = ["Unchanged", "apply_to_production", "commit_or_find_out"]

LINES_SHOWN = 10


class Unchanged(RunbookError):
    """The change was tried in production and its transaction was rolled back."""

    outcome = "unchanged"


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
        done.append(_apply_one(step, migration, rehearsed[migration["version"]], policy))
    return done


def _apply_one(step, migration, proof, policy):
    version = migration["version"]
    written = len(step.recorded)

    def attempt():
        step.forget_unwritten(written)
        clock = time.monotonic()
        with step.connection.cursor() as cursor:
            policy.set_in(cursor)
            _must_equal(
                step,
                cursor,
                proof["catalog_before"],
                f"The schema of production is no longer the one that was rehearsed; {version} was not applied",
            )
            meter = ImpactMeter(cursor)
            statements = apply_migration(cursor, migration, meter)
            impact = meter.result()
            _must_equal(
                step,
                cursor,
                proof["catalog_after"],
                f"Migration {version} made another schema in production than on the copy; it was rolled back",
            )
            run_checks(cursor, [migration["verify"]] if migration.get("verify") else [])
            run_checks(cursor, step.smoke_scripts())
            outputs = {
                "version": version,
                "catalog_before": proof["catalog_before"],
                "catalog_after": proof["catalog_after"],
                "seconds": round(time.monotonic() - clock, 3),
                "statements": statements,
                "impact": impact,
            }
            inputs = {
                kind: migration[kind]["sha256"] if migration.get(kind) else None for kind in SCRIPT_KINDS
            }
            receipt = step.record(cursor, "ok", migration=version, inputs=inputs, outputs=outputs)
        commit_or_find_out(step, receipt)
        return outputs

    return in_production(
        step, attempt, policy, f"Migration {version} was tried in production and rolled back"
    )


SCRIPT_KINDS = ("apply", "rollback", "verify")


def _must_equal(step, cursor, expected_digest, what):
    found = read_schema(cursor)
    if digest_of(found) != expected_digest:
        lines = describe(difference(step.ledger.catalog(cursor, expected_digest), found))
        raise Unchanged(f"{what}: {'; '.join(lines[:LINES_SHOWN])}.", difference=lines)


def in_production(step, attempt, policy, what):
    """Run ``attempt`` with lock retries; whatever fails is rolled back and said to be so.

    Raises:
        Unchanged: with ``what`` and the reason.
        StepFailed: when COMMIT was sent and its result is unknown.
    """
    written = len(step.recorded)

    def rolled_back(run):
        try:
            return run()
        except BaseException:
            step.forget_unwritten(written)
            if not step.connection.closed:
                step.connection.rollback()
            raise

    try:
        with BlockerWatch(step.params["target"], step.connection.get_backend_pid()) as watch:
            return with_lock_retries(lambda: rolled_back(attempt), policy, watch.sentences)
    except CommitUnknown:
        raise
    except Unchanged:
        raise
    except RunbookError as error:
        raise Unchanged(f"{what}: {error.reason}", **error.details) from None
    except psycopg2.Error as error:
        message = (error.diag.message_primary if error.diag else None) or " ".join(str(error).split())
        raise Unchanged(f"{what}: {message}.") from None


class CommitUnknown(StepFailed):
    """COMMIT was sent, the connection was lost, and the server does not answer."""


def commit_or_find_out(step, receipt):
    """COMMIT; where its answer is lost, look in the ledger whether the receipt is there.

    Raises:
        Unchanged: the transaction is known not to be committed.
        CommitUnknown: the server could not be asked.
    """
    try:
        step.connection.commit()
        return
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        lost = " ".join(str(error).split())
    for _ in range(10):
        try:
            step.connection = connect(step.params["target"])
            step.take_run_lock()
            with transaction(step.connection) as cursor:
                if any(
                    known["digest"] == receipt["digest"]
                    for known in step.ledger.receipts(cursor, step.run_id)
                ):
                    return
            raise Unchanged(f"The connection was lost at COMMIT and the transaction was rolled back: {lost}.")
        except (psycopg2.Error, StepFailed):
            time.sleep(2)
        except Unchanged:
            raise
        except RunbookError:
            time.sleep(2)
    raise CommitUnknown(
        f"The connection was lost at COMMIT ({lost}) and the server does not answer: whether the transaction was"
        " committed is not known. When the server is back: ansible-playbook playbooks/status.yml"
    )
