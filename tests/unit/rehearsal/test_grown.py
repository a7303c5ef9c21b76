# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tables only grew, by what was measured of a migration and of its rollback."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pgops.runbook.plugins.module_utils.rehearsal.grown import grown_tables

MIGRATION: Any = {"leaves": ["column order t", "rows of audit.log"]}


def problem(table: str = "audit.log", before: int | None = 1, after: int | None = 3) -> dict[str, Any]:
    return {"table": table, "problem": "2 rows more", "rows_before": before, "rows_after": after}


def impact(inserted: int = 1, updated: int = 0, deleted: int = 0, **more: Any) -> dict[str, Any]:
    counts = {"inserted": inserted, "updated": updated, "deleted": deleted}
    return {"rows": {"audit.log": counts}, "rewritten": {}, "emptied": [], **more}


def test_a_table_that_is_declared_and_grew() -> None:
    assert grown_tables(MIGRATION, [problem()], [impact(), impact()]) == {"audit.log": "rows of audit.log"}
    without_schema: Any = {"leaves": ["rows of log"]}
    assert grown_tables(without_schema, [problem()], [impact(), impact()]) == {"audit.log": "rows of log"}


@pytest.mark.parametrize(
    ("found", "impacts"),
    [
        (problem("app.log"), [impact(), impact()]),
        (problem("audit.catalog"), [impact(), impact()]),
        (problem(), [impact(), impact(updated=1)]),
        (problem(), [impact(deleted=1, inserted=2), impact()]),
        (problem(), [impact(), impact(emptied=["audit.log"])]),
        (problem(), [impact(rewritten={"audit.log": 8192}), impact()]),
        (problem(), [impact(), {}]),
        (problem(after=4), [impact(), impact()]),
        (problem(before=None), [impact(), impact()]),
        (problem(after=None), [impact(), impact()]),
    ],
)
def test_any_other_is_a_difference(found: dict[str, Any], impacts: list[Any]) -> None:
    assert grown_tables(MIGRATION, [found], impacts) == {}
