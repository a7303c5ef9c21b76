# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run to read and to pass on: one HTML file that needs no network, and Markdown for tickets."""

from __future__ import annotations

import datetime
import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ...module_utils.durable import write_file_durably
from ...module_utils.sentences import visible
from ..record.typed_here import typed_here
from .junit import REPORT_JUNIT, as_junit
from .proven import generated_in_words, rows_in_words
from .run import run_report
from .salvage import salvage_of_run

__all__ = ["REPORT_HTML", "REPORT_MD", "as_html", "as_markdown", "facts_of", "templates", "write_reports"]

REPORT_HTML = "report.html"
REPORT_MD = "report.md"

TEMPLATES = Path(__file__).resolve().parent / "templates"

# Sentences about what has a section of its own begin so.
WITH_A_SECTION = ("Steps", "Lint of ", "Impact of ")

# What PostgreSQL's parser calls a statement, but for this ending.
STATEMENT = "Stmt"


def write_reports(
    run: dict[str, Any], folder: Path, restores_salvage: bool = True, here: tuple[str, str] = ("", "")
) -> list[str]:
    """Write all forms into the folder of the run.

    Args:
        run: content of run.json.
        folder: where run.json is.
        restores_salvage: whether deploys put back what rollbacks keep.
        here: what the commands need that it names; see options_of_here().

    Returns:
        list: the paths written, the one for people first.

    Raises:
        OSError: they cannot be written.
    """
    facts = typed_here(facts_of(run, str(folder / "run.json"), restores_salvage), here)
    forms = {REPORT_HTML: as_html(facts), REPORT_MD: as_markdown(facts), REPORT_JUNIT: as_junit(run)}
    for name, text in forms.items():
        write_file_durably(str(folder / name), text)
    return [str(folder / name) for name in forms]


def as_html(facts: dict[str, Any]) -> str:
    """The page, of ``facts_of``."""
    return templates().get_template("report.html.j2").render(**facts)


def as_markdown(facts: dict[str, Any]) -> str:
    """The text for a ticket or a pull request, of ``facts_of``."""
    return templates().get_template("report.md.j2").render(**facts)


def _visible(value: Any) -> Any:
    """A text without what would steer a terminal; one that is markup stays markup, having none of it."""
    return visible(value) if isinstance(value, str) and visible(value) != value else value


@functools.cache
def templates() -> Environment:
    """Of all pages."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    environment.filters["cell"] = cell
    return environment


def facts_of(run: dict[str, Any], run_json: str, restores_salvage: bool = True) -> dict[str, Any]:
    """What the templates show.

    Args:
        run: content of run.json.
        run_json: its path.
        restores_salvage: whether deploys put back what rollbacks keep.

    Returns:
        dict: run; ended; origin (who ran what: sentences); lines (the report as sentences: a list of (word, text));
            steps (of the time line: name, status, seconds, begin and width in hundredths of the whole, receipt);
            total (seconds); schema, impact and lint (by migration); proof (sentences); rows (sentences about salvage).
    """
    steps, total = _time_line(run["steps"])
    lines = [_parted(line) for line in run_report(run, run_json, restores_salvage)[1:]]
    return {
        "run": run,
        "ended": run.get("ended"),
        "origin": _origin(run),
        "lines": [(word, text) for word, text in lines if not word.startswith(WITH_A_SECTION)],
        "steps": steps,
        "total": total,
        "schema": run.get("schema_changes") or {},
        "impact": {version: _impact(measured) for version, measured in (run.get("impact") or {}).items()},
        "lint": {version: found for version, found in (run.get("lint") or {}).items() if found},
        "proof": _proof(run.get("proof") or {}),
        "rows": salvage_of_run(run, restores_salvage) if "salvage" in run else [],
        "succeeded": run["reason_code"] is None,
    }


def _said(consent: Any) -> str:
    """A consent as it may be typed again."""
    return ",".join(consent) if isinstance(consent, list) else str(consent)


def _origin(run: dict[str, Any]) -> list[str]:
    """Who typed the command, of which commit the scripts were, and what was agreed to."""
    commit, consents = run.get("sql_commit"), run.get("consents") or {}
    reason = run.get("consent_reason")
    changed = {True: ", with changes of its own", False: "", None: ""}
    return [
        *([f"By {run['operator']}"] if run.get("operator") else []),
        *([f"Scripts of commit {commit['commit'][:12]}{changed[commit['changed']]}"] if commit else []),
        *(
            [
                f"Accepted: {', '.join(f'{name}={_said(value)}' for name, value in consents.items())}"
                f"{f' ({reason})' if reason else ''}"
            ]
            if consents
            else []
        ),
    ]


def _parted(line: str) -> tuple[str, str]:
    """A sentence of the report and the word before its colon."""
    word, colon, text = line.partition(": ")
    return (word, text) if colon and len(word) < 60 else ("", line)


def _time_line(steps: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], float]:
    """The steps on a common scale, whose whole is the time from the first begin to the last end."""
    placed = _without_waiting([(step, _seconds(step.get("started"))) for step in steps])
    begins = [begin for _, begin in placed if begin is not None]
    if not begins:
        return [{**_row(step), "begin": 0, "width": 0} for step in steps], 0
    first = min(begins)
    total = max((begin or first) - first + (step.get("seconds") or 0) for step, begin in placed)
    scale = 100 / total if total > 0 else 0
    return [
        {
            **_row(step),
            "begin": round(((begin or first) - first) * scale, 2),
            "width": round((step.get("seconds") or 0) * scale, 2),
        }
        for step, begin in placed
    ], round(total, 1)


def _without_waiting(
    placed: list[tuple[dict[str, Any], float | None]],
) -> list[tuple[dict[str, Any], float | None]]:
    """The steps with the moment at which each began, as if nobody had been waited for."""
    shifted, waited, stopped = [], 0.0, None
    for step, begin in placed:
        if stopped is not None and begin is not None:
            waited, stopped = begin - stopped, None
        shown = None if begin is None else begin - waited
        shifted.append((step, shown))
        if step["status"] == "waiting" and shown is not None:
            stopped = shown + (step.get("seconds") or 0)
    return shifted


def _row(step: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": step["step"],
        "status": step["status"],
        "seconds": step.get("seconds") or 0,
        "receipt": (step.get("receipt") or "")[:12],
        "reason": step.get("reason") if step["status"] != "ok" else None,
    }


def _seconds(moment: str | None) -> float | None:
    return None if not moment else datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def _impact(measured: dict[str, Any]) -> dict[str, Any]:
    """What a migration did on the copy beside what it did in production."""
    places = [place for place in ("copy", "production") if place in measured]
    lines: dict[int, dict[str, Any]] = {}
    for place in places:
        for statement in measured[place].get("statements", []):
            row = lines.setdefault(
                statement["line"],
                {"line": statement["line"], "kind": _kind(statement)},
            )
            row[place] = {
                "seconds": statement["seconds"],
                "rows": statement.get("rows"),
                "wal_bytes": statement.get("wal_bytes") or 0,
                "rewritten": statement.get("rewritten") or [],
            }
    locks = [{"place": place, **lock} for place in places for lock in measured[place].get("locks", [])]
    longest = max((lock.get("held_seconds") or 0 for lock in locks), default=0)
    for lock in locks:
        lock["width"] = round(100 * (lock.get("held_seconds") or 0) / longest, 1) if longest else 0
    return {
        "places": places,
        "seconds": {place: measured[place]["seconds"] for place in places},
        "statements": [lines[line] for line in sorted(lines)],
        "locks": locks,
        "rows": {place: measured[place].get("rows") or {} for place in places},
        "rewritten": {place: list(measured[place].get("rewritten") or []) for place in places},
    }


def _kind(statement: dict[str, Any]) -> str:
    """The parser's word, and how many there are of those that differ in their values only."""
    kind, alike = statement["kind"].removesuffix(STATEMENT), statement.get("alike")
    return f"{kind}, {alike:,} alike" if alike else kind


def _proof(proof: dict[str, Any]) -> list[str]:
    rehearsed = proof.get("rehearsed") or []
    words = {True: "yes", False: "NO", None: "not compared"}
    if not rehearsed and proof.get("schema_restored") is None:
        return ["Nothing was rehearsed in this run."]
    return [
        *([f"Rehearsed on a copy of this database: {', '.join(rehearsed)}"] if rehearsed else []),
        *(
            f"The rehearsal of {one['migration']} failed ({one['reason_code']}): {one['reason']}"
            for one in proof.get("failures") or []
        ),
        *(
            f"{version} was not tried: it requires {', '.join(missing)}"
            for version, missing in (proof.get("untried") or {}).items()
        ),
        f"The schema came back: {words[proof.get('schema_restored')]}",
        f"The rows came back: {words[proof.get('data_restored')]}",
        *(
            f"Rows when the rollback of {version} was rehearsed: {rows_in_words(seen)}"
            for version, seen in (proof.get("rows") or {}).items()
        ),
        *generated_in_words(proof),
    ]


def cell(value: object) -> str:
    """A value in a table of Markdown, whose columns end at a bar and whose rows end with the line."""
    return " ".join(str(value).replace("\\", "\\\\").replace("|", "\\|").split())
