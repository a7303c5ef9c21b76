# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run has committed, from its receipts."""

from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.pgops.runbook.plugins.module_utils.production.committed import committed_by_this_run


def receipt(step: str, migration: str, status: str = "ok") -> dict[str, str]:
    return {"step": step, "migration": migration, "status": status}


def committed(*receipts: dict[str, str]) -> list[str]:
    migrations = [{"version": version} for version in ("001", "002", "003")]
    found = committed_by_this_run(SimpleNamespace(receipts=list(receipts)), migrations)
    return [migration["version"] for migration in found]


def test_what_was_applied_newest_first() -> None:
    assert committed(receipt("apply", "001"), receipt("apply", "003")) == ["003", "001"]


def test_neither_what_failed_nor_what_was_taken_back() -> None:
    assert (
        committed(
            receipt("apply", "001"), receipt("apply", "002", "failed"), receipt("emergency_rollback", "001")
        )
        == []
    )
