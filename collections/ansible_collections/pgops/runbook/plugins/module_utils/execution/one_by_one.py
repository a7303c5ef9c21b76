# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a script whose statements cannot be in one transaction: one by one, each noted in the journal."""

from __future__ import annotations

import time
from contextlib import contextmanager

from ..errors import StepFailed
from ..impact.one_by_one import ImpactOneByOne
from ..ledger.journal import Journal, open_journal
from ..postgres.connection import psycopg2
from ..postgres.sequences import positions, put_back
from ..salvage.keeping.keeper import NotForeseen
from .outside_transaction import after_failure, after_success, took_effect
from .script import run_script, with_lock_retries

__all__ = ["begin_or_resume", "commits_one_by_one", "run_one_by_one"]

# CONCURRENTLY waits for older transactions without keeping anybody waiting, so it may wait longer than a lock that
# the application would queue behind.
LONE_LOCK_TIMEOUT_SECONDS = 600


# What goes on with a script that stopped half way.
PLAYBOOKS = {"apply": "deploy.yml", "rollback": "emergency_rollback.yml"}


def commits_one_by_one(script):
    """Whether a script says, or its statements demand, that it is not run as one transaction."""
    return bool(script) and (script.get("transaction") == "none" or bool(script["forbids_transaction"]))


def begin_or_resume(cursor, ledger, run_id, migration, direction, catalog):
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
            f"Migration {half_done['migration']} is half done ({half_done['direction']}, {half_done['done']}"
            f" statements): finish it first with {PLAYBOOKS[half_done['direction']]}"
            f" -e migration={half_done['migration']}.",
        )
    journal = Journal(half_done["journal_id"], half_done["run_id"], direction)
    return journal, ledger.catalog(cursor, half_done["catalog_before"])


@contextmanager
def _autocommit(connection):
    connection.commit()
    connection.autocommit = True
    try:
        yield connection.cursor()
    finally:
        if not connection.closed:
            connection.autocommit = False


def run_one_by_one(connection, journal, script, policy, blockers=lambda: [], impact=None, salvage=None):
    """Run the statements that the journal does not have as done.

    Args:
        connection: idle.
        journal: Journal.
        script: dict with name and statements.
        policy: LockPolicy.
        blockers: says who blocks, for the error.
        impact: ImpactOneByOne that measures each statement that is run now.
        salvage: StatementSalvage that keeps, in each statement's transaction, what it destroys.

    Returns:
        list of dict: the timing of each statement that was run now.

    Raises:
        StepFailed: naming the statement; those before it are done and stay done.
    """
    timings = []
    impact = impact or ImpactOneByOne()
    with _autocommit(connection) as cursor:
        for ordinal, statement in enumerate(script["statements"], 1):
            state = journal.state(cursor, ordinal, statement)
            if state == "begun" and statement["alone"] and took_effect(cursor, statement):
                journal.note_done(cursor, ordinal)
                state = "done"
            if state == "done":
                impact.complete = False
                continue
            try:
                timings += _run_one(
                    cursor, journal, ordinal, script, statement, policy, blockers, impact, salvage
                )
            except StepFailed as error:
                done = (
                    f"{ordinal - 1} of {len(script['statements'])} statements are done and stay done; when the cause"
                    f" is mended, run {PLAYBOOKS[journal.direction]} for the same migration again: it goes on here"
                    if ordinal > 1
                    else f"0 of {len(script['statements'])} statements are done"
                )
                raise StepFailed(error.code, f"{error.reason.rstrip('.')}. {done}", **error.details) from None
    return timings


def _run_one(cursor, journal, ordinal, script, statement, policy, blockers, impact, salvage):
    one = {"name": script["name"], "statements": [statement]}

    def alone():
        journal.note_begin(cursor, ordinal, statement)
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", (f"{LONE_LOCK_TIMEOUT_SECONDS}s",))
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
        try:
            with impact.alone(cursor) as timing:
                timing += run_script(cursor, one)
            after_success(cursor, statement)
        except (StepFailed, psycopg2.Error):
            if not cursor.connection.closed:
                after_failure(cursor, statement)
                journal.forget(cursor, ordinal)
            raise
        journal.note_done(cursor, ordinal)
        return timing

    def in_transaction():
        learnt = None
        while True:
            try:
                return attempt(learnt)
            except NotForeseen as found:
                # Seen in a transaction that is undone: the next one keeps this too.
                learnt = found.losses

    def attempt(learnt):
        sequences = positions(cursor)
        cursor.execute("BEGIN")
        try:
            policy.set_in(cursor)
            journal.note_begin(cursor, ordinal, statement)
            keeper = salvage.before(cursor, ordinal, learnt) if salvage else None
            with impact.in_transaction(cursor) as timing:
                timing += run_script(cursor, one)
            if keeper:
                keeper.after()
            journal.note_done(cursor, ordinal)
            cursor.execute("COMMIT")
        except BaseException:
            if not cursor.connection.closed:
                cursor.execute("ROLLBACK")
                put_back(cursor, sequences)  # a setval() is not undone by ROLLBACK
            raise
        return timing

    started = time.monotonic()
    timing = with_lock_retries(alone if statement["alone"] else in_transaction, policy, blockers)
    timing[0]["attempted_seconds"] = round(time.monotonic() - started, 6)
    return timing
