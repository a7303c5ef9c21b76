# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The database that a run restores into: its name, how it is known as ours, and dropping it.

Apart from how it is made, since every run looks for one that was left, and the end of a run is not to wait for that
code to start.
"""

from __future__ import annotations

import contextlib
import os

from ..backup.copy import CopyDatabase
from ..digests import named_for_run
from ..postgres.application_tables import LEDGER_SCHEMA
from ..postgres.maintenance import SWAP_MARK
from ..shapes import Connection, Target

__all__ = ["RestoredDatabase", "drop_restored", "ledger_dump"]

PREFIX = "runbook_restore_"


class RestoredDatabase(CopyDatabase):
    """The database that a run restores a backup into; always on the server of the database that it will replace."""

    def __init__(self, target: Target, run_id: str) -> None:
        super().__init__(target, run_id, named_for_run(PREFIX, run_id))

    def _is_ours(self, comment: str | None) -> bool:
        # Marked for the swap and not swapped: otherwise it would have another name.
        return super()._is_ours(comment) or (comment or "").startswith(SWAP_MARK)


def drop_restored(target: Target, run_id: str, backup_dir: str, beside: Connection | None = None) -> bool:
    """Drop what a run restored and did not swap, and the copy of the ledger that it was killed over.

    Args:
        beside: as for CopyDatabase.drop().

    Returns:
        Whether there was a database.
    """
    # Mostly there is none; and one that cannot be removed must not keep anybody from an emergency rollback.
    with contextlib.suppress(OSError):
        os.unlink(ledger_dump(backup_dir, run_id))
    return RestoredDatabase(target, run_id).drop(beside)


def ledger_dump(backup_dir: str, run_id: str) -> str:
    return os.path.join(os.path.abspath(backup_dir), run_id, f"{LEDGER_SCHEMA}.dump")
