# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check found, for programs that show test results: a case a file, in JUnit's XML."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ...module_utils.sentences import listed
from .finding import Finding
from .outcome import Outcome

__all__ = ["as_cases"]


def as_cases(outcome: Outcome) -> str:
    """The XML: each file with findings is a case, which fails by those that fail the check; without any one passes."""
    failing = set(outcome.failing)
    suite = Element("testsuite", name=f"check of {outcome.folder}")
    by_file: dict[str, list[Finding]] = {}
    for one in outcome.sorted_out.counting:
        by_file.setdefault(one.path(outcome.folder), []).append(one)
    for path, findings in by_file.items():
        _case(
            suite,
            path,
            [one for one in findings if one in failing],
            [one for one in findings if one not in failing],
        )
    if not by_file:
        _case(suite, outcome.folder, [], [])
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase[failure]"))))
    suite.set("errors", "0")
    suite.set("skipped", "0")
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _case(suite: Element, path: str, failing: list[Finding], others: list[Finding]) -> None:
    case = SubElement(suite, "testcase", classname="pgops.runbook.check", name=path, file=path, time="0")
    if failing:
        # One element: of several, programs that read this show the first.
        shown = [f"line {one.line}: {one.key.rule}: {one.message}" for one in failing]
        rules = [one.key.rule for one in failing]
        SubElement(case, "failure", type=rules[0], message=listed(rules, 1, ", ")).text = "\n".join(shown)
    if others:
        said = SubElement(case, "system-out")
        said.text = "\n".join(
            f"line {one.line}: {one.level}: {one.key.rule}: {one.message}" for one in others
        )
