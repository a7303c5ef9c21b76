# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a run cannot be approved or resumed, in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.approvals import (
    APPROVALS_SPEC,
    RISK_LEVELS,
    not_waiting,
)
from ansible_collections.pgops.runbook.plugins.plugin_utils.sql import header


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (None, "This database knows no run run-1."),
        ({"finished": True, "outcome": "deployed"}, "does not wait for approval: it has ended (deployed)"),
        (
            {"finished": False, "outcome": None},
            "does not wait for approval: it is in progress, or was interrupted",
        ),
    ],
)
def test_a_run_that_does_not_wait(run: Any, said: str) -> None:
    facts = run and {"playbook": "deploy", "migrations": ["009"], **run}
    assert said in not_waiting("run-1", facts)


def test_risks_are_those_that_headers_know() -> None:
    assert tuple(RISK_LEVELS) == header.RISK_LEVELS
    assert APPROVALS_SPEC["approvals_required_for"]["choices"] == RISK_LEVELS
