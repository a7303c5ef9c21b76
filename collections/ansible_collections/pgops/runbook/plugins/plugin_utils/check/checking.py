# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole check: look, take out what is accepted, and write down what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...module_utils.consent import CONSENT_SPEC
from ...module_utils.errors import Refused
from ...module_utils.rehearsal.generated_rows import generated_spec
from .baseline import accept_all, read_baseline, sort_out, write_baseline
from .finding import ERROR, WARNING, in_order
from .linted import GATING_RULES
from .look import Look, look
from .outcome import FAIL_ON, Outcome, folder_in_repository
from .rehearsed import NOT_BEFORE, rehearse, stands_in_the_way
from .writing import write_forms

__all__ = ["OPTIONS", "check", "with_rehearsal"]

#: What the step takes, as an argument_spec.
OPTIONS: dict[str, dict[str, Any]] = {
    "sql_dir": {"type": "str", "required": True},
    "sql_layout": {"type": "str", "default": "auto"},
    "version_table": {"type": "raw"},
    "lint_gating_rules": {"type": "list", "elements": "str", "default": list(GATING_RULES)},
    "baseline": {"type": "str", "default": ""},
    "write_baseline": {"type": "bool", "default": False},
    "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": ERROR},
    "output_dir": {"type": "str", "default": ""},
    "rehearse": {"type": "bool", "default": False},
    "pg_bindir": {"type": "str", "default": ""},
    "sample_files": {"type": "int", "default": 200},
    "accept_data_loss": CONSENT_SPEC,
    "accept_residue": CONSENT_SPEC,
    **generated_spec(rows=20),
}


def check(options: dict[str, Any], writes: bool = True) -> dict[str, Any]:
    """Check a folder of SQL.

    Args:
        options: see OPTIONS.
        writes: False in check mode.

    Returns:
        dict: the result of a task, that fails where something counts that was found.

    Raises:
        RunbookError: a setting is wrong, or a file cannot be read or written.
    """
    baseline = read_baseline(options["baseline"], may_be_missing=options["write_baseline"])
    if options["write_baseline"] and not baseline.path:
        raise Refused(
            "setting_invalid",
            "check_write_baseline is set, and check_baseline names no file. Nothing was checked. Name it:"
            " -e check_baseline=<file>",
        )
    looked = look(
        options["sql_dir"], options["sql_layout"], options["version_table"], options["lint_gating_rules"]
    )
    if options["rehearse"] and writes:
        looked = with_rehearsal(looked, options)
    changed, notes = False, looked.notes
    if options["write_baseline"]:
        baseline = accept_all(looked.findings, baseline)
        changed = write_baseline(baseline, writes)
        notes = (*notes, f"{_written(changed, writes)}: {baseline.path}")
    outcome = Outcome(
        folder_in_repository(options["sql_dir"]),
        looked,
        sort_out(looked.findings, baseline),
        baseline.path,
        options["fail_on"],
        notes,
    )
    files = write_forms(outcome, options["output_dir"]) if writes else []
    return _result(outcome, files, changed)


def with_rehearsal(looked: Look, options: dict[str, Any]) -> Look:
    """The look with what a rehearsal adds to it, where nothing stands in its way.

    Raises:
        Refused: there is no server.
    """
    if stands_in_the_way(looked.findings):
        return replace(looked, notes=(*looked.notes, NOT_BEFORE))
    done = rehearse(options)
    findings = tuple(in_order((*looked.findings, *done.findings)))
    return replace(looked, findings=findings, notes=(*looked.notes, done.note))


def _written(changed: bool, writes: bool) -> str:
    if not changed:
        return "The baseline has all of it already"
    return "The baseline was written" if writes else "The baseline would be written"


def _result(outcome: Outcome, files: list[str], changed: bool) -> dict[str, Any]:
    report = [*outcome.report(), *([f"Written: {', '.join(files)}"] if files else [])]
    outputs = {
        "layout": outcome.looked.layout,
        "migrations": outcome.looked.migrations,
        "errors": outcome.counted(ERROR),
        "warnings": outcome.counted(WARNING),
        "accepted": len(outcome.sorted_out.accepted),
        "stale": [key._asdict() for key in outcome.sorted_out.stale],
    }
    result: dict[str, Any] = {"changed": changed, "outputs": outputs, "report": report, "files": files}
    if not outcome.failing:
        return result
    return {**result, "failed": True, "reason_code": "check_found_faults", "msg": "\n".join(report)}
