# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A deploy and its rollback through the modules, both of which must succeed."""

from __future__ import annotations

from typing import Any

from tests.integration.step_runs import StepRuns


def there(runs: StepRuns, version: str = "002") -> dict[str, Any]:
    """Deploy; what apply did to this migration."""
    run = runs.another(wanted=version)
    done = run.up_to("apply")["outputs"]["migrations"]
    run.steps("verify", "smoke_test")
    run.conclude()
    return done[-1]


def back(runs: StepRuns, version: str = "002") -> dict[str, Any]:
    """Roll back; what that did."""
    (taken,) = runs.another("emergency_rollback", version).roll_back()["outputs"]["migrations"]
    assert taken["schema_restored"] is True
    return taken
