# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of deploys, whatever the numbers of the files are."""

from __future__ import annotations

from typing import Any

from ansible_collections.pgops.runbook.plugins.module_utils.ledger.deploys import deployed_in_order
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.order import (
    dependents,
    in_order_of_deploys,
)


def receipt(step: str, version: str | None, status: str = "ok", **outputs: Any) -> Any:
    return {"step": step, "migration": version, "status": status, "outputs": outputs}


def test_what_was_taken_back_and_deployed_again_is_the_newest() -> None:
    chain = [
        receipt("adopt", "001"),
        receipt("apply", "002"),
        receipt("apply", "013"),
        receipt("apply", "012", "failed"),
        receipt("emergency_rollback", "002"),
        receipt("apply", "012"),
        receipt("smoke_test", None),
        receipt("apply", "002"),
    ]
    assert deployed_in_order(chain) == ["001", "013", "012", "002"]


def entry(version: str, *requires: str, declared: bool = False) -> Any:
    return {"version": version, "requires": list(requires), "requires_declared": declared}


INDEX = [
    entry("001"),
    entry("012", "001"),
    entry("013", "001", "012"),
    entry("014", "001", declared=True),
    entry("015", "001", "012", "013", "014"),
]
APPLIED = ["001", "012", "013", "014"]


def test_the_index_is_in_that_order_and_what_is_not_declared_goes_by_it() -> None:
    ordered = in_order_of_deploys(INDEX, ["001", "014", "013", "012"])
    assert [one["version"] for one in ordered] == ["001", "014", "013", "012", "015"]
    assert dependents(ordered, "012", APPLIED) == []
    assert dependents(ordered, "013", APPLIED) == ["012"]
    assert dependents(ordered, "014", APPLIED) == ["012", "013"]
    assert dependents(ordered, "001", APPLIED) == ["012", "013", "014"]


def test_one_whose_header_cannot_be_read_requires_nothing() -> None:
    index = [entry("001"), entry("002", "001"), entry("003")]
    ordered = in_order_of_deploys(index, ["001", "002", "003"])
    assert dependents(ordered, "002", ["001", "002", "003"]) == []


def test_of_which_no_deploy_is_known_keep_their_places() -> None:
    assert [one["version"] for one in in_order_of_deploys(INDEX, ["013", "001"])] == [
        "013",
        "012",
        "001",
        "014",
        "015",
    ]
    assert list(in_order_of_deploys(INDEX, [])) == INDEX
