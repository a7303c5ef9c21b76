# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What kind a step is of: what the frame does before and after it goes by these."""

from __future__ import annotations

from ..ledger.aftermath import CHANGING_STEPS
from ..ledger.receipts import RESTORING_STEPS

__all__ = [
    "FIRST_STEPS",
    "LOOKING_SECONDS",
    "LOOKING_STEPS",
    "PATIENT_STEPS",
    "STEPS_AFTER_A_CHANGE",
    "STEPS_WITHOUT_AGE",
    "UNGATED_STEPS",
    "WAITING_FOR_STANDBYS",
]

# Preflight opens the run, and so comes before every gate; status and history read, announce closes what is open,
# salvage opens and closes a run of its own, approve says yes to another one, cleanup and new_migration belong to none.
UNGATED_STEPS = (
    "preflight",
    "status",
    "history",
    "salvage",
    "cleanup",
    "announce",
    "approve",
    "new_migration",
)

# With one of them each command begins; and with another one where a run goes on.
FIRST_STEPS = ("preflight", "status", "history", "salvage", "cleanup", "approve")

# Production is another one by then.
STEPS_AFTER_A_CHANGE = ("verify", "smoke_test", "files_rename")

STEPS_WITHOUT_AGE = (*STEPS_AFTER_A_CHANGE, *RESTORING_STEPS)

# Of these COMMIT waits for synchronous standbys, as the role has it: what production is, and what others need to know
# to give back what was taken from it. A receipt needs no wait of its own: WAL is one sequence, and a standby that has
# the change of production has all that was proven before it (decision 046). The last four see to it themselves.
WAITING_FOR_STANDBYS = (
    *CHANGING_STEPS,
    "maintenance_window",
    "files_rename",
    "approve",
    "cleanup",
    "salvage",
    "status",
)

# Who only looks does not wait as long for a server that starts or recovers.
LOOKING_STEPS = ("status", "history")
LOOKING_SECONDS: float = 10

# Steps whose work is to read and write the ledger, which waits for locks.
PATIENT_STEPS = ("preflight", "announce", "approve", "cleanup")
