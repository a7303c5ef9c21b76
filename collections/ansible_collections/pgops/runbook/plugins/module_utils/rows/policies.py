# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a row that its table does not take: it is held back where it was kept, or it is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..postgres.bisect import NotTaken

__all__ = ["HOLD_BACK", "LEAVE", "PARENT_GONE", "VALUES_TAKEN", "Policy"]

VALUES_TAKEN = "another row has its key or its unique values"
PARENT_GONE = "its parent in {} is gone"


@dataclass(frozen=True)
class Policy:
    """How far the writing of rows goes, and what is said of a row that is not written.

    Attributes:
        rewrites: whether changed rows that exchange values among each other may be deleted and written anew, as the
            last way. What refers to them then goes or changes too where its foreign key says so (ON DELETE): only for
            those who compare afterwards, and bring back what went.
        reason: the sentence on a row that the table did not take, without its full stop.
    """

    rewrites: bool
    reason: Callable[[NotTaken], str]


def _reason_to_hold_back(failure: NotTaken) -> str:
    # Of a key that is taken nothing else is of interest; which one it is depends on what came first.
    return VALUES_TAKEN if failure.values_taken else failure.reason


def _reason_to_leave(failure: NotTaken) -> str:
    return f"{failure.reason} ({failure.reference})" if failure.reference else failure.reason


#: Rows that were kept and are on their way back into production: a row that cannot go stays where it was kept, with
#: the reason, and nothing that is there is deleted for it.
HOLD_BACK = Policy(rewrites=False, reason=_reason_to_hold_back)

#: Rows of another database: one that cannot come is left and named; what stands in its way stays.
LEAVE = Policy(rewrites=True, reason=_reason_to_leave)
