# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What backup_keep and artifacts_keep say: which of several things go. Functions of values."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..errors import Refused
from ..shapes import Json

__all__ = ["KEEP_SPEC", "checked_keep", "what_goes"]

#: Option of a step.
KEEP_SPEC: Json = {"type": "dict", "options": {"count": {"type": "int"}, "days": {"type": "int"}}}


def checked_keep(name: str, given: Json | None) -> dict[str, int]:
    """What is to be kept, without what was left open; empty where everything is.

    Args:
        name: of the variable, for the person who has set it.

    Raises:
        Refused: a number below zero.
    """
    keep = {key: value for key, value in (given or {}).items() if value is not None}
    wrong = [key for key, value in keep.items() if value < 0]
    if wrong:
        raise Refused(
            "setting_invalid",
            f"{name}: {wrong[0]} is {keep[wrong[0]]}, and must be 0 or more. Nothing was removed.",
        )
    return keep


def what_goes(candidates: Sequence[Json], keep: dict[str, int], needed: Collection[str]) -> list[Json]:
    """Those that may be removed, newest first: neither count nor days keeps them, and nothing else.

    Args:
        candidates: dicts with run_id, made (text that sorts by time), age_days and, of backups, proven.
        keep: count: the newest so many stay; days: those stay that are no older. Empty: all stay.
        needed: run_ids that stay whatever it says; so does the newest proven backup.
    """
    if not keep:
        return []
    ordered = sorted(candidates, key=lambda one: (one["made"], one["run_id"]), reverse=True)
    newest_proven = next((one["run_id"] for one in ordered if one.get("proven")), None)
    return [
        one
        for place, one in enumerate(ordered)
        if place >= keep.get("count", 0)
        and not ("days" in keep and one["age_days"] <= keep["days"])
        and one["run_id"] != newest_proven
        and one["run_id"] not in needed
    ]
