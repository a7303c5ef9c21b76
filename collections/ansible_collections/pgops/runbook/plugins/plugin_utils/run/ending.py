# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of a run: its record is finished, and the ledger is told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils.ledger.receipts import CHAINS
from ..record.outcome import code_of_task, succeeded
from ..record.record import RunRecord
from ..record.settings import in_one_sentence
from ..report.metrics import write_metrics
from ..report.page import write_reports
from ..report.run import run_report
from .crash import explain_crash
from .handing_on import unwritten

__all__ = ["end_run", "note_unannounced"]

Result = dict[str, Any]

PREFLIGHT_LEFT_OUT = (
    "Preflight was left out, and nothing was looked at. Type the command without --tags, --skip-tags and"
    " --start-at-task."
)


def end_run(record: RunRecord, options: Result, tell_the_ledger: Callable[[Result], Result]) -> Result:
    """Finish the record, and the run in the ledger where one was opened.

    Args:
        record: of the run.
        options: of the step announce.
        tell_the_ledger: runs the module of that step with such options; returns its result.

    Returns:
        The task's result: run, report (lines), succeeded and, where something is written, run_json (its path, or
        nothing where it could not be), and here, what the commands need that it names.
    """
    failure, failure_code = (str(options.get(key) or "") for key in ("reason", "reason_code"))
    if wrong := in_one_sentence(failure):
        failure, failure_code = wrong, "setting_invalid"
    if not record.writes:
        return _checked_only(failure, failure_code, options)
    record.note_unannounced(options.get("unannounced") or [])
    content = record.content
    content["out_of_service"] = str(options.get("out_of_service") or "") or None
    wanted = str(options["run"].get("migration") or "")
    record.settle(failure, failure_code, boolean(options.get("fail_on_held_back", False)), wanted)
    restores = boolean(options.get("restore_salvage", True))
    report_files, report_failure = _write_reports(record, restores)
    run_json = str(record.path)
    try:
        record.save()
    except OSError as error:
        run_json = ""
        said = unwritten(record, error)
        content["reason"] = f"{content['reason']} {said}" if content["reason"] else said
        content["reason_code"] = content["reason_code"] or "artifacts_dir_unwritable"
        report_files, report_failure = _write_reports(record, restores)
    result: Result = {"changed": False}
    if record.is_open_in_ledger():
        told = tell_the_ledger(
            {
                **options,
                "run": {**options["run"], "migration": ""},
                "outcome": content["outcome"],
                "reason": content["reason"] or "",
                # What is there is of an earlier step, and nobody has changed it.
                "record_sha256": record.digest() if run_json else "",
            }
        )
        # The run's outcome stands; that its end is not in the ledger is said beside it.
        result = told
        if told.get("failed"):
            _, why = explain_crash("announce", told) if "step" not in told else ("", told.get("msg"))
            said = f"That the run has ended is not in the ledger, where the next command writes it: {why}"
            content["ledger_unclosed"] = said
            result = {"changed": False, "warnings": [said]}
            if run_json:
                _save_again(record)
    result["run"] = content
    result["run_json"] = run_json
    result["report"] = run_report(content, run_json, restores)
    result["succeeded"] = succeeded(content)
    # For the callback, which makes a shorter report of the run.
    result["here"] = list(record.here)
    if report_failure is None:
        result["report_files"] = report_files
    else:
        # All of it is in run.json, or it was said that this could not be written either.
        result.setdefault("warnings", []).append(f"The report could not be written: {report_failure}.")
    if options.get("metrics_dir"):
        try:
            write_metrics(content, options["metrics_dir"])
        except OSError as error:
            result.setdefault("warnings", []).append(
                f"The metrics could not be written to {options['metrics_dir']}: {error.strerror}."
            )
    return result


def _save_again(record: RunRecord) -> None:
    """With what came after the record was written; it was just written, and that is said on the screen too."""
    with contextlib.suppress(OSError):
        record.save()


def _write_reports(record: RunRecord, restores: bool) -> tuple[list[str], str | None]:
    """Write the reports, before run.json, which has their digests.

    Returns:
        their paths, and why they could not be written, or None.
    """
    try:
        record.note_reports([])
        record.make_folder()
        written = write_reports(record.content, record.folder, restores, record.here)
        record.note_reports(written)
        return written, None
    except OSError as error:
        return [], error.strerror


def note_unannounced(record: RunRecord, announcements: list[Result]) -> Result:
    """Add to the record of a run that has ended that nobody was told; returns the task's result."""
    record.note_unannounced(announcements)
    warnings = [
        f"Nobody was told of the {one['event']}: {one['reason']}" for one in record.content["unannounced"]
    ]
    try:
        record.save()
    except OSError as error:
        warnings.append(f"And {record.path} could not be written: {error.strerror}.")
    return {"changed": False, "warnings": warnings}


def _checked_only(failure: str, failure_code: str, options: Result) -> Result:
    """The end of a run in check mode, which leaves no record to read from."""
    run = options["run"]
    code = code_of_task(failure, failure_code)
    if not failure and not boolean(options.get("preflight_done", False)):
        code, failure = "chain_incomplete", PREFLIGHT_LEFT_OUT
    outcome = "refused" if failure else "checked"
    wanted, chains = run.get("migration"), CHAINS[run["playbook"]]
    # All of a folder are rehearsed from an empty database, by a chain of its own.
    chain = chains[-1] if wanted == "all" else chains[0]
    steps = ", ".join(chain[1:])
    what = f"{run['playbook']} of {wanted}" if wanted else f"this {run['playbook']}"
    would = f"Preflight found no obstacle to {what}. The steps after it would be: {steps}."
    return {
        "changed": False,
        "run": {
            "outcome": outcome,
            "reason_code": code,
            "reason": failure or None,
        },
        "report": [f"Check mode, nothing was written. {failure or would}"],
        "succeeded": not failure,
    }
