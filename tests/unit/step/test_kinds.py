# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds that a step is of: each name is a step's, and what changes production is treated as such."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils import steps
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.aftermath import CHANGING_STEPS
from ansible_collections.pgops.runbook.plugins.module_utils.step import kinds

STEPS = {path.stem for path in Path(steps.__path__[0]).glob("*.py")} - {"__init__"}
KINDS = [name for name in kinds.__all__ if isinstance(getattr(kinds, name), tuple)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_name_is_a_step(kind: str) -> None:
    assert set(getattr(kinds, kind)) - STEPS == set()


def test_what_changes_production_passes_a_gate_and_waits_for_standbys() -> None:
    changing = set(CHANGING_STEPS)
    assert changing & {*kinds.UNGATED_STEPS, *kinds.FIRST_STEPS, *kinds.LOOKING_STEPS} == set()
    assert changing - set(kinds.WAITING_FOR_STANDBYS) == set()


def test_what_puts_production_right_again_is_never_too_late() -> None:
    assert {"verify", "smoke_test", "restore", "count_rows", "swap"} - set(kinds.STEPS_WITHOUT_AGE) == set()
