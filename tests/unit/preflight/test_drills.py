# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill is about: what is pending, or else the newest migration that is deployed."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight.drills import select_for_drill

INDEX = [
    {"version": "001", "requires": []},
    {"version": "002", "requires": ["001"]},
    {"version": "003", "requires": ["001"]},
]


@pytest.mark.parametrize(
    ("wanted", "applied", "found"),
    [
        ("pending", ["001"], ["002", "003"]),
        ("pending", ["001", "002", "003"], ["003"]),
        # The application may record what sql_dir never had.
        ("pending", ["001", "002", "003", "9"], ["003"]),
        ("003", ["001"], ["003"]),
        ("002", ["001", "002", "003"], ["002"]),
    ],
)
def test_what_a_drill_deploys(wanted: str, applied: list[str], found: list[str]) -> None:
    assert select_for_drill(INDEX, wanted, applied) == found


def test_of_what_is_pending_some_may_be_left_out() -> None:
    assert select_for_drill(INDEX, "pending", ["001"], until="002") == ["002"]
    assert select_for_drill(INDEX, "pending", ["001"], skip=["002"]) == ["003"]


@pytest.mark.parametrize(
    ("wanted", "applied", "code"),
    [
        ("pending", [], "nothing_to_drill"),
        ("001", ["001", "002"], "needed_by_later_migration"),
        ("002", [], "requirement_not_applied"),
    ],
)
def test_what_no_drill_can_be_about(wanted: str, applied: list[str], code: str) -> None:
    index = [] if code == "nothing_to_drill" else INDEX
    with pytest.raises(Refused) as caught:
        select_for_drill(index, wanted, applied)
    assert caught.value.code == code
