# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that no test imports, each with the reason.  The aim is an empty list."""

from __future__ import annotations

# Reached through the steps of their room; each is to get a test that names it.
THROUGH_ITS_ROOM = "reached through the steps of its room only"

UNTESTED: dict[str, str] = {
    "module_utils.durable": THROUGH_ITS_ROOM,
    "module_utils.production.attempt": THROUGH_ITS_ROOM,
    "module_utils.restore.database": THROUGH_ITS_ROOM,
    "module_utils.restore.opening": THROUGH_ITS_ROOM,
    "module_utils.restore.source": THROUGH_ITS_ROOM,
    "module_utils.restore.steps": THROUGH_ITS_ROOM,
    "plugin_utils.report.documents": THROUGH_ITS_ROOM,
    "plugin_utils.report.salvage": THROUGH_ITS_ROOM,
    "plugin_utils.sql.diagnosis": THROUGH_ITS_ROOM,
    "plugin_utils.sql.folder": THROUGH_ITS_ROOM,
    "plugin_utils.sql.footprint": THROUGH_ITS_ROOM,
    "plugin_utils.sql.header": THROUGH_ITS_ROOM,
    "plugin_utils.sql.source": THROUGH_ITS_ROOM,
    "plugin_utils.sql.transaction_limits": THROUGH_ITS_ROOM,
}
