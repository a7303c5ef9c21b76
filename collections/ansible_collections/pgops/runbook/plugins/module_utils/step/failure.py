# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step that fails: what production is then, and what is written of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AwaitingApproval, Refused, RunbookError, StepFailed
from ..ledger.aftermath import CHANGING_STEPS, half_done_in_words
from ..ledger.journal import journal_of
from ..postgres.connection import ServerUnreachable, connect, psycopg2, transaction
from ..postgres.message import explain_error, one_line
from ..postgres.other_encodings import explain_unreadable
from ..postgres.standbys import commit_without_standbys
from ..sentences import visible
from ..shapes import Json
from .gate import lost_receipt
from .inquiry import ask_the_ledger, ask_until_answered
from .kinds import UNGATED_STEPS
from .waiting import wait_not_long

if TYPE_CHECKING:
    from .step import Step

__all__ = ["aftermath_of", "failure_of"]


def failure_of(step: Step, error: RunbookError | psycopg2.Error | UnicodeDecodeError) -> Json:
    """What the module answers when the step has failed; the ledger is asked and told where that can be.

    Returns:
        the arguments of ``fail_json``: msg, reason_code, details, outcome and, where the backup to be put back is known
        to be gone, backup_gone.
    """
    foreseen = isinstance(error, RunbookError) and not isinstance(error, ServerUnreachable)
    error = _in_a_sentence(step, error)
    if not foreseen and step.name in CHANGING_STEPS and not step.module.check_mode:
        error = _after_a_loss(step, error)
    code, reason, details, outcome = error.code, visible(error.reason), error.details, error.outcome
    if not isinstance(error, AwaitingApproval):
        _record_failure(step, code, reason)
    gone = step.backup_gone(step)
    return {
        "failed": True,
        "msg": reason,
        "reason_code": code,
        "details": details,
        "outcome": outcome,
        "changed": False,
        **({"backup_gone": gone} if gone is not None else {}),
    }


def _in_a_sentence(step: Step, error: RunbookError | psycopg2.Error | UnicodeDecodeError) -> RunbookError:
    if isinstance(error, RunbookError):
        return error
    if isinstance(error, UnicodeDecodeError):
        try:
            return explain_unreadable(step.connection, error)
        except psycopg2.Error as lost:
            error = lost
    code, said = explain_error(error)
    return StepFailed(code, f"PostgreSQL ended step {step.name}: {said}", sqlstate=error.pgcode)


def _after_a_loss(step: Step, error: RunbookError) -> RunbookError:
    """What an error means that left nobody to say whether production was changed."""
    if not step.has_connected:
        return Refused(error.code, f"{error.reason} Step {step.name} did not begin.", **error.details)
    code, reason = error.code, error.reason
    found = ask_until_answered(lambda: _ask_again(step, code, reason), code, reason)
    found.details.update(error.details)
    return found


def _record_failure(step: Step, code: str, reason: str) -> None:
    """A failed step leaves a receipt too, if its run is open and the server still answers."""
    belongs_to_a_run = step.name == "preflight" or step.name not in UNGATED_STEPS
    if not step.identity or step.module.check_mode or not belongs_to_a_run:
        return
    if step.reopen is not None and not step.goes_on:
        return  # the run waits as before, or somebody else drives it
    try:
        if step.connection.closed:
            step.connection = connect(step.params["target"])
        with transaction(step.connection) as cursor:
            wait_not_long(cursor, local=True)
            # It may be the very reason that a standby is missing.
            commit_without_standbys(cursor, local=True)
            # The server that answers may be another one than the one that the step has lost.
            step.lost = lost_receipt(step, cursor, step.ledger.receipts(cursor, step.run_id))
            half_done = journal_of(cursor, step.run_id)
            step.half_done = half_done and {
                "migration": half_done["migration"],
                "words": half_done_in_words(half_done),
            }
            run = step.ledger.run(cursor, step.run_id)
            if run is not None and not run["finished"] and run["playbook"] == step.playbook:
                step.record(cursor, "failed", outputs={"reason_code": code, "reason": reason})
                if step.holds:
                    # The run goes on to its end, which may be a rollback, or a command that takes its time.
                    step.ledger.extend_lease(cursor, step.run_id)
    except (RunbookError, psycopg2.Error) as error:
        step.module.warn(f"The failure could not be written to the ledger: {one_line(error)}")


def aftermath_of(step: Step, code: str, reason: str) -> RunbookError:
    """How a step ended that could not report; what it has written and could not hand over is this step's now.

    Raises:
        psycopg2.Error, ServerUnreachable: the server could not be asked.
    """
    aftermath = ask_the_ledger(step.connection, step.run_id, step.name, code, reason)
    if aftermath.identity is None:
        return aftermath.error
    step.receipts, step.identity = aftermath.receipts, aftermath.identity
    step.recorded = [receipt for receipt in step.receipts if receipt["step"] == step.name]
    return aftermath.error


def _ask_again(step: Step, code: str, reason: str) -> RunbookError:
    """See ``aftermath_of``, by a session of its own."""
    step.connection.close()
    step.connect()
    return aftermath_of(step, code, reason)
