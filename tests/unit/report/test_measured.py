# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who was held up, and by what: locks of production that stop others, and no others."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.report.measured import locked


def lock(mode: Any, table: str = "public.files") -> dict[Any, Any]:
    return {"table": table, "mode": mode, "held_seconds": 0.25}


def test_only_locks_that_stop_others_in_production_are_told() -> None:
    impact = {
        "009": {
            "copy": {"locks": [lock("AccessExclusiveLock")]},
            "production": {
                "locks": [lock("ShareLock"), lock("RowExclusiveLock"), lock("ShareLock", "public.tags")]
            },
        },
        "010": {"copy": {"locks": [lock("AccessExclusiveLock")]}, "production": {"locks": []}},
    }
    assert locked({"impact": impact}) == [
        "Locked by 009: public.files for 0.25 s (ShareLock), public.tags for 0.25 s (ShareLock)"
    ]
