# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A rollback that has kept something."""

from __future__ import annotations

import pytest

from tests.integration.by_hand.salvage_runs import WRITES, deploy, roll_back
from tests.integration.step_runs import StepRuns


@pytest.fixture
def kept(runs: StepRuns) -> StepRuns:
    """002 deployed, written to and rolled back; a run of playbook salvage."""
    runs.write(
        migrations__002_author="ALTER TABLE notes ADD COLUMN author text;"
        " CREATE TABLE star (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mark text, blob bytea);",
        rollback__002_author_rollback="DROP TABLE star; ALTER TABLE notes DROP COLUMN author;",
    )
    deploy(runs)
    runs.execute(*WRITES)
    roll_back(runs)
    return runs.another("salvage")
