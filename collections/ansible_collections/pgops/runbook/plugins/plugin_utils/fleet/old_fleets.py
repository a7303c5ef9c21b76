# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing the records of fleets that artifacts_keep no longer keeps, on the controller.

A fleet's folder is of all of its databases, and each of them cleans up by itself, with numbers of its own. None of them
removes it while the folder of one of its runs is there: whoever keeps that can read of what it was a part, and the
last one to let its run go takes the fleet's record with it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...module_utils.durable import one_at_a_time
from ...module_utils.own_files import read_regular
from ...module_utils.retention.policy import what_goes
from ...module_utils.retention.removal import (
    aside,
    entries_named,
    folders_set_aside,
    is_own_folder,
    set_aside,
    size_of,
)
from ..record.old_artifacts import days_since, removed_whole, unlike
from ..record.record import RUN_ID
from ..report.fleet import DEPLOYED
from .record import FLEET_JSON, FLEET_MD

__all__ = ["clean_fleets"]

Answer = dict[str, list[Any]]

#: All that is written into a fleet's folder, also where the command is killed over it.
KNOWN = dict.fromkeys(name for file in (FLEET_JSON, FLEET_MD, DEPLOYED) for name in (file, f"{file}.part"))

#: Removed last: it says of which databases the folder is.
TELLS_WHOSE = (FLEET_JSON,)


def clean_fleets(
    artifacts_dir: Path,
    target: str,
    database: str,
    keep: Mapping[str, int],
    going: Collection[str],
    writes: bool = True,
) -> Answer:
    """Remove what goes; with ``writes`` false only say what would.

    Args:
        target, database: name of the inventory host, and of its database: fleets without it are left alone.
        keep: artifacts_keep: the newest so many of these fleets, and those that ended so many days ago; empty: all.
        going: runs whose folders would go before it, where nothing is written.

    Returns:
        dict: fleets (dicts with run_id, which is the name of the fleet, made, age_days, bytes and beside: in check mode
        runs of other databases whose folders have to go first), left_alone (folder and why), warnings, ended (folders
        whose removal an earlier cleanup had begun).
    """
    answer: Answer = {"fleets": [], "left_alone": [], "warnings": [], "ended": []}
    if not keep or not artifacts_dir.is_dir():
        return answer
    try:
        # Of several databases that clean up at once, one at a time.
        with one_at_a_time(artifacts_dir, needed=False):
            _clean(artifacts_dir, (target, database), dict(keep), going, writes, answer)
    except OSError as error:
        answer["warnings"].append(f"artifacts_dir {artifacts_dir} cannot be looked into: {error.strerror}.")
    return answer


def _clean(
    artifacts_dir: Path,
    whose: tuple[str, str],
    keep: dict[str, int],
    going: Collection[str],
    writes: bool,
    answer: Answer,
) -> None:
    fleets, needed = [], set()
    for name, path in entries_named(str(artifacts_dir), RUN_ID.fullmatch):
        content = _content_in(path, whose)
        if content is None or content["fleet_id"] != name:
            continue
        there = [run for run in _runs_of(content) if run not in going and (artifacts_dir / run).exists()]
        why = unlike(path, KNOWN)
        if why is not None:
            answer["left_alone"].append({"folder": path, "why": why})
        # In check mode the runs of others are looked at in their turn.
        ours = writes or any(_is_of(content, run, whose) for run in there)
        if why is not None or not isinstance(content["ended"], str) or (there and ours):
            needed.add(name)
        fleets.append(_facts(path, content, there))
    gone = what_goes(fleets, keep, needed)
    if not writes:
        answer["fleets"] = gone
        return
    begun = [path for _, path in folders_set_aside(str(artifacts_dir), RUN_ID.fullmatch)]
    begun = [path for path in begun if _content_in(path, whose) is not None]
    answer["ended"] = [path for path in begun if removed_whole(path, TELLS_WHOSE, answer["warnings"])]
    for fleet in gone:
        folder = str(artifacts_dir / fleet["run_id"])
        try:
            set_aside(folder)
        except OSError as error:
            answer["warnings"].append(f"{folder} was not removed: {error.strerror}.")
            continue
        answer["fleets"].append(fleet)
        removed_whole(aside(folder), TELLS_WHOSE, answer["warnings"])


def _content_in(path: str, whose: tuple[str, str]) -> dict[str, Any] | None:
    """Content of the fleet.json in a folder of ours that is of this database, too; None where it is not."""
    if not is_own_folder(path):
        return None
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        content: dict[str, Any] = json.loads(read_regular(f"{path}/{FLEET_JSON}"))
        _ = content["fleet_id"], content["ended"], list(_runs_of(content))
        if any(_is_entry_of(one, whose) for one in content["databases"]):
            return content
    return None


def _is_entry_of(entry: Mapping[str, Any], whose: tuple[str, str]) -> bool:
    """Whether an entry is of this database; of one that was never begun only the target is known."""
    return entry["target"] == whose[0] and entry["database"] in (None, whose[1])


def _is_of(content: Mapping[str, Any], run: str, whose: tuple[str, str]) -> bool:
    """Whether a run is one of this database."""
    own = {"databases": [one for one in content["databases"] if _is_entry_of(one, whose)]}
    return run in _runs_of(own)


def _runs_of(content: Mapping[str, Any]) -> Iterator[str]:
    """Names of its runs, and of those that have taken one back."""
    for one in content["databases"]:
        for run in (one["run_id"], (one["taken_back"] or {}).get("run_id")):
            if run and RUN_ID.fullmatch(run):
                yield run


def _facts(path: str, content: Mapping[str, Any], beside: list[str]) -> dict[str, Any]:
    made = str(content["ended"] or "")
    return {
        "run_id": content["fleet_id"],
        "made": made,
        "age_days": days_since(made),
        "bytes": size_of(path),
        "beside": beside,
    }
