# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sentence for a module that ended without a report."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.run.crash import LOOK, NOT_BEGUN, explain_crash


def summary(*messages: str) -> Any:
    """What ansible-core makes of an exception and its causes."""
    event = None
    for message in reversed(messages):
        event = SimpleNamespace(msg=message, chain=SimpleNamespace(event=event) if event else None)
    return SimpleNamespace(event=event)


@pytest.mark.parametrize(
    ("result", "code", "sentence"),
    [
        ({"rc": 137, "msg": "no JSON"}, "step_killed", "was killed by signal 9 (SIGKILL)"),
        ({"rc": -15, "msg": "no JSON"}, "step_killed", "was killed by signal 15 (SIGTERM)"),
        ({"rc": 128 + 40, "msg": "no JSON"}, "step_killed", "was killed by signal 40 (a real-time signal)"),
        ({"rc": 255, "msg": "no JSON"}, "step_could_not_run", "could not run: no JSON."),
        (
            {"rc": 1, "msg": "no JSON.", "module_stderr": "Traceback\n  File\nImportError: no zlib\n\n"},
            "step_could_not_run",
            "could not run: no JSON (ImportError: no zlib).",
        ),
        (
            {"msg": "missing required\narguments: run"},
            "step_could_not_run",
            "could not run: missing required arguments: run.",
        ),
        ({"exception": summary("KeyError: 'x'", "'x'")}, "step_crashed", "unexpected error: KeyError: 'x'."),
        (
            {"exception": summary("out of\nmemory", "no page")},
            "step_crashed",
            "unexpected error: out of memory: no page.",
        ),
        ({"exception": None}, "step_crashed", "unexpected error: it said nothing."),
        ({}, "step_crashed", "unexpected error: it said nothing."),
    ],
)
def test_the_cause_is_told_in_one_line(result: dict[str, Any], code: str, sentence: str) -> None:
    found, told = explain_crash("backup", {"failed": True, **result})
    assert found == code
    assert sentence in told
    assert "\n" not in told
    assert told.endswith(LOOK), "what production has is not known here"


def test_what_a_module_says_itself_stays() -> None:
    result = {"failed": True, "msg": "psycopg2 is missing.", "reason_code": "psycopg2_missing"}
    assert explain_crash("backup", result) == (
        "psycopg2_missing",
        "Step backup could not run: psycopg2 is missing.",
    )


def test_a_step_that_could_not_begin_is_told_from_one_that_broke_off() -> None:
    assert "step_not_begun" in NOT_BEGUN
    assert not {"step_killed", "step_crashed", "step_could_not_run"} & set(NOT_BEGUN)


def test_a_message_that_nobody_would_read_is_cut() -> None:
    _, told = explain_crash("backup", {"failed": True, "exception": summary("x" * 3_000_000)})
    assert len(told) < 3000
    assert "(2998000 more characters)" in told
    assert told.endswith(LOOK)
