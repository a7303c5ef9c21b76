# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill has shown, phase by phase, as lines of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...module_utils.sentences import counted, listed

__all__ = ["PHASES", "drilled", "last_drill"]

Phase = dict[str, Any]


def drilled(drill: dict[str, Any]) -> list[str]:
    """A line a phase, with how long it took and what it has proven.

    Args:
        drill: of run.json, or a drill of the ledger: phases.
    """
    return [_line(phase) for phase in drill["phases"]]


def last_drill(drill: dict[str, Any] | None) -> list[str]:
    """The last one for the status; nothing where there never was one."""
    if drill is None:
        return []
    times = ", ".join(f"{PHASES[one['phase']][0]} {one['seconds']:.1f} s" for one in drill["phases"])
    line = (
        f"Last drill: {drill['run_id']} of {', '.join(drill['migrations'])}, ended {drill['finished'][:19]}Z"
    )
    if drill["outcome"] == "failed":
        return [f"{line}: FAILED: {drill['reason']}"]
    return [f"{line}: {times}"]


def _line(phase: Phase) -> str:
    name, words = PHASES[phase["phase"]]
    took = f"{phase['seconds']:.1f} s"
    if phase["status"] != "ok":
        return f"{name}: FAILED after {took}"
    return f"{name}: {took}; {words(phase)}"


def _taken_back(phase: Phase) -> str:
    return f"deployed before the drill, and so taken back on the copy first ({_statements(phase)})"


def _deployed(phase: Phase) -> str:
    verified = f", verified by {listed(phase['verified'])}" if phase["verified"] else ""
    return f"{_statements(phase)}; the schema is the rehearsed one{verified}"


def _written(phase: Phase) -> str:
    if not phase["tables"] and not phase["not_written"]:
        return "nothing was written (drill_rows is 0, or there are no tables)"
    tables = "1 table" if phase["tables"] == 1 else f"{phase['tables']} tables"
    said = f"{counted(phase['new'], 'row')} new and {phase['changed']:,} changed in {tables}"
    if phase["not_written"]:
        said += (
            f"; not written to: {listed([f'{one} ({why})' for one, why in phase['not_written'].items()], 3)}"
        )
    return said


def _rolled_back(phase: Phase) -> str:
    schema = "the schema came back" if phase["schema_restored"] else "the schema was NOT compared"
    return f"{_statements(phase)}; {schema}; kept aside: {counted(phase['kept_rows'], 'row')}"


def _restored(phase: Phase) -> str:
    left = sum(phase["rows_left"].get("tables", {}).values())
    not_brought = f"; NOT brought over: {counted(left, 'row')}" if left else ""
    return (
        f"the application would have been kept out for {phase['held_off_seconds']:.1f} s; schema and"
        f" {counted(phase['rows_compared'], 'row')} equal the backup's; brought over, written since:"
        f" {counted(phase['rows_brought'], 'row')}{not_brought}"
    )


def _deployed_again(phase: Phase) -> str:
    said = f"the schema is the same again; of {counted(phase['kept'], 'row')} kept {phase['put_back']:,} went back"
    if phase["held_back"]:
        reasons = [f"{why} ({rows})" for why, rows in phase["reasons"].items()]
        said += f", {phase['held_back']:,} wait: {listed(reasons, 3)}"
    if phase["rows_differing"]:
        tables = [f"{one['table']} ({one['problem']})" for one in phase["rows_differing"]]
        return f"{said}; not as users left them: {listed(tables, 5)}"
    return f"{said}; every row is as users left it"


def _statements(phase: Phase) -> str:
    return f"{phase['statements_seconds']:.3f} s of statements"


#: Phase -> its name, and what is said of it.
PHASES: dict[str, tuple[str, Callable[[Phase], str]]] = {
    "take_back": ("Taken back first", _taken_back),
    "deploy": ("Deploy", _deployed),
    "writes": ("Users' writes", _written),
    "rollback": ("Emergency rollback", _rolled_back),
    "restore": ("Restore", _restored),
    "deploy_again": ("Deploy again", _deployed_again),
}
