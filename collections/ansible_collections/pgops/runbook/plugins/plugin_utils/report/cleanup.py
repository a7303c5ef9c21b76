# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cleanup says: what went with its size and age, what stays and why."""

from __future__ import annotations

from typing import Any

from ...module_utils.sentences import cut, listed

__all__ = ["cleanup_in_short", "cleanup_report"]

NOT_SET = "neither backup_keep nor artifacts_keep is set, so that nothing is ever removed"

LONGEST = 200


def cleanup_report(outputs: dict[str, Any], target: str) -> list[str]:
    """A line for each thing that went, or in check mode would go, and for each that stays although it is old.

    Args:
        outputs: of the step cleanup, with what the controller has added.
        target: name of the inventory host.
    """
    if not outputs["backup_keep"] and not outputs["artifacts_keep"]:
        return [f"{target}: {NOT_SET}"]
    lines = [f"{target}: {_summary(outputs)}"]
    went = [f"backup of run {_thing(one)}" for one in outputs["removed"]]
    went += [f"artifacts of run {_thing(one)}" for one in outputs["artifacts"]]
    went += [f"record of fleet {_thing(one)}{_beside(one)}" for one in outputs["fleets"]]
    went += [f"{path}, which an earlier cleanup had begun to remove" for path in _ended(outputs)]
    verb = "would go" if outputs["check_mode"] else "removed"
    lines += [f"  {verb}: {line}" for line in cut(went, LONGEST)]
    lines += [f"  stays: backup of run {one['run_id']}, because {one['why']}" for one in outputs["kept"]]
    lines += [f"  left alone: {one['folder']}: {one['why']}" for one in _left_alone(outputs)]
    return lines + [f"  WARNING: {sentence}" for sentence in warnings_of(outputs)]


def cleanup_in_short(outputs: dict[str, Any]) -> list[str]:
    """What is to be said of it at the end of a run: nothing where nothing went."""
    went = [one["run_id"] for one in outputs["removed"]]
    artifacts = [one["run_id"] for one in outputs["artifacts"]]
    lines = []
    if went:
        lines.append(
            f"Removed, as backup_keep says: {_counted(outputs['removed'], 'backup')}: {listed(went, 3, ', ')}"
        )
    if artifacts:
        what = _counted(outputs["artifacts"], "folder")
        lines.append(f"Removed, as artifacts_keep says: {what}: {listed(artifacts, 3, ', ')}")
    if outputs["fleets"]:
        fleets = [one["run_id"] for one in outputs["fleets"]]
        what = _counted(outputs["fleets"], "record")
        lines.append(f"Removed, as artifacts_keep says: {what}: {listed(fleets, 3, ', ')}")
    return lines


def warnings_of(outputs: dict[str, Any]) -> list[str]:
    """What could not be removed, as sentences."""
    return [*outputs["warnings"], *outputs["artifacts_warnings"]]


def _ended(outputs: dict[str, Any]) -> list[str]:
    return [*outputs["ended"], *outputs["artifacts_ended"]]


def _left_alone(outputs: dict[str, Any]) -> list[dict[str, Any]]:
    return [*outputs["left_alone"], *outputs["artifacts_left_alone"]]


def _summary(outputs: dict[str, Any]) -> str:
    kinds = ((outputs["removed"], "backup"), (outputs["artifacts"], "folder"), (outputs["fleets"], "record"))
    what = [_counted(things, name) for things, name in kinds if things]
    if not what:
        return "nothing to remove" if not _ended(outputs) else "nothing but what was begun"
    verb = "would be removed, in check mode" if outputs["check_mode"] else "removed"
    return f"{' and '.join(filter(None, [', '.join(what[:-1]), what[-1]]))} {verb}"


def _counted(things: list[dict[str, Any]], name: str) -> str:
    plural = "" if len(things) == 1 else "s"
    of = {"folder": " of artifacts", "record": " of fleets" if plural else " of a fleet"}.get(name, "")
    return f"{len(things)} {name}{plural}{of} ({_size(sum(one['bytes'] for one in things))})"


def _thing(one: dict[str, Any]) -> str:
    proven = ", proven" if one.get("proven") else ", never proven" if "proven" in one else ""
    return f"{one['run_id']}: {_size(one['bytes'])}, {_age(one['age_days'])} old{proven}"


def _beside(fleet: dict[str, Any]) -> str:
    """In check mode: what has to go before it, of databases that are looked at by themselves."""
    others = len(fleet["beside"])
    if not others:
        return ""
    runs = "run of another database" if others == 1 else "runs of other databases"
    return f", once the artifacts of {others} {runs} are gone"


def _age(days: float) -> str:
    if days >= 2:
        return f"{days:.0f} days"
    return f"{days * 24:.0f} hours" if days * 24 >= 1 else f"{days * 24 * 60:.0f} minutes"


def _size(size: int) -> str:
    for unit, name in ((2**40, "TB"), (2**30, "GB"), (2**20, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 2**10:.0f} kB"
