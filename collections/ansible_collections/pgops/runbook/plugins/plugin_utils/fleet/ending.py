# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of the run of one database, for the record of its fleet."""

from __future__ import annotations

from typing import Any

from ...module_utils.errors import RunbookError
from ..record.record import RunRecord
from .content import end
from .record import FleetRecord

__all__ = ["concluded_in_fleet"]

Result = dict[str, Any]

NOT_NOTED = "The record of the fleet {} could not be written, so that no later batch begins: {}"


def concluded_in_fleet(result: Result, record: RunRecord, fleet_id: str, target: str) -> Result:
    """Take the end of a run into the record of its fleet.

    Args:
        result: of the task that has concluded the run; a warning is added where the fleet's record cannot be written.
        record: of the run.
        fleet_id: empty where the run is of no fleet.
        target: name of the inventory host; that of the record is another one where somebody named another's run.

    Returns:
        ``result``.
    """
    if not fleet_id or not record.writes:
        return result
    fleet = FleetRecord(str(record.artifacts_dir), fleet_id)
    try:
        if fleet.read() is None:
            return result  # of a run that went on with long after: it was removed
        with fleet.changing() as content:
            end(content, target, result["run"])
    except (RunbookError, OSError, KeyError) as error:
        why = f"{error.strerror}." if isinstance(error, OSError) else str(error)
        result.setdefault("warnings", []).append(NOT_NOTED.format(fleet.path, why))
    return result
