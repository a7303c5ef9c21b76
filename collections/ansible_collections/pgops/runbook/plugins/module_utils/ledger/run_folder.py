# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folder of a run in backup_dir: its backup, and for a rehearsal its receipts."""

from __future__ import annotations

import os

from ..errors import Refused
from ..own_files import NotOurs, make_own_folder

__all__ = ["make_run_folder"]


def make_run_folder(path: str) -> None:
    """Make it for ourselves alone, or take the one that we have made; also those above it, which are the person's.

    Raises:
        Refused: what stands in its place was made by another user.
        OSError: it cannot be made.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    try:
        make_own_folder(path)
    except NotOurs as error:
        raise Refused(
            "backup_dir_unusable",
            f"Nothing was written to backup_dir: {error.strerror}, and what lies there could be exchanged at any time."
            " Find out who made it, and choose a backup_dir in which nobody else may make folders.",
        ) from None
