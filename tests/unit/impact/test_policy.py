# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which impact is refused, and by which name it is consented to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.impact.policy import (
    POLICY_SPEC,
    objections,
    refuse_by_policy,
)

LARGE = 2000 * 2**20
POLICY = {name: option["default"] for name, option in POLICY_SPEC.items()}
HARMLESS = {
    "impact": {"locks": [], "rewritten": {}, "rows": {}},
    "dropped_columns": [],
    "dropped_tables": [],
    "rollback_changed": True,
}
MIGRATION = {"version": "012", "data_loss": "NONE"}


def lock(mode: str = "AccessExclusiveLock", seconds: float = 6.0, size: Any = LARGE) -> dict[Any, Any]:
    return {"table": "public.files", "mode": mode, "held_seconds": seconds, "table_bytes": size}


def proof(**changes: Any) -> dict[Any, Any]:
    impact = {key: changes.pop(key) for key in ("locks", "rewritten", "rows") if key in changes}
    return {**HARMLESS, **changes, "impact": {**HARMLESS["impact"], **impact}}


def test_a_harmless_migration_meets_no_objection() -> None:
    assert objections(MIGRATION, HARMLESS, POLICY) == []


@pytest.mark.parametrize(
    ("measured", "words", "consent"),
    [
        (proof(locks=[lock()]), "held AccessExclusiveLock on public.files", {"max_lock_seconds": 12}),
        (proof(locks=[lock("ShareLock")]), "ShareLock", {"large_table_mb": 3000}),
        (proof(rewritten={"public.files": LARGE}), "rewrites public.files", {"accept_table_rewrite": True}),
        (
            proof(rows={"public.tags": {"inserted": 0, "updated": 0, "deleted": 3}}),
            "deletes 3 rows of public.tags",
            {"accept_data_loss": True},
        ),
        (proof(dropped_columns=["public.tags.x"]), "drops column public.tags.x", {"accept_data_loss": True}),
        (proof(dropped_tables=["public.x"]), "drops table public.x", {"accept_data_loss": True}),
        (proof(rollback_changed=False), "rollback changes neither", {"accept_empty_rollback": True}),
    ],
)
def test_each_objection_has_its_consent(measured: Any, words: str, consent: dict[str, Any]) -> None:
    found = objections(MIGRATION, measured, POLICY)
    assert len(found) == 1
    assert words in found[0]
    assert objections(MIGRATION, measured, {**POLICY, **consent}) == []


@pytest.mark.parametrize(
    "measured",
    [
        proof(locks=[lock("ShareUpdateExclusiveLock")]),
        proof(locks=[lock(seconds=5.0)]),
        proof(locks=[lock(size=1024 * 2**20)]),
        proof(rewritten={"public.tags": 8192}),
        proof(rows={"public.tags": {"inserted": 9, "updated": 9, "deleted": 0}}),
    ],
)
def test_what_is_within_the_limits_passes(measured: Any) -> None:
    assert objections(MIGRATION, measured, POLICY) == []


def test_locks_that_could_not_be_looked_at_are_no_harmless_locks() -> None:
    unobserved = {**HARMLESS, "impact": {**HARMLESS["impact"], "locks_observed": False}}
    (found,) = objections(MIGRATION, unobserved, POLICY)
    assert "could not be observed" in found


@pytest.mark.parametrize("declared", ["PARTIAL", "COMPLETE", None])
def test_a_loss_that_is_not_denied_by_the_header_passes(declared: str | None) -> None:
    measured = proof(dropped_tables=["public.x"])
    assert objections({"version": "012", "data_loss": declared}, measured, POLICY) == []


def test_the_refusal_names_the_migration_and_every_objection() -> None:
    measured = proof(locks=[lock()], rollback_changed=False)
    with pytest.raises(
        Refused, match=r"Migration 012 .*held AccessExclusiveLock.*; and its rollback changes"
    ):
        refuse_by_policy([MIGRATION], [measured], POLICY)
