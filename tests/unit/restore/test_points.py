# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which restore points there are behind a backup, and whether one was reached."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused, StepFailed
from ansible_collections.pgops.runbook.plugins.module_utils.restore.points import check_reached, point_named

MANIFEST = {"engine": {"name": "pgbackrest", "label": "x", "restore_point": "own"}}


def receipt(run_id: str, step: str, status: str = "ok", **outputs: object) -> dict:
    return {"run_id": run_id, "step": step, "status": status, "outputs": outputs}


CHAIN = [
    receipt("a", "preflight", restore_point={"restore_point": "early", "lsn": "0/1"}),
    receipt("a", "backup", restore_point="own", lsn="0/2"),
    receipt("b", "preflight", restore_point={"restore_point": "before_b", "lsn": "0/3"}),
    receipt("c", "preflight", restore_point=None),
    receipt("c", "emergency_backup", "failed", restore_point="never", lsn="0/4"),
    receipt("c", "emergency_backup", restore_point="c", lsn="0/5"),
]


@pytest.mark.parametrize(("name", "position"), [("before_b", 2), ("c", 5)])
def test_a_point_that_was_set_after_the_backup(name: str, position: int) -> None:
    assert point_named(CHAIN, "a", name, MANIFEST)["position"] == position


@pytest.mark.parametrize("name", ["early", "own", "never", "nowhere", ""])
def test_others_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(Refused, match=r"newest first: c \(run c\), before_b \(run b\)"):
        point_named(CHAIN, "a", name, MANIFEST)


def test_a_dump_holds_one_moment() -> None:
    with pytest.raises(Refused, match="is a dump"):
        point_named(CHAIN, "a", "c", {})


@pytest.mark.parametrize(("in_backup", "reached"), [(1, False), (2, True), (5, True), (6, False)])
def test_the_ledger_tells_whether_it_was_reached(in_backup: int, reached: bool) -> None:
    point = point_named(CHAIN, "a", "c", MANIFEST)
    if reached:
        check_reached(in_backup, point)
        return
    with pytest.raises(StepFailed, match="it is another point"):
        check_reached(in_backup, point)
