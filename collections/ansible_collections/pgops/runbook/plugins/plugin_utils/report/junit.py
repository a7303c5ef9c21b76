# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run for programs that show test results: steps and proofs as cases, in JUnit's XML.

The form is the one that Jenkins, GitLab and GitHub's actions read (junit-10.xsd of Jenkins' xUnit plugin).
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.ledger.receipts import CHAINS

__all__ = ["REPORT_JUNIT", "as_junit"]

REPORT_JUNIT = "junit.xml"

# What XML 1.0 cannot hold, not even escaped (section 2.2, "Characters").
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

STEPS, PROOFS = "steps", "proofs"
PROVEN = {
    "schema_restored": "the rollback gives back the schema",
    "data_restored": "the rollback gives back the rows",
}


def as_junit(run: dict[str, Any]) -> str:
    """The XML: a case for each step of the playbook (skipped where it did not run) and for each proof.

    Args:
        run: content of run.json.
    """
    title = f"{run['playbook']} of {', '.join(run['migrations']) or 'no migration'} on {run['target']}"
    suite = Element("testsuite", name=_text(title))
    done = {step["step"] for step in run["steps"]}
    for step in run["steps"]:
        case = _case(suite, STEPS, step["step"], step.get("seconds"))
        if step["status"] == "failed":
            _failure(case, step.get("reason_code"), step.get("reason"))
        if step["status"] == "waiting":
            SubElement(case, "skipped", message=_text(step["reason"]))
    if run["failed_step"] is None and run["reason_code"] is not None and run["outcome"] != AWAITING:
        # A task beside the steps, or a chain that is not complete.
        _failure(_case(suite, STEPS, run["playbook"], None), run["reason_code"], run["reason"])
    for name in _chain(run["playbook"], done):
        if name not in done:
            SubElement(_case(suite, STEPS, name, None), "skipped")
    for fact, sentence in PROVEN.items():
        proven = run["proof"].get(fact)
        if proven is not None:
            case = _case(suite, PROOFS, sentence, None)
            if not proven:
                _failure(case, run["reason_code"], run["reason"])
            elif fact == "data_restored" and _without_rows(run["proof"]):
                SubElement(case, "skipped")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in suite):.3f}")
    if run["steps"] and run["steps"][0].get("started"):
        suite.set("timestamp", run["steps"][0]["started"].partition(".")[0].rstrip("Z"))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _without_rows(proof: dict[str, Any]) -> bool:
    """Whether no rollback was rehearsed with any row in place; records of older releases do not say it."""
    rows = proof.get("rows") or {}
    return bool(rows) and not any(seen["rows"] for seen in rows.values())


def _chain(playbook: str, done: set[str]) -> tuple[str, ...]:
    """The steps of the playbook, in the form of it that was run."""
    return max(CHAINS[playbook], key=lambda chain: len(done.intersection(chain)))


def _case(suite: Element, group: str, name: str, seconds: float | None) -> Element:
    return SubElement(
        suite, "testcase", classname=f"pgops.runbook.{group}", name=_text(name), time=f"{seconds or 0:.3f}"
    )


def _failure(case: Element, code: str | None, reason: str | None) -> None:
    text = _text(reason or "")
    SubElement(case, "failure", type=_text(code or ""), message=text.partition("\n")[0]).text = text


def _text(value: str) -> str:
    return NOT_IN_XML.sub("\ufffd", str(value))
