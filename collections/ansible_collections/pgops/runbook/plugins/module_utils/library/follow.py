# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that a run knows of the library: the files on disk that follow the paths in the database.

This is the room's only door. What the steps of a run call, in their order:

========================  ==============================================================================
preflight                 ``versions_behind``: what an earlier run has left for the files to follow
rehearse                  ``library_hosts_of``; on the copy ``paths_before`` and ``record_on_copy``;
                          ``bring_rehearsed`` takes what was recorded there into the ledger
apply                     ``refuse_unless_all_hosts_checked``, then ``paths_before`` and
                          ``record_in_production`` around each script, in its transaction
emergency_rollback        ``paths_before`` and ``record_in_production``
announce                  ``forget_rehearsed``
status, count_rows, swap  ``files_behind``, ``changes_since``
========================  ==============================================================================

Only the modules files_check and files_rename, which work on the hosts that hold the files, go further in.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor
from .changes import PathsBefore, changes_since, files_behind, versions_behind
from .hosts import library_hosts_of, refuse_unless_all_hosts_checked
from .rehearsed import REHEARSAL, bring_rehearsed, forget_rehearsed

__all__ = [
    "PathsBefore",
    "bring_rehearsed",
    "changes_since",
    "files_behind",
    "forget_rehearsed",
    "library_hosts_of",
    "paths_before",
    "record_in_production",
    "record_on_copy",
    "refuse_unless_all_hosts_checked",
    "versions_behind",
]


def paths_before(cursor: Cursor, column: Sequence[str] | None, files_follow: bool) -> PathsBefore | None:
    """The paths before a script, where its migration's header says that files follow them.

    Args:
        cursor: of the script's transaction; writers of the table wait until its end.
        column: the header's ``files``: schema (may be left out), table and column; None where it has none.
        files_follow: whether the inventory has a library.

    Returns:
        What ``record_on_copy`` or ``record_in_production`` compares with, or None.

    Raises:
        StepFailed: the header names no column that could be followed.
    """
    return PathsBefore(cursor, column) if column and files_follow else None


def record_on_copy(cursor: Cursor, paths: PathsBefore, version: str) -> None:
    """After the script that applies a migration on the copy: keep there which paths it changed."""
    paths.record_changes(cursor, REHEARSAL, version, "deploy")


def record_in_production(
    cursor: Cursor, paths: PathsBefore, run_id: str, version: str, direction: str
) -> int:
    """After a script in production: what the files are to follow.

    Args:
        cursor: of the script's transaction.
        paths: from before the script.
        run_id: name of the run.
        version: of the migration.
        direction: "apply" or "rollback".

    Returns:
        How many paths it changed.
    """
    if direction == "rollback":
        return paths.record_changes(cursor, run_id, version, "rollback")
    forget_rehearsed(cursor)
    return paths.record_changes(cursor, run_id, version, "deploy")
