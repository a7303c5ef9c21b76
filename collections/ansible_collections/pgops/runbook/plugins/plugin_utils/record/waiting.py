# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that rollbacks had kept and that a deploy has held back: they wait until somebody settles it."""

from __future__ import annotations

from typing import Any

__all__ = ["code_of_waiting", "rows_waiting", "waiting_in_words"]


def rows_waiting(run: dict[str, Any]) -> int:
    """How many rows this run has held back, of migrations that it has not taken back again.

    Args:
        run: content of run.json.
    """
    taken_back = {
        version
        for step in run["steps"]
        if step["step"] == "emergency_rollback" and step["status"] == "ok"
        for version in step.get("migrations") or []
    }
    return sum(item["held_back"] for item in run["salvage_returned"] if item["migration"] not in taken_back)


def waiting_in_words(rows: int) -> str:
    """``3,015 rows wait``."""
    return f"{rows:,} row{'s' * (rows != 1)} wait{'s' * (rows == 1)}"


def code_of_waiting(rows: int) -> tuple[str, str]:
    """(reason code, reason) of a deploy that was to fail where rows wait."""
    return (
        "rows_held_back",
        f"The migration is deployed, and {waiting_in_words(rows)} that a rollback had kept. The play fails because"
        " fail_on_held_back is set. Which rows, and what stands in their way: ansible-playbook playbooks/salvage.yml",
    )
