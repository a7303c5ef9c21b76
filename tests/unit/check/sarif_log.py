# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What SARIF 2.1.0 demands of what a check writes, as a JSON schema; beside each object the section of the standard.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.  A property that is not named here is one that nobody
has looked up, and so an error.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SARIF_LOG"]

TEXT = {"type": "string", "minLength": 1}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


MESSAGE = _object("text", text=TEXT)  # 3.11: at least text or id
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10, 3.58.6
NUMBER = {"type": "integer", "minimum": 1}  # 3.30.5, 3.30.6: lines and columns begin with 1

RULE = _object(  # 3.49
    "id", id=TEXT, shortDescription=MESSAGE, help=MESSAGE, helpUri={"type": "string", "pattern": "^https://"}
)
DRIVER = _object(  # 3.19
    "name",
    name=TEXT,
    semanticVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
    rules=_list(RULE, uniqueItems=True),
)
PLACE = _object(  # 3.28, 3.29; 3.4.3: a URI reference, in which a blank has to be escaped
    "physicalLocation",
    physicalLocation=_object(
        "artifactLocation",
        artifactLocation=_object("uri", uri={"type": "string", "pattern": r"^[^\s\\<>\"{}|^`]*$"}),
        region=_object("startLine", startLine=NUMBER, startColumn=NUMBER),
    ),
)
RESULT = (
    _object(  # 3.27; 3.27.6: the index of the rule; 3.27.17: fingerprints are strings; 3.35: suppressions
        "message",
        ruleId=TEXT,
        ruleIndex={"type": "integer", "minimum": 0},
        level=LEVEL,
        message=MESSAGE,
        locations=_list(PLACE),
        partialFingerprints={"type": "object", "additionalProperties": TEXT},
        suppressions=_list(_object("kind", kind={"enum": ["inSource", "external"]}, justification=TEXT)),
    )
)
INVOCATION = _object(  # 3.20; 3.58: notifications
    "executionSuccessful",
    executionSuccessful={"type": "boolean"},
    toolExecutionNotifications=_list(_object("message", message=MESSAGE, level=LEVEL)),
)
RUN = _object(  # 3.14; 3.14.17: in what columns are counted
    "tool",
    tool=_object("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=_list(INVOCATION),
    results=_list(RESULT),
)
SARIF_LOG = _object(  # 3.13
    "version runs", **{"$schema": {"type": "string"}}, version={"const": "2.1.0"}, runs=_list(RUN)
)
