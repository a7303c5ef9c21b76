# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Of a step that could not report, its receipts and its journal say what became of it."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import StepFailed, Unchanged
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import aftermath
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.receipts import make_receipt

IDENTITY = {"system_identifier": "7", "database": "shop", "database_oid": 5}
HALF_DONE = {"migration": "002", "direction": "apply", "done": 1}


def receipt(step, migration=None, **outputs):
    return make_receipt("r", step, "ok", "", "", IDENTITY, "0", migration=migration, outputs=outputs)


@pytest.mark.parametrize(
    ("step", "receipts", "half_done", "kind", "said"),
    [
        ("apply", [], None, Unchanged, "It had committed nothing."),
        ("apply", [receipt("apply", "002")], None, StepFailed, "It had committed 002."),
        ("apply", [], HALF_DONE, StepFailed, "Migration 002 is half done: 1 statements of its apply script"),
        ("emergency_rollback", [receipt("apply", "002")], None, Unchanged, "It had taken back nothing."),
        ("emergency_rollback", [], HALF_DONE, Unchanged, "It had taken back nothing."),
        (
            "emergency_rollback",
            [receipt("apply", "002"), receipt("emergency_rollback", "002")],
            None,
            StepFailed,
            "It had taken back 002.",
        ),
        ("swap", [], None, Unchanged, "The databases were not swapped"),
        ("swap", [receipt("restore", database_oid=6)], None, Unchanged, "The databases were not swapped"),
        ("swap", [receipt("restore", database_oid=5)], None, StepFailed, "It had swapped the databases"),
    ],
)
def test_what_became_of_it(step, receipts, half_done, kind, said):
    found = aftermath(step, "step_killed", "It was killed.", receipts, IDENTITY, half_done)
    assert type(found) is kind
    assert found.reason.startswith(f"It was killed. {said}")
    assert found.code == "step_killed"
    assert found.details.get("done", False) == (kind is StepFailed and half_done is None)
