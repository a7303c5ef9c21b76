# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the run of each database of a fleet passes before it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.digests import digest_of
from ...module_utils.errors import Refused, RunbookError
from .batches import batches_of, members
from .content import Verdict, begin, new_content, take_back, to_take_back
from .record import FleetRecord

__all__ = ["OPTIONS", "REGISTERED", "fleet_id_of", "pass_gate", "pass_take_back", "registered_fleet"]

#: Of the task; documented in plugins/modules/fleet.py.
OPTIONS: dict[str, dict[str, Any]] = {
    "artifacts_dir": {"type": "str", "required": True},
    "playbook": {"type": "str", "required": True},
    "migration": {"type": "str", "default": ""},
    "batches": {"type": "raw", "default": [1]},
    "rollback_batch": {"type": "bool", "default": False},
    "takes_back": {"type": "bool", "default": False},
}

Result = dict[str, Any]

#: The variable that the task's result is registered in, by which later tasks of a database know its fleet.
REGISTERED = "fleet_gate"

NOT_WRITTEN = (
    "The record of the fleet {} cannot be written: {}. Nothing was done in this database: where a failure could not be"
    " noted, a later batch would not know of it."
)


def fleet_id_of(begun: str, process: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Name of the fleet: the same in all tasks of a play, and no other's.

    Args:
        begun: when the process began, as run ids have it.
        process: what tells it from any other.
        options: of the task.
    """
    asked = [str(options.get(key) or "") for key in ("playbook", "migration")]
    return f"{begun}-fleet-{digest_of([*map(str, process), *asked]):.8}"


def pass_gate(
    fleet_id: str, options: Mapping[str, Any], target: str, hosts: Sequence[str], operator: str, writes: bool
) -> Result:
    """The result of the task that every database of a play of several passes first.

    Args:
        target: name of the inventory host.
        hosts: all of the play, in its order.
        writes: False in check mode, in which nothing is noted and each is looked at.
    """
    try:
        batches = members(batches_of(options["batches"]), hosts)
        facts = {
            "playbook": str(options["playbook"]),
            "migration": str(options["migration"]),
            "operator": operator,
            "rollback_batch": options["rollback_batch"],
        }
        place = {"batch": _number(batches, target), "batches": len(batches)}
        if not writes:
            return _answer(Verdict(goes_on=True), **place)
        record = FleetRecord(options["artifacts_dir"], fleet_id)
        with record.changing(lambda: new_content(fleet_id, facts, batches)) as content:
            verdict = begin(content, target)
    except RunbookError as error:
        return _failure(error.code, error.reason)
    except OSError as error:
        return _failure("artifacts_dir_unwritable", NOT_WRITTEN.format(error.filename, error.strerror))
    return {**_answer(verdict, **place), "fleet_json": str(record.path), "fleet_id": fleet_id}


def _number(batches: Sequence[Sequence[str]], target: str) -> int:
    """Of the batch that a host is in, from 1; 0 where it is in none."""
    return next((number for number, batch in enumerate(batches, 1) if target in batch), 0)


def pass_take_back(record: FleetRecord, target: str) -> Result:
    """The result of the task that finds out whether what this fleet has deployed in a database is taken back.

    Returns:
        The task's result; ``migrations`` has those that are taken back.
    """
    try:
        content = record.read()
    except Refused as error:
        return _failure(error.code, error.reason)
    if content is None:
        return _answer(Verdict(goes_on=False))
    # Where some have been taken back, their runs may still be at work.
    begun = any(one["taken_back"] for one in content["databases"])
    if not begun and not to_take_back(content):
        return _answer(Verdict(goes_on=False, for_all=True))
    migrations = take_back(content, target)
    return {**_answer(Verdict(goes_on=bool(migrations))), "migrations": migrations}


def registered_fleet(variables: Mapping[str, Any]) -> str:
    """Name of the fleet that a database has begun in, of the variables of a later task; empty where it has in none."""
    gate = variables.get(REGISTERED)
    return str(gate.get("fleet_id") or "") if isinstance(gate, Mapping) else ""


def _answer(verdict: Verdict, **place: int) -> Result:
    return {
        "changed": False,
        "goes_on": verdict.goes_on,
        "ends_play": verdict.for_all,
        **place,
        **({"msg": verdict.why} if verdict.why else {}),
    }


def _failure(code: str, reason: str) -> Result:
    return {"failed": True, "changed": False, "msg": reason, "reason_code": code, "outcome": "refused"}
