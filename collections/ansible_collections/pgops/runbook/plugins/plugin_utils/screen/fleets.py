# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the screen says of runs over several databases: which batch this is, and at the end how all of them ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...module_utils.errors import Refused
from ..fleet.record import FleetRecord
from ..record.typed_here import typed_here
from ..report.fleet import fleet_in_short

__all__ = ["Fleets"]


class Fleets:
    """The fleets of one command, mostly none or one."""

    def __init__(self) -> None:
        self._records: dict[str, FleetRecord] = {}
        self._place = ""
        self._places = ""

    def see_run(self, options: Sequence[str]) -> None:
        """Take in what the commands need that a run of one of the databases has told; see options_of_here()."""
        self._places = next(iter(options), "")

    def see(self, gate: dict[str, Any]) -> None:
        """Take in the result of the task that stands before the run of each database."""
        if gate.get("fleet_json"):
            folder = Path(gate["fleet_json"]).parent
            self._records[gate["fleet_json"]] = FleetRecord(str(folder.parent), folder.name)
        if "migrations" in gate:
            self._place = "what was deployed in the batch of a failure"
            return
        self._place = f"batch {gate['batch']} of {gate['batches']}" if gate.get("batches") else ""

    def place(self) -> str:
        """``batch 2 of 3``; empty where it is not known."""
        return self._place

    def in_short(self) -> list[str]:
        """The lines at the end."""
        lines: Any = []
        for path, record in self._records.items():
            try:
                content = record.read()
            except Refused as refusal:
                lines += ["", refusal.reason]
                continue
            if content:
                lines += ["", *fleet_in_short(content, path)]
        return typed_here(lines, (self._places, self._places))
