# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""All kinds of migrations that stories are told of."""

from __future__ import annotations

from benchmarks.merge_stories import (
    kinds_of_columns,
    kinds_of_effects,
    kinds_of_keys,
    kinds_of_tables,
    kinds_of_unnamed_rows,
)

__all__ = ["KINDS"]

KINDS = (
    *kinds_of_columns.KINDS,
    *kinds_of_keys.KINDS,
    *kinds_of_tables.KINDS,
    *kinds_of_effects.KINDS,
    *kinds_of_unnamed_rows.KINDS,
)
