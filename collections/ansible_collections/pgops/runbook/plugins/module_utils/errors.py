# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The errors that a step can end with; every one carries a sentence for the person on call."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["AwaitingApproval", "Refused", "RunbookError", "StepFailed", "Unchanged", "known"]

T = TypeVar("T")


class RunbookError(Exception):
    """Base of all foreseeable errors.

    Args:
        code: the reason's short name in ``reasons.REASONS``, for programs: it stays when the sentence is reworded.
        reason: one sentence: what happened, and where it helps, what to do next.
        details: JSON-able facts for run.json and the report (a diff, sessions, keys ...).
    """

    outcome = "failed"

    def __init__(self, code: str, reason: str, /, **details: object) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.details = details


class Refused(RunbookError):
    """A gate said no; nothing in production was changed by the step that raises it."""

    outcome = "refused"


class AwaitingApproval(RunbookError):
    """Others have to say yes first; production was not touched, and the run goes on when they have."""

    outcome = "awaiting_approval"


class StepFailed(RunbookError):
    """A step was tried and did not succeed; the ledger says what is true in production."""


class Unchanged(RunbookError):
    """The change was tried in production and its transaction was rolled back."""

    outcome = "unchanged"


def known(value: T | None, what: str) -> T:
    """A value that earlier code has made sure of.

    Raises:
        LookupError: it is None: a defect of the runbook, not a foreseeable case.
    """
    if value is None:
        raise LookupError(f"{what} is not known, and should be")
    return value
