# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""One attempt to change production: its transaction is committed, or known not to be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import RunbookError, StepFailed, Unchanged
from ..execution.script import LockPolicy, with_lock_retries
from ..postgres.blockers import BlockerWatch
from ..postgres.connection import ServerUnreachable, connect, psycopg2, transaction
from ..postgres.message import one_line
from ..postgres.pooler import backend_pid
from ..postgres.sequences import positions, put_back
from ..shapes import Receipt, TableName
from ..step.step import Step

__all__ = ["CommitUnknown", "commit_or_find_out", "in_production", "undo_attempt"]

T = TypeVar("T")


def in_production(step: Step, attempt: Callable[[], T], policy: LockPolicy, what: str) -> T:
    """Run ``attempt`` with lock retries; whatever fails is rolled back and said to be so.

    Raises:
        Unchanged: with ``what`` and the reason.
        StepFailed: when COMMIT was sent and its result is unknown.
    """
    written = len(step.recorded)
    with transaction(step.connection) as cursor:
        sequences = positions(cursor)

    def rolled_back(run: Callable[[], T]) -> T:
        try:
            return run()
        except CommitUnknown:
            step.forget_unwritten(written)
            raise
        except BaseException:
            step.forget_unwritten(written)
            undo_attempt(step, sequences)
            raise

    try:
        with BlockerWatch(step.params["target"], backend_pid(step.connection)) as watch:
            result = with_lock_retries(lambda: rolled_back(attempt), policy, watch.sentences)
        step.replication += watch.said_of_standbys()
        return result
    except CommitUnknown:
        raise
    except Unchanged:
        raise
    except RunbookError as error:
        raise Unchanged(error.code, f"{what}: {error.reason}", **error.details) from None
    except psycopg2.Error as error:
        raise Unchanged("postgresql_error", f"{what}: {one_line(error)}.", sqlstate=error.pgcode) from None


def undo_attempt(step: Step, sequences: Mapping[TableName, int]) -> None:
    """Roll back, and put sequences back, which no ROLLBACK does: a setval() stays in effect."""
    if step.connection.closed:
        try:
            step.connection = connect(step.params["target"])
        except ServerUnreachable:
            return  # the error that led here is the one to report
    step.connection.rollback()
    with transaction(step.connection) as cursor:
        put_back(cursor, sequences)


class CommitUnknown(StepFailed):
    """COMMIT was sent, the connection was lost, and the server does not answer."""


def commit_or_find_out(step: Step, receipt: Receipt) -> None:
    """COMMIT; where its answer is lost, look in the ledger whether the receipt is there.

    Raises:
        Unchanged: the transaction is known not to be committed.
        CommitUnknown: the server could not be asked.
    """
    try:
        step.connection.commit()
        return
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        lost = one_line(error)
    for attempt in range(10):
        try:
            # One that has recovered for a minute is not waited for ten times.
            step.connection = connect(step.params["target"], patience=0 if attempt else None)
            step.take_run_lock()
            with transaction(step.connection) as cursor:
                if any(
                    known["digest"] == receipt["digest"]
                    for known in step.ledger.receipts(cursor, step.run_id)
                ):
                    return
            raise Unchanged(
                "connection_lost_at_commit",
                f"The connection was lost at COMMIT and the transaction was rolled back ({lost}). Run again when the"
                " server is steady.",
            )
        except Unchanged:
            raise
        except (psycopg2.Error, RunbookError):
            time.sleep(2)
    raise CommitUnknown(
        "commit_unknown",
        f"The connection was lost at COMMIT ({lost}) and the server does not answer, so it is not known whether the"
        " transaction was committed. When the server is back: ansible-playbook playbooks/status.yml",
    )
