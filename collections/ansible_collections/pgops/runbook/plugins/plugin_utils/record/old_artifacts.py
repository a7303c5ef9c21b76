# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing the artifacts of runs that artifacts_keep no longer keeps, on the controller."""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...module_utils.own_files import read_regular
from ...module_utils.retention.policy import what_goes
from ...module_utils.retention.removal import (
    OF_FILES,
    Tree,
    aside,
    entries_named,
    folders_set_aside,
    is_own_folder,
    remove_folder,
    set_aside,
    size_of,
    stranger_in,
)
from .record import RUN_ID

__all__ = ["clean_artifacts", "days_since", "removed_whole", "unlike"]

WRITTEN = ("run.json", "report.html", "report.md", "junit.xml")

#: All that a run writes into its folder, also where it is killed over it.
KNOWN: Tree = {
    **dict.fromkeys((*WRITTEN, *(f"{name}.part" for name in WRITTEN), "run.part")),
    "receipts": OF_FILES,
}

#: Removed last: it says of which database the folder is.
TELLS_WHOSE = ("run.json",)

SECONDS_OF_A_DAY = 86400


def clean_artifacts(
    artifacts_dir: Path,
    target: str,
    database: str,
    outputs: Mapping[str, Any],
    writes: bool = True,
    but: str = "",
) -> dict[str, Any]:
    """Remove what goes; with ``writes`` false only say what would.

    Args:
        target, database: name of the inventory host, and of its database: others' are left alone.
        outputs: outputs of the step cleanup: artifacts_keep, backups, needed, waiting, left_alone.
        but: a run that stays in any case.

    Returns:
        dict: artifacts (dicts with run_id, made, age_days, bytes, of what went), artifacts_left_alone (folder and
        why), artifacts_warnings, artifacts_ended (folders whose removal an earlier cleanup had begun).
    """
    answer: dict[str, Any] = {
        "artifacts": [],
        "artifacts_left_alone": [],
        "artifacts_warnings": [],
        "artifacts_ended": [],
    }
    keep = outputs["artifacts_keep"]
    if not keep:
        return answer
    try:
        _clean(artifacts_dir, (target, database), outputs, writes, but, answer)
    except OSError as error:
        answer["artifacts_warnings"].append(
            f"artifacts_dir {artifacts_dir} cannot be looked into: {error.strerror}."
        )
    return answer


def _clean(
    artifacts_dir: Path,
    whose: tuple[str, str],
    outputs: Mapping[str, Any],
    writes: bool,
    but: str,
    answer: dict[str, Any],
) -> None:
    runs = []
    needed = {*outputs["backups"], *outputs["needed"], *(one["run_id"] for one in outputs["left_alone"]), but}
    needed.add(_newest(artifacts_dir))
    for name, path in entries_named(str(artifacts_dir), RUN_ID.fullmatch):
        record = _record_in(path, whose)
        if record is None or record.get("run_id") != name:
            continue
        why = unlike(path, KNOWN)
        if why is not None:
            answer["artifacts_left_alone"].append({"folder": path, "why": why})
        if why is not None or _is_awaited(record, outputs["waiting"]):
            needed.add(name)
        runs.append(_facts(path, record))
    going = what_goes(runs, outputs["artifacts_keep"], needed)
    if not writes:
        answer["artifacts"] = going
        return
    begun = [
        path for _, path in folders_set_aside(str(artifacts_dir), RUN_ID.fullmatch) if _is_ours(path, whose)
    ]
    warnings = answer["artifacts_warnings"]
    answer["artifacts_ended"] = [path for path in begun if removed_whole(path, TELLS_WHOSE, warnings)]
    for run in going:
        folder = str(artifacts_dir / run["run_id"])
        try:
            set_aside(folder)
        except OSError as error:
            warnings.append(f"{folder} was not removed: {error.strerror}.")
            continue
        answer["artifacts"].append(run)
        removed_whole(aside(folder), TELLS_WHOSE, warnings)


def removed_whole(path: str, last: Sequence[str], warnings: list[str]) -> bool:
    """Remove a folder that was set aside; whether it is gone.

    Args:
        last: see remove_folder.
        warnings: gets a sentence where it could not be removed.
    """
    try:
        remove_folder(path, last)
    except OSError as error:
        warnings.append(
            f"{path} could not be removed whole: {error.filename}: {error.strerror}. The next cleanup tries it again."
        )
        return False
    return True


def _newest(artifacts_dir: Path) -> str:
    """Name of the folder that ``latest`` points to."""
    with contextlib.suppress(OSError):
        return (artifacts_dir / "latest").readlink().name
    return ""


def _record_in(path: str, whose: tuple[str, str]) -> dict[str, Any] | None:
    """Content of the run.json in a folder of ours that is of this database; None where it is not."""
    if not is_own_folder(path):
        return None
    try:
        record = json.loads(read_regular(f"{path}/run.json"))
        return record if (record["target"], record["database"]) == whose else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def unlike(path: str, known: Tree) -> str | None:
    """Why a folder is left alone; None where it is as we leave it.

    Args:
        known: what we write there.
    """
    try:
        stranger = stranger_in(path, known)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if stranger is None else f"it holds {stranger}, which no run has written"


def _is_ours(path: str, whose: tuple[str, str]) -> bool:
    """Whether a folder whose removal was begun is of this database; one without any file is anybody's."""
    return _record_in(path, whose) is not None or not any(files for _, _, files in os.walk(path))


def _is_awaited(record: Mapping[str, Any], waiting: list[str]) -> bool:
    """Whether somebody may have to read of the run: it has not ended, or rows that it could not put back wait."""
    rows_wait = bool(record.get("rows_waiting")) and not set(record.get("migrations") or []).isdisjoint(
        waiting
    )
    return not isinstance(record.get("ended"), str) or rows_wait


def _facts(path: str, record: Mapping[str, Any]) -> dict[str, Any]:
    ended = str(record.get("ended") or "")
    return {
        "run_id": record["run_id"],
        "made": ended,
        "age_days": days_since(ended),
        "bytes": size_of(path),
    }


def days_since(moment: str) -> float:
    """How long ago something ended, as a record has it; 0 where that is no moment."""
    try:
        then = calendar.timegm(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return 0.0
    return (time.time() - then) / SECONDS_OF_A_DAY
