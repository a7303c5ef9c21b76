# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking the ledger what became of a step that could not report."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..errors import Refused, RunbookError, StepFailed
from ..ledger.aftermath import aftermath
from ..ledger.journal import journal_of
from ..ledger.ledger import Ledger
from ..postgres.connection import psycopg2, server_identity, transaction
from ..postgres.message import one_line
from ..shapes import Connection, Identity, Receipt
from .waiting import take_run_lock

__all__ = ["Found", "ask_the_ledger", "ask_until_answered"]

# How long the sessions of a step that has died may be at work, and its server be away, until nobody asks any more
# what became of it.
AFTERMATH_SECONDS: float = 60


class Found(NamedTuple):
    """How a step ended, the receipts of its run, and the database that says so; no database where none was asked."""

    error: RunbookError
    receipts: list[Receipt]
    identity: Identity | None


def ask_the_ledger(connection: Connection, run_id: str, step: str, code: str, reason: str) -> Found:
    """How a step ended of which nothing is known but why it could not report: see ``aftermath``.

    Args:
        connection: to the target, a new one.
        run_id, step: of the step that could not report.
        code, reason: why it could not.

    Raises:
        psycopg2.Error, ServerUnreachable: the server could not be asked.
    """
    try:
        # A session that outlives its process holds it until the server has noticed.
        take_run_lock(connection, AFTERMATH_SECONDS)
    except Refused as error:
        return Found(
            StepFailed(
                code,
                f"{reason} What became of it is not known, because a session of it is still at work."
                f" {error.reason}",
            ),
            [],
            None,
        )
    with transaction(connection) as cursor:
        receipts = Ledger().receipts(cursor, run_id)
        half_done = journal_of(cursor, run_id)
        identity = server_identity(cursor)
    return Found(aftermath(step, code, reason, receipts, identity, half_done), receipts, identity)


def ask_until_answered(ask: Callable[[], RunbookError], code: str, reason: str) -> RunbookError:
    """What ``ask`` answers; a server that is away has some time to come back.

    Args:
        ask: connects and asks; may raise RunbookError or psycopg2.Error, and is then called again.
        code, reason: why the step could not report.
    """
    deadline = time.monotonic() + AFTERMATH_SECONDS
    while True:
        try:
            return ask()
        except (RunbookError, psycopg2.Error) as error:
            if time.monotonic() >= deadline:
                return StepFailed(
                    code,
                    f"{reason} What became of it is not known, because the server does not answer"
                    f" ({one_line(error)}). When it does: ansible-playbook playbooks/status.yml",
                )
            time.sleep(1)
