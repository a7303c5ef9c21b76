# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a check found, for programs that show findings beside the code: SARIF 2.1.0 (OASIS).

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ...module_utils.ledger.schema import COLLECTION_VERSION
from .finding import ERROR, Finding, fingerprints, rule_of
from .outcome import Outcome

__all__ = ["as_sarif"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# Changes with what a fingerprint is made of.
FINGERPRINT = "pgopsRunbook/v1"

PAGE_OF_RULE = "https://squawkhq.com/docs/"


def as_sarif(outcome: Outcome) -> str:
    """The log: one run with all findings, those that are accepted as suppressed."""
    findings = [*outcome.sorted_out.counting, *outcome.sorted_out.accepted]
    rules = sorted({(one.key.rule, one.code) for one in findings})
    places = {rule: place for place, (rule, _code) in enumerate(rules)}
    counting = len(outcome.sorted_out.counting)
    run = {
        "tool": {
            "driver": {
                "name": "pgops.runbook check",
                "semanticVersion": COLLECTION_VERSION,
                "rules": [_rule(rule, code) for rule, code in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": note}} for note in outcome.remarks()
                ],
            }
        ],
        "results": [
            _result(one, outcome, places[one.key.rule], fingerprint, number >= counting)
            for number, (one, fingerprint) in enumerate(zip(findings, fingerprints(findings), strict=True))
        ],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: str, code: str) -> dict[str, Any]:
    meaning, to_do = rule_of(code)
    page = {"helpUri": PAGE_OF_RULE + quote(rule)} if rule != code else {}
    return {"id": rule, "shortDescription": {"text": meaning}, "help": {"text": to_do}, **page}


def _result(
    finding: Finding, outcome: Outcome, rule: int, fingerprint: str, accepted: bool
) -> dict[str, Any]:
    region = {"startLine": finding.line, **({"startColumn": finding.column} if finding.column else {})}
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.path(outcome.folder))}}
    if finding.file:
        place["region"] = region
    why = {"kind": "external", "justification": f"accepted by {outcome.baseline}"}
    return {
        "ruleId": finding.key.rule,
        "ruleIndex": rule,
        "level": "error" if finding.level == ERROR else "warning",
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        **({"suppressions": [why]} if accepted else {}),
    }
