# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The proof of a dump outside of a run."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.backup.copy import CopyDatabase
from ansible_collections.pgops.runbook.plugins.module_utils.backup.files import BackupFiles
from ansible_collections.pgops.runbook.plugins.module_utils.backup.proof import fill_and_compare, restore_dump
from ansible_collections.pgops.runbook.plugins.module_utils.shapes import Connection, Json


def restore_and_compare(
    files: BackupFiles,
    manifest: Json,
    copy: CopyDatabase,
    bindir: str = "",
    jobs: int = 2,
    production: Connection | None = None,
) -> Json:
    """Restore a dump into a new copy and compare; see fill_and_compare."""
    return fill_and_compare(
        lambda: restore_dump(files, manifest, copy, bindir, jobs), manifest, copy, production
    )
