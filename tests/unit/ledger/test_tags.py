# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tag is the state after a deploy that came to its end, and what is taken back is all that was not there then."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.ledger.tags import (
    check_new_tag,
    check_tag,
    state_of,
    tag_states,
)

IDENTITY = {"system_identifier": "1", "database": "a", "database_oid": 2}


def receipt(run: str, step: str, migration: str | None = None, status: str = "ok", **outputs: object) -> dict:
    return {
        "run_id": run,
        "step": step,
        "migration": migration,
        "status": status,
        "started": f"{run}T",
        "outputs": outputs,
        "identity": IDENTITY,
    }


def deploy(run: str, tag: str, before: list[str], *versions: str, applied: int | None = None) -> list[dict]:
    opening = receipt(run, "preflight", applied_before=before, migrations=[*versions])
    if tag:
        opening["outputs"]["tag"] = tag
    return [opening, *(receipt(run, "apply", version) for version in versions[:applied])]


RECEIPTS = [
    *deploy("r1", "one", ["001"], "002"),
    *deploy("r2", "", ["001", "002"], "003"),
    *deploy("r3", "two", ["001", "002", "003"], "005", "007"),
]


def test_the_newest_comes_first_with_all_that_was_applied_then() -> None:
    two, one = tag_states(RECEIPTS)
    assert (one.tag, one.run_id, sorted(one.versions)) == ("one", "r1", ["001", "002"])
    assert (two.tag, sorted(two.versions)) == ("two", ["001", "002", "003", "005", "007"])
    assert state_of(RECEIPTS, "one") == one


def test_what_came_later_goes_whatever_its_number() -> None:
    """004 was deployed after 007; 002 was taken back since."""
    two = state_of(RECEIPTS, "two")
    order = ["001", "002", "003", "004", "005", "006", "007", "008"]
    assert two.later(order, ["001", "003", "004", "005", "007", "008", "elsewhere"]) == ["008", "004"]
    assert two.later(order, ["001", "002", "003"]) == []


@pytest.mark.parametrize(
    "more",
    [
        deploy("r4", "three", ["001"], "008", "009", applied=1),
        [*deploy("r4", "three", ["001"], "008"), receipt("r4", "emergency_rollback", "008")],
        [receipt("r4", "preflight", status="failed", tag="three", migrations=["008"], applied_before=[])],
        deploy("r4", "three", ["001"]),
        [*deploy("r4", "three", ["001"], "008"), receipt("r5", "swap", receipts_in_backup=7, replaced_oid=2)],
    ],
    ids=["half of it", "taken back by itself", "refused", "nothing to do", "replaced by a restore"],
)
def test_a_deploy_that_did_not_come_to_its_end_gives_none(more: list[dict]) -> None:
    with pytest.raises(Refused, match="Its tags: two, one") as refused:
        state_of([*RECEIPTS, *more], "three")
    assert refused.value.code == "tag_unknown"


def test_a_tag_is_taken_while_something_of_its_deploy_is_applied() -> None:
    with pytest.raises(Refused, match="that of run r3, which deployed 005, 007") as refused:
        check_new_tag(RECEIPTS, "two", ["001", "007"])
    assert refused.value.code == "tag_taken"
    check_new_tag(RECEIPTS, "two", ["001", "002", "003"])
    check_new_tag(RECEIPTS, "three", ["001", "007"])
    again = [*RECEIPTS, *deploy("r6", "two", ["001", "002", "003"], "006")]
    assert state_of(again, "two").run_id == "r6"


def test_where_there_is_none_it_says_so() -> None:
    with pytest.raises(Refused, match="No deploy has one"):
        state_of([], "one")


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "a b", "tag:x", "a/b", "a\n", "x" * 81, "ä", "{{ 1 }}", "$(id)"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="cannot be a tag") as refused:
        check_tag(name)
    assert refused.value.code == "setting_invalid"


@pytest.mark.parametrize("name", ["release_7", "v1.2.3", "2026-11-27", "7"])
def test_what_is_one_is_not(name: str) -> None:
    check_tag(name)
