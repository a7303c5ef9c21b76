# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two documents that a rehearsal of all migrations leaves in the folder of SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..sql.layouts.choice import AUTO
from ..sql.library import read_sql_library
from . import order_document as migration_order_document
from . import status_document as rollback_status_document

__all__ = ["MIGRATION_ORDER", "ROLLBACK_STATUS", "write_documents"]

MIGRATION_ORDER = "MIGRATION_ORDER.md"
ROLLBACK_STATUS = "ROLLBACK_STATUS.md"


def write_documents(sql_dir: str, evidence: list[dict[str, Any]], layout: str = AUTO) -> list[str]:
    """Write MIGRATION_ORDER.md and ROLLBACK_STATUS.md where their text has changed.

    Args:
        sql_dir: the folder of SQL that was rehearsed.
        evidence: of each migration.
        layout: of the folder.

    Returns:
        list: the paths written.
    """
    library = read_sql_library(sql_dir, layout=layout)
    texts = {
        MIGRATION_ORDER: migration_order_document.render(library),
        ROLLBACK_STATUS: rollback_status_document.render(library, evidence),
    }
    written = []
    for name, text in texts.items():
        path = Path(library.sql_dir) / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    return written
