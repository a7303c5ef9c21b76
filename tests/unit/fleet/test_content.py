# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which runs of a fleet may begin, and how the whole stands."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.fleet.content import (
    begin,
    close,
    end,
    take_back,
    to_take_back,
)

from tests.unit.fleet.fleets import ended, fleet_of, run_of


def status(content: dict, target: str) -> str:
    return next(one["status"] for one in content["databases"] if one["target"] == target)


def test_all_begin_while_all_goes_well() -> None:
    content = ended(fleet_of("a", "b c"), a="deployed", b="deployed", c="deployed")
    assert content["outcome"] == "complete"
    assert content["ended"]
    assert content["reason"] is None


@pytest.mark.parametrize("outcome", ["refused", "unchanged", "rolled_back", "failed", "awaiting_approval"])
def test_what_does_not_go_well_leaves_later_batches_untouched(outcome: str) -> None:
    content = ended(fleet_of("a", "b c"), a=outcome)
    verdict = begin(content, "b")
    assert (verdict.goes_on, verdict.for_all) == (False, True)
    assert verdict.why == f"It was left untouched: the run of a in batch 1 ended {outcome}."
    assert (status(content, "b"), status(content, "c")) == ("untouched", "untouched")
    close(content)
    assert content["outcome"] == ("awaiting_approval" if outcome == "awaiting_approval" else "stopped")


def test_in_its_own_batch_only_those_that_have_not_begun_are_stopped() -> None:
    content = fleet_of("a b c")
    assert begin(content, "a").goes_on
    assert begin(content, "b").goes_on
    end(content, "a", run_of("a", "refused"))
    verdict = begin(content, "c")
    assert (verdict.goes_on, verdict.for_all) == (False, False), "b is at work, and the play must not end"
    assert not close(content), "b is at work"
    end(content, "b", run_of("b", "deployed"))
    assert close(content)
    assert status(content, "b") == "deployed"


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_that_never_ended_or_never_began_stops_later_batches_too(begun: bool) -> None:
    content = fleet_of("a", "b")
    if begun:
        begin(content, "a")
    verdict = begin(content, "b")
    assert (verdict.goes_on, verdict.for_all) == (False, True)
    assert verdict.why.endswith("did not end." if begun else "never began.")
    assert not close(content)
    assert content["outcome"] == "in_progress"


def test_a_database_that_has_it_already_is_passed_over() -> None:
    content = fleet_of("a", "b")
    begin(content, "a")
    end(
        content,
        "a",
        run_of("a", "deployed", migrations=[], reason="migration 009 was applied already", reason_code=None),
    )
    assert status(content, "a") == "had_it"
    assert begin(content, "b").goes_on


def test_files_alone_are_work() -> None:
    content = fleet_of("a")
    end(content, "a", run_of("a", "deployed", migrations=[], files={"hosts": {"disk": {}}}))
    assert status(content, "a") == "deployed"


def test_a_deploy_that_ends_as_a_failure_because_rows_wait_is_one() -> None:
    content = fleet_of("a", "b")
    begin(content, "a")
    end(content, "a", run_of("a", "deployed", reason_code="rows_wait", reason="1 row waits"))
    assert status(content, "a") == "failed"
    assert not begin(content, "b").goes_on


def test_an_emergency_rollback_goes_well_where_it_rolls_back() -> None:
    content = fleet_of("a", "b", playbook="emergency_rollback")
    end(content, "a", run_of("a", "rolled_back", "emergency_rollback"))
    assert begin(content, "b").goes_on
    end(content, "b", run_of("b", "rolled_back", "emergency_rollback"))
    assert close(content)
    assert content["outcome"] == "complete"
    assert to_take_back(content) == []


def test_what_was_deployed_in_the_batch_of_a_failure_is_taken_back_once() -> None:
    content = ended(fleet_of("a", "b c d", "e"), a="deployed", b="deployed", c="deployed", d="failed")
    assert [one["target"] for one in to_take_back(content)] == ["b", "c"]
    assert take_back(content, "b") == ["009"]
    assert take_back(content, "a") == take_back(content, "d") == take_back(content, "e") == []
    end(content, "b", run_of("b", "rolled_back", "emergency_rollback"))
    end(content, "c", run_of("c", "refused", "emergency_rollback"))
    assert to_take_back(content) == []
    assert [status(content, target) for target in "abcde"] == [
        *("deployed", "deployed", "deployed", "failed", "untouched")
    ]
    assert content["databases"][2]["taken_back"]["reason"] == "because of c"


@pytest.mark.parametrize(
    ("outcome", "asked_for"), [("refused", False), ("awaiting_approval", True), ("deployed", True)]
)
def test_nothing_is_taken_back_unasked_or_without_a_failure(outcome: str, asked_for: bool) -> None:
    content = ended(fleet_of("a b", rollback_batch=asked_for), a="deployed", b=outcome)
    assert to_take_back(content) == []


def test_a_batch_in_which_a_run_never_ended_is_taken_back() -> None:
    content = ended(fleet_of("a b"), a="deployed")
    begin(content, "b")
    assert [one["target"] for one in to_take_back(content)] == ["a"]


def test_of_many_failures_some_are_named() -> None:
    names = [f"db{number}" for number in range(9)]
    content = fleet_of(" ".join(names))
    for name in names:
        end(content, name, run_of(name, "refused"))
    close(content)
    assert content["reason"].startswith("Not as was wanted: db0 (batch 1, refused); ")
    assert content["reason"].endswith("; and 4 more.")


def test_a_host_of_another_play_is_an_error() -> None:
    with pytest.raises(KeyError):
        begin(fleet_of("a"), "b")
