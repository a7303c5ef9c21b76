# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which migrations a run is about, decided without a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.selection import (
    select_for_deploy,
    select_for_rollback,
    select_later,
)

INDEX = [
    {"version": version, "stem": f"{version}_name", "requires": requires}
    for version, requires in (("001", []), ("002", ["001"]), ("003", ["002"]), ("004", ["001"]))
]


@pytest.mark.parametrize(
    ("wanted", "applied", "selected"),
    [
        ("001", set(), ["001"]),
        ("004", {"001"}, ["004"]),
        ("002", {"001", "004"}, ["002"]),
        ("pending", set(), ["001", "002", "003", "004"]),
        ("pending", {"001", "003"}, ["002", "004"]),
        ("pending", {"001", "002", "003", "004", "099"}, []),
    ],
)
def test_selected_for_a_deploy(wanted: str, applied: Any, selected: list[Any]) -> None:
    assert select_for_deploy(INDEX, wanted, applied) == selected


def test_already_applied() -> None:
    with pytest.raises(Refused, match="Migration 002 is already applied"):
        select_for_deploy(INDEX, "002", {"001", "002"})


def test_unmet_requirements_are_named_in_the_order_to_deploy_them() -> None:
    with pytest.raises(
        Refused, match=r"'dependencies identified': migration 003 requires 001, 002.*Deploy 001"
    ):
        select_for_deploy(INDEX, "003", set())


@pytest.mark.parametrize(
    ("wanted", "applied", "cascade", "selected"),
    [
        ("004", {"001", "004"}, False, ["004"]),
        ("003", {"001", "002", "003"}, True, ["003"]),
        ("002", {"001", "002", "003", "004"}, True, ["003", "002"]),
        ("001", {"001", "002", "003", "004"}, True, ["004", "003", "002", "001"]),
        ("001", {"001"}, False, ["001"]),
    ],
)
def test_selected_for_a_rollback(wanted: str, applied: Any, cascade: bool, selected: list[Any]) -> None:
    assert select_for_rollback(INDEX, wanted, applied, cascade) == selected


def test_a_rollback_of_what_is_not_applied() -> None:
    with pytest.raises(Refused, match="Migration 002 is not applied"):
        select_for_rollback(INDEX, "002", {"001"}, True)


def test_a_rollback_under_dependents_names_them_and_the_way_out() -> None:
    with pytest.raises(Refused, match=r"003, 002 depend on it.*-e cascade=true"):
        select_for_rollback(INDEX, "001", {"001", "002", "003"}, False)


def test_a_rollback_to_what_is_not_applied() -> None:
    with pytest.raises(Refused, match=r"Migration 002, which is to stay, is not applied.*-e to=<version>"):
        select_later(INDEX, "002", {"001", "003"})


def test_a_rollback_to_what_is_the_last_takes_nothing_back() -> None:
    assert select_later(INDEX, "002", {"001", "002"}) == []
