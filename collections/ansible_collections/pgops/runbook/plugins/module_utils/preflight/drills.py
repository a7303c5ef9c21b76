# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What preflight asks about drills: what one is about, and before a deploy whether the last one is young enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import Refused
from ..ledger.drills import age_in_days
from ..shapes import Cursor, Json
from ..step.step import Step
from .order import these_newest_first
from .selection import select_for_deploy

__all__ = ["DRILL_SPEC", "refuse_old_drill", "select_for_drill"]

DRILL_SPEC: Json = {"drill_max_age_days": {"type": "float", "default": 0}}

COMMAND = "ansible-playbook playbooks/drill.yml"


def refuse_old_drill(step: Step, cursor: Cursor, selected: Sequence[str]) -> None:
    """A deploy waits for a drill, where one is asked for; who takes a migration back does not.

    Raises:
        Refused: there was none that went well, or it is too long ago.
    """
    allowed = step.params["drill_max_age_days"]
    if allowed < 0:
        raise Refused(
            "setting_invalid",
            f"drill_max_age_days is {allowed:g}: it is a number of days, or 0, which asks for no drill. Nothing was"
            " done.",
        )
    if step.playbook != "deploy" or not allowed or not selected:
        return
    age = age_in_days(cursor)
    if age is not None and age <= allowed:
        return
    last_drill = "none went well yet" if age is None else f"the last one that went well is {age:.1f} days old"
    raise Refused(
        "drill_too_old",
        f"drill_max_age_days asks for a drill of at most {allowed:g} days before a deploy, and in this database"
        f" {last_drill}. Production was not touched. Do one, on a copy, and deploy then: {COMMAND}",
    )


def select_for_drill(
    index: Sequence[Mapping[str, Any]],
    wanted: str,
    applied: Collection[str],
    until: str = "",
    skip: Collection[str] = (),
) -> list[str]:
    """The versions that a drill deploys and takes back, in order.

    What is applied is taken back on the copy first: where nothing is pending, the newest of those that sql_dir has.

    Args:
        wanted, until, skip: see checks.select_for_deploy().

    Raises:
        Refused: there is none, a requirement is not applied, or a later one would stay that depends on it.
    """
    if wanted == "pending":
        pending = select_for_deploy(index, wanted, applied, until, skip)
        newest = [entry["version"] for entry in index if entry["version"] in applied][-1:]
        if not pending and not newest:
            raise Refused(
                "nothing_to_drill",
                "There is no migration for a drill: none is pending, and of those that are applied sql_dir has none."
                " Check sql_dir. Production was not touched.",
            )
        return pending or newest
    if wanted in applied:
        return these_newest_first(index, [wanted], applied)
    return select_for_deploy(index, wanted, applied)
