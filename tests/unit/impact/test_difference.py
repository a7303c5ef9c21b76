# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a migration did in production only, or on the copy only."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.impact.difference import differs_from_rehearsal


def measured(rows: Any = None, rewritten: Any = (), locks: Any = (), emptied: Any = ()) -> dict[Any, Any]:
    return {
        "rows": {
            table: dict(zip(("inserted", "updated", "deleted"), counts, strict=True))
            for table, counts in (rows or {}).items()
        },
        "rewritten": dict.fromkeys(rewritten),
        "emptied": list(emptied),
        "locks": [{"table": table, "mode": mode, "line": 3} for table, mode in locks],
    }


@pytest.mark.parametrize(
    ("on_the_copy", "in_production", "line"),
    [
        (measured(), measured({"t": (0, 0, 1)}), "t: 1 rows deleted in production, 0 on the copy"),
        (
            measured({"t": (0, 9, 0)}),
            measured({"t": (0, 9, 2)}),
            "t: 2 rows deleted in production, 0 on the copy",
        ),
        (measured({"t": (0, 9, 0)}), measured(), "t: 0 rows updated in production, 9 on the copy"),
        (
            measured({"t": (0, 0, 3)}),
            measured({"t": (0, 0, 3)}, emptied=["t"]),
            "t: emptied in production only",
        ),
        (measured(), measured(rewritten=["t"]), "t: rewritten in production only"),
        (measured(rewritten=["t"]), measured(), "t: rewritten on the copy only"),
        (
            measured(),
            measured(locks=[("t", "ShareLock")]),
            "t: ShareLock in production, no lock on the copy (line 3)",
        ),
        (
            measured(locks=[("t", "ShareLock")]),
            measured(locks=[("t", "AccessExclusiveLock")]),
            "t: AccessExclusiveLock in production, ShareLock on the copy (line 3)",
        ),
    ],
)
def test_what_only_one_side_did_is_named(on_the_copy: Any, in_production: Any, line: str) -> None:
    assert differs_from_rehearsal(on_the_copy, in_production, written=None) == [line]


@pytest.mark.parametrize(
    ("on_the_copy", "in_production"),
    [
        (measured({"t": (1, 2, 3)}, ["t"], [("t", "ShareLock")]),) * 2,
        (measured(locks=[("t", "AccessExclusiveLock")]), measured(locks=[("t", "ShareLock")])),
        (measured(), measured(locks=[("t", "ShareUpdateExclusiveLock")])),
        (measured({"t": (0, 0, 3)}, emptied=["t"]), measured({"t": (0, 0, 3)}, emptied=["t"])),
        # Somebody has written to it since.
        (measured({"t": (0, 0, 3)}, emptied=["t"]), measured({"t": (0, 0, 3)})),
        (
            measured(locks=[("t", "AccessExclusiveLock"), ("t", "ShareLock")]),
            measured(locks=[("t", "AccessExclusiveLock"), ("t", "ShareLock")]),
        ),
    ],
)
@pytest.mark.parametrize("written", [0, 5, None])
def test_alike(on_the_copy: Any, in_production: Any, written: int | None) -> None:
    assert differs_from_rehearsal(on_the_copy, in_production, written) == []


def test_numbers_must_agree_only_where_nobody_has_written_since() -> None:
    sides = measured({"t": (0, 9, 0)}), measured({"t": (0, 10, 0)})
    for written in (1, None):
        assert differs_from_rehearsal(*sides, written) == []
    assert differs_from_rehearsal(*sides, written=0) == ["t: 10 rows updated in production, 9 on the copy"]


def test_a_lock_that_was_seen_by_chance_is_not_compared() -> None:
    sampled = measured(locks=[("t", "AccessExclusiveLock")])
    sampled["locks"][0]["sampled"] = True
    assert differs_from_rehearsal(measured(), sampled, written=0) == []


@pytest.mark.parametrize(("rehearsed", "real", "alike"), [(3, 13, True), (3, 14, False), (900, 3, True)])
def test_no_more_rows_are_deleted_than_were_written_since(rehearsed: int, real: int, alike: bool) -> None:
    lines = differs_from_rehearsal(
        measured({"t": (0, 0, rehearsed)}), measured({"t": (0, 0, real)}), written=10
    )
    assert lines == (
        []
        if alike
        else ["t: 14 rows deleted in production, 3 on the copy, and 10 rows were written since the backup"]
    )
    assert differs_from_rehearsal(measured({"t": (0, 0, 3)}), measured({"t": (0, 0, 14)}), written=None) == []
