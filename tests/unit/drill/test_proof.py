# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that a drill's rollback kept are counted; rows that are nowhere end it."""

from __future__ import annotations

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.drill.proof import (
    count_rows,
    refuse_lost_rows,
    rows_of,
)
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused


def content(**rows: int) -> dict:
    tables = {
        f"public.{name}": {"rows": count, "digest": str(count), "columns": ["a"], "kind": "table"}
        for name, count in rows.items()
    }
    return {"tables": tables, "sequences": {}, "large_objects": {"count": 0}}


def test_what_was_kept_is_counted_with_what_became_of_it() -> None:
    kept = [{"item": 7, "rows": 3}, {"item": 8, "rows": 4}]
    returned = [
        {"item": 2, "returned": 1, "held_back": 3, "reasons": {"kept by a rollback of production": 3}},
        {"item": 7, "returned": 3, "held_back": 0, "reasons": {}},
        {"item": 8, "returned": 2, "held_back": 2, "reasons": {"its parent is gone": 2}},
    ]
    assert count_rows(kept, returned) == (7, 5, 2, {"its parent is gone": 2})
    assert count_rows([], []) == (0, 0, 0, {})


def test_rows_that_wait_are_not_lost() -> None:
    differing = rows_of(content(notes=5, tags=2), content(notes=3, tags=2))
    assert [one["table"] for one in differing] == ["public.notes"]
    refuse_lost_rows(differing, held_back=2)


def test_the_record_of_versions_is_not_users() -> None:
    before, after = content(notes=5, schema_migrations=2), content(notes=4, schema_migrations=1)
    assert [one["table"] for one in rows_of(before, after, ["public.schema_migrations"])] == ["public.notes"]


def test_rows_that_are_nowhere_are_named_with_their_table() -> None:
    differing = rows_of(content(notes=5, tags=2), content(notes=3, tags=4))
    with pytest.raises(Refused) as caught:
        refuse_lost_rows(differing, held_back=1)
    assert caught.value.code == "drill_lost_rows"
    # That another table has more makes up for nothing.
    assert "public.notes (2 fewer)" in caught.value.reason
    assert "public.tags" not in caught.value.reason


def test_a_table_that_is_gone_has_lost_all_of_its_rows() -> None:
    with pytest.raises(Refused, match=r"public\.notes \(5 fewer\)"):
        refuse_lost_rows(rows_of(content(notes=5), content()), held_back=0)
