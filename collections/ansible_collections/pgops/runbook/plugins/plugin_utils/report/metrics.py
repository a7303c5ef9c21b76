# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The newest run of each playbook on each target as metrics, for node_exporter's textfile collector.

The form is Prometheus' text format ("Exposition formats" of its documentation). One file for each target and playbook,
so that the next run of the same kind replaces it.
"""

from __future__ import annotations

import calendar
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...module_utils.durable import write_file_durably
from ..record.outcome import succeeded

__all__ = ["FAMILIES", "as_metrics", "metrics_file", "write_metrics"]

PREFIX = "pgops_runbook_"

# Metric -> what it says; all are gauges.
FAMILIES = {
    "run_info": "What the newest run was, and how it ended; always 1.",
    "run_success": "Whether it did what it was for: 1 or 0.",
    "run_production_unknown": "Whether it ended with outcome failed, after which a person has to look at production.",
    "run_end_timestamp_seconds": "When it ended, in seconds since 1970.",
    "run_duration_seconds": "What its steps took together.",
    "run_rows_waiting": "Rows that a rollback had kept and that this run could not put back.",
    "step_duration_seconds": "What each of its steps took.",
}

# Others read it: the collector is another user.
MODE = 0o644


def as_metrics(run: dict[str, Any]) -> str:
    """The text.

    Args:
        run: content of run.json of a run that has ended.
    """
    samples: dict[str, list[str]] = {name: [] for name in FAMILIES}
    for name, labels, value in _samples(run):
        samples[name].append(f"{PREFIX}{name}{{{_labels(labels)}}} {value}")
    return "".join(
        f"# HELP {PREFIX}{name} {about}\n# TYPE {PREFIX}{name} gauge\n"
        + "".join(f"{line}\n" for line in lines)
        for name, about in FAMILIES.items()
        if (lines := samples[name])
    )


def metrics_file(run: dict[str, Any]) -> str:
    """Name of the file; two targets never share one."""
    target = str(run["target"])
    name = target
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", target):
        name = hashlib.sha256(target.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{PREFIX}{run['playbook']}-{name}.prom"


def write_metrics(run: dict[str, Any], folder: str) -> str:
    """Replace the file of this target and playbook; returns its path.

    Raises:
        OSError: the folder is not there or cannot be written.
    """
    path = Path(folder) / metrics_file(run)
    write_file_durably(str(path), as_metrics(run), MODE)
    return str(path)


def _samples(run: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], float | int]]:
    """Metric, labels and value."""
    labels = {key: run[key] for key in ("target", "database", "playbook")}
    about = {
        "run_id": run["run_id"],
        "outcome": run["outcome"],
        "reason_code": run["reason_code"],
        "migrations": ", ".join(run["migrations"]),
    }
    yield "run_info", {**labels, **about}, 1
    yield "run_success", labels, int(succeeded(run))
    yield "run_production_unknown", labels, int(run["outcome"] == "failed")
    yield "run_end_timestamp_seconds", labels, _seconds_since_1970(run["ended"])
    yield "run_duration_seconds", labels, round(sum(step.get("seconds") or 0 for step in run["steps"]), 3)
    yield "run_rows_waiting", labels, run["rows_waiting"]
    seconds: dict[str, float] = {}
    for step in run["steps"]:
        # One that is done for each of several hosts stands there several times.
        seconds[step["step"]] = seconds.get(step["step"], 0) + (step.get("seconds") or 0)
    for name, taken in seconds.items():
        yield "step_duration_seconds", {**labels, "step": name}, round(taken, 3)


def _seconds_since_1970(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _labels(labels: dict[str, Any]) -> str:
    return ",".join(
        f'{name}="{_escaped("" if value is None else str(value))}"' for name, value in labels.items()
    )


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
