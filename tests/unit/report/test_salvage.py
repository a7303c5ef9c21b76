# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person reads of kept rows: how many, whose, how old, and why they could not go back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.plugin_utils.report.salvage import (
    salvage_line,
    salvage_report,
)

ITEM = {
    "item": 7,
    "run_id": "r1",
    "migration": "009",
    "kind": "dropped_table",
    "table": "public.favorites",
    "rows": 2,
    "held_back": 0,
    "reasons": {},
    "bytes": 1572864,
    "kept": "2026-01-01 00:00:00 UTC",
    "age_days": 1,
}
LINE = "009: 2 rows of public.favorites (dropped_table, 1.5 MB), kept 2026-01-01 00:00:00 UTC, 1 day old"


def report(action: str, *, check_mode: bool = False, **outputs: Any) -> list[str]:
    return salvage_report({"action": action, "check_mode": check_mode, **outputs}, "library")


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, LINE),
        ({"rows": 1, "age_days": 0}, LINE.replace("2 rows", "1 row").replace("1 day", "0 days")),
        (
            {"held_back": 2, "reasons": {"no such row": 1, "is there": 1}},
            f"{LINE}, 2 of them held back (1: is there; 1: no such row)",
        ),
    ],
)
def test_an_item_is_one_line(facts: dict[str, Any], line: str) -> None:
    assert salvage_line({**ITEM, **facts}) == line


def test_the_list_names_what_the_other_actions_ask_for() -> None:
    assert report("list", items=[ITEM]) == [
        "library:",
        f"  item 7, run r1, migration {LINE}, 1572864 bytes",
    ]
    assert report("list", items=[]) == [
        "library: no salvage: no rollback has kept rows that have not gone back"
    ]


@pytest.mark.parametrize(("check_mode", "word"), [(False, "Wrote"), (True, "Would write")])
def test_an_export_names_its_file(check_mode: bool, word: str) -> None:
    assert report("export", check_mode=check_mode, item=7, rows=1, file="/x.csv") == [
        f"library: {word} 1 row of item 7 to /x.csv"
    ]


@pytest.mark.parametrize(("check_mode", "word"), [(False, "Purged"), (True, "Would purge")])
def test_a_purge_names_each_item(check_mode: bool, word: str) -> None:
    assert report("purge", check_mode=check_mode, items=[ITEM], rows=2) == [
        f"library: {word} 2 rows:",
        f"  item 7, {LINE}",
    ]
    assert report("purge", check_mode=check_mode, items=[], rows=0) == ["library: nothing to purge"]


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "Put back 2 rows of item 7 (dropped_table of public.favorites)"),
        (
            {"returned": 1, "held_back": 1, "reasons": {"is there": 1}},
            "Put back 1 row of item 7 (dropped_table of public.favorites); 1 stays in schema runbook_salvage"
            " (1: is there)",
        ),
        (
            {
                "returned": 0,
                "held_back": 2,
                "reasons": {"is there": 2},
                "overwritten": 2,
                "overwritten_kept_in": 8,
            },
            "Put back 0 rows of item 7 (dropped_table of public.favorites); 2 stay in schema runbook_salvage"
            " (2: is there); 2 rows that it overwrote are kept as item 8",
        ),
        (
            {"overwritten": 1, "overwritten_kept_in": 8},
            "Put back 2 rows of item 7 (dropped_table of public.favorites); 1 row that it overwrote is kept as"
            " item 8",
        ),
        (
            {"check_mode": True, "rows": 2},
            "Would try to put back 2 rows of item 7 (dropped_table of public.favorites)",
        ),
    ],
)
def test_putting_back_says_what_went_and_what_stays(facts: dict[str, Any], line: str) -> None:
    put_back = {
        "item": 7,
        "kind": "dropped_table",
        "table": "public.favorites",
        "returned": 2,
        "held_back": 0,
    }
    assert report("put_back", **{**put_back, **facts}) == [f"library: {line}"]


def test_the_rows_of_an_item_stand_beside_what_is_there_now() -> None:
    rows = [
        {
            "key": "id (1)",
            "reason": "changed on both sides of the rollback: shelf",
            "deleted": False,
            "there": True,
            "kept": {"shelf": "3", "note": None},
            "now": {"shelf": "5", "note": "n"},
        },
        {"key": "id (2)", "reason": "its parent in public.x is gone", "deleted": False, "there": False}
        | {"kept": {"shelf": "4"}, "now": {}},
        {"key": "id (3)", "reason": None, "deleted": True, "there": True, "kept": {}, "now": {"shelf": "6"}},
    ]
    settle = "ansible-playbook playbooks/salvage.yml -e salvage_action=put_back -e salvage_item=7 -e salvage_prefer="
    assert report("list", items=[{**ITEM, "rows": 5}], rows=rows)[2:] == [
        "    row id (1): changed on both sides of the rollback: shelf",
        "      shelf: kept 3, now 5",
        "      note: kept NULL, now n",
        "    row id (2): its parent in public.x is gone",
        "      shelf: kept 4",
        "      now: there is no such row",
        "    row id (3): goes back with the next deploy",
        "      kept: users had deleted it",
        "    and 2 more",
        f"    To let what was kept win: {settle}kept",
        f"    To let what is there now win: {settle}now",
    ]
