# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hooks of the recipe: what they do where nothing is added, and what the two sides say."""

from __future__ import annotations

import inspect

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed, Unchanged
from ansible_collections.pgops.runbook.plugins.module_utils.execution.hooks import Hooks, Work
from ansible_collections.pgops.runbook.plugins.module_utils.production.apply import ApplyHooks
from ansible_collections.pgops.runbook.plugins.module_utils.production.hooks import ProductionHooks
from ansible_collections.pgops.runbook.plugins.module_utils.production.rollback import (
    RollbackHooks,
    must_give_back,
)
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.hooks import (
    CopyHooks,
    refuse_collisions,
)
from ansible_collections.pgops.runbook.plugins.module_utils.salvage.keeping.keeper import (
    LossesSeen,
    NotForeseen,
)

VERIFY = {"name": "verify/002.sql", "statements": []}


def work(direction: str = "apply", one_by_one: bool = False, verify: dict | None = None) -> Work:
    return Work({"version": "002", "verify": verify}, direction, one_by_one)


def test_every_hook_is_documented_and_has_a_place_of_its_own() -> None:
    hooks = {name: one for name, one in vars(Hooks).items() if inspect.isfunction(one)}
    assert len(hooks) >= 8
    assert all(one.__doc__ for one in hooks.values())


@pytest.mark.parametrize("side", [CopyHooks, ApplyHooks, RollbackHooks])
def test_a_hook_of_one_side_takes_what_the_recipe_gives(side: type[Hooks]) -> None:
    for name in vars(Hooks):
        if inspect.isfunction(getattr(Hooks, name)):
            given, taken = (list(inspect.signature(getattr(one, name)).parameters) for one in (Hooks, side))
            assert taken == given, name


def test_where_nothing_is_added_nothing_happens() -> None:
    hooks, error = Hooks(), StepFailed("lock_not_available", "no lock")
    found = NotForeseen("002", LossesSeen({}))
    with pytest.raises(NotForeseen):
        hooks.not_foreseen(found)
    assert hooks.not_begun(work(), error) is error
    with hooks.blockers() as blockers:
        assert blockers() == []


def test_a_migration_has_one_verify_script_or_none() -> None:
    assert work().verify_scripts() == []
    assert work(verify=VERIFY).verify_scripts() == [VERIFY]


def test_a_sequence_that_a_rollback_leaves_behind_is_refused_on_the_copy() -> None:
    refuse_collisions(work("rollback"), [])
    with pytest.raises(Refused, match="after the rollback of 002 a; b"):
        refuse_collisions(work("rollback"), ["a", "b"])


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_rollback_that_gives_another_schema_is_named_with_the_state_of_production(one_by_one: bool) -> None:
    done = work("rollback", one_by_one)
    before = {"table public.notes": {"kind": "table"}}
    with pytest.raises(Unchanged) as refused:
        must_give_back(done, before)
    state = "was committed statement by statement" if one_by_one else "it was undone and 002 is still applied"
    assert state in refused.value.reason
    assert "table public.notes: missing" in refused.value.reason
    assert done.notes["schema_restored"] is False


def test_a_rollback_without_a_record_to_compare_with() -> None:
    done = work("rollback")
    must_give_back(done, None)
    assert done.notes["schema_restored"] is None
    done.collisions = ["sequence s would give 4 next"]
    with pytest.raises(Unchanged, match="002 is still applied: after it sequence s would give 4 next"):
        must_give_back(done, None)


def test_ten_lines_are_shown_and_the_rest_counted() -> None:
    hooks = ProductionHooks.__new__(ProductionHooks)
    hooks.refuse("code", "never", [])
    with pytest.raises(Unchanged) as refused:
        hooks.refuse("code", "What", [str(number) for number in range(12)])
    assert refused.value.reason == "What: 0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 2 more."
    assert len(refused.value.details["difference"]) == 12
