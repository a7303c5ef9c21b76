# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runs of a database to read: as lines, and as a page with what each took."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from ...module_utils.durable import write_file_durably
from ...module_utils.own_files import make_parent
from ...module_utils.sentences import cut
from .page import REPORT_HTML, templates

__all__ = ["history_page", "history_report", "write_history"]

# Of a target's name, which an inventory may spell in any way.
NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]")

WENT_WELL = ("deployed", "rolled_back", "restored", "drilled")


def history_report(outputs: dict[str, Any], target: str) -> list[str]:
    """A line a run, the newest first.

    Args:
        outputs: of the step history.
        target: name of the inventory host.
    """
    runs = outputs["runs"]
    lines = [f"{target}: {len(runs)} run{'' if len(runs) == 1 else 's'}"]
    lines += [f"  {line}" for line in cut([_line(run) for run in runs])]
    if outputs.get("page"):
        lines.append(f"Page: {outputs['page']}")
    return lines


def _line(run: dict[str, Any]) -> str:
    seconds = "" if run["seconds"] is None else f" in {run['seconds']:.1f} s"
    reason = f": {run['reason']}" if run["reason"] else ""
    outcome = run["outcome"] or "not ended"
    outcome += f" (CONTRADICTED: {run['contradicted']})" if run.get("contradicted") else ""
    what = f"{run['playbook']} of {', '.join(run['migrations']) or 'no migration'}"
    what += f" (tag {run['tag']})" if run.get("tag") else ""
    return f"{run['started'][:19]}Z  {outcome}{seconds}: {what}, by {run['operator']}{reason}"


def write_history(outputs: dict[str, Any], target: str, artifacts_dir: Path) -> str:
    """Write the page beside the folders of the runs; returns its path.

    Raises:
        OSError: it cannot be written.
    """
    path = artifacts_dir / f"history-{NOT_IN_FILE_NAMES.sub('_', target)}.html"
    make_parent(str(path))
    kept = {
        run["run_id"] for run in outputs["runs"] if (artifacts_dir / run["run_id"] / REPORT_HTML).is_file()
    }
    write_file_durably(str(path), history_page(outputs, target, kept))
    return str(path)


def history_page(outputs: dict[str, Any], target: str, with_report: set[str]) -> str:
    """The page.

    Args:
        outputs: of the step history.
        target: name of the inventory host.
        with_report: names of the runs whose report is still there.
    """
    runs = outputs["runs"]
    longest = max((run["seconds"] or 0 for run in runs), default=0)
    return (
        templates()
        .get_template("history.html.j2")
        .render(
            target=target,
            report=REPORT_HTML,
            runs=[
                {
                    **run,
                    "good": run["outcome"] in WENT_WELL and not run.get("contradicted"),
                    "contradicted": run.get("contradicted"),
                    "has_report": run["run_id"] in with_report,
                    "bars": _bars(run, longest),
                }
                for run in runs
            ],
        )
    )


def _bars(run: dict[str, Any], longest: float) -> list[dict[str, Any]]:
    """When its steps were at work, in hundredths of the longest run.

    Returns:
        list: a dict a receipt: step, status, seconds, begin and width.
    """
    bars: list[dict[str, Any]] = []
    opened = datetime.fromisoformat(run["started"])
    end = 0.0
    for step in run["steps"]:
        began = (datetime.fromisoformat(step["started"]) - opened).total_seconds()
        # Preflight begins before it opens the run; the receipts of several migrations of one step begin together.
        begin, end = max(began, end), max(began + step["seconds"], end)
        left, right = (100 * min(one / longest, 1) if longest else 0.0 for one in (begin, end))
        bars.append({**step, "seconds": end - begin, "begin": left, "width": right - left})
    return bars
