# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migration 002 deployed and rolled back by the steps of real runs."""

from __future__ import annotations

from typing import Any

from tests.integration.step_runs import StepRuns

__all__ = ["PRIVILEGES", "deploy", "roll_back"]

PRIVILEGES = "SELECT acl::text FROM pg_class, unnest(relacl) AS acl WHERE oid = 'star'::regclass ORDER BY 1"


def deploy(runs: StepRuns, **options: Any) -> dict[str, Any]:
    """Deploy 002; the outputs of apply for it."""
    run = runs.another()
    run.up_to("verify_restore")
    run.must("rehearse", **options)
    (applied,) = run.must("apply", **options)["outputs"]["migrations"]
    run.steps("verify", "smoke_test")
    run.conclude("deployed")
    return applied


def roll_back(runs: StepRuns) -> list[dict[str, Any]]:
    """Roll 002 back by hand; what was kept."""
    (taken_back,) = runs.another("emergency_rollback").roll_back()["outputs"]["migrations"]
    return taken_back["salvage"]
