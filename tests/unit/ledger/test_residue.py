# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What receipts say that rollbacks have left."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.residue import residue_left


def receipt(
    step: str, version: str | None = None, residue: list[str] | None = None, status: str = "ok"
) -> Any:
    return {"step": step, "status": status, "migration": version, "outputs": {"residue": residue or []}}


def test_what_each_rollback_left_stays_whatever_later_ones_leave() -> None:
    rolled_back = [
        receipt("emergency_rollback", "002", ["enum label public.mood.a"]),
        receipt("apply", "002"),
        receipt("emergency_rollback", "002", []),
        receipt("emergency_rollback", "003", ["column order public.t"], status="failed"),
    ]
    assert residue_left(rolled_back) == {"002": ["enum label public.mood.a"]}
    assert residue_left([]) == {}


def test_a_restored_database_has_nothing_of_it() -> None:
    assert (
        residue_left([receipt("emergency_rollback", "002", ["column order public.t"]), receipt("swap")]) == {}
    )
