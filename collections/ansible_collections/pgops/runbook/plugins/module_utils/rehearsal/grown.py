# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that only grew while a migration and its rollback ran, as those that triggers of an audit write to.

No rollback takes back what was noted of it. So the header of the rollback may say ``-- Leaves: rows of audit.log``; and
what was measured of both scripts has to show that rows were added there and none was changed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..shapes import Impact, Migration

__all__ = ["ROWS_OF", "grown_tables"]

ROWS_OF = "rows of "


def grown_tables(
    migration: Migration, problems: Iterable[Mapping[str, Any]], impacts: Sequence[Impact]
) -> dict[str, str]:
    """Table -> the line of the header that declares it, of those that differ and only grew.

    Args:
        problems: what content.difference.difference() found after the rollback.
        impacts: of the migration and of its rollback; where one was not measured, nothing is known.
    """
    declared = [line for line in migration.get("leaves") or () if line.startswith(ROWS_OF)]
    grown = {}
    for problem in problems:
        table = problem["table"]
        line = next((line for line in declared if _names(line[len(ROWS_OF) :], table)), None)
        if line is not None and _only_grew(problem, impacts):
            grown[table] = line
    return grown


def _names(name: str, table: str) -> bool:
    """Whether a name, perhaps without a schema, is that of a table."""
    return name == table or table.endswith(f".{name}")


def _only_grew(problem: Mapping[str, Any], impacts: Sequence[Impact]) -> bool:
    before, after, table = problem["rows_before"], problem["rows_after"], problem["table"]
    if before is None or after is None or not all(impacts):
        return False
    counts = [impact.get("rows", {}).get(table, {}) for impact in impacts]
    touched = any(
        table in impact.get("rewritten", ()) or table in impact.get("emptied", ()) for impact in impacts
    )
    changed = sum(one.get("updated", 0) + one.get("deleted", 0) for one in counts)
    return not touched and not changed and sum(one.get("inserted", 0) for one in counts) == after - before
