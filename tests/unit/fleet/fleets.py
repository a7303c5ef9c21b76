# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fleets for tests: how their runs have ended."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.content import (
    begin,
    close,
    end,
    new_content,
)

__all__ = ["FACTS", "ended", "fleet_of", "run_of"]

FACTS = {"playbook": "deploy", "migration": "009", "operator": "me@here", "rollback_batch": True}


def fleet_of(*batches: str, **facts: Any) -> dict[str, Any]:
    """A fleet of which nothing has begun; ``fleet_of("a", "b c")`` has a canary a, and then b and c."""
    return new_content("20260101T000000Z-fleet-0", {**FACTS, **facts}, [batch.split() for batch in batches])


def run_of(target: str, outcome: str, playbook: str = "deploy", **facts: Any) -> dict[str, Any]:
    """As much of a run.json as matters here."""
    return {
        "run_id": f"20260101T000000Z-{target}-1",
        "playbook": playbook,
        "target": target,
        "database": f"{target}_db",
        "outcome": outcome,
        "migrations": ["009"],
        "reason_code": None
        if outcome in ("deployed", "rolled_back") and "reason" not in facts
        else "some_code",
        "reason": None if outcome in ("deployed", "rolled_back") else f"because of {target}",
        "steps": [{"step": "preflight", "seconds": 1.5}, {"step": "apply", "seconds": None}],
        **facts,
    }


def ended(content: dict[str, Any], **outcomes: str) -> dict[str, Any]:
    """The fleet after runs that have begun and ended so."""
    for target, outcome in outcomes.items():
        assert begin(content, target).goes_on, target
        end(content, target, run_of(target, outcome))
    close(content)
    return content
