# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kept rows that refer to a row that is another one now, under the same key."""

from __future__ import annotations

from typing import Any

from ...postgres.connection import sql
from ...postgres.tables import ForeignKey
from ...rows.policies import VALUES_TAKEN
from ..changed_since import ROW_MADE
from ..sources import SOURCE_CHANGED
from ..store.returning import key_is_held_back

__all__ = ["PARENT_IS_ANOTHER", "kept_value", "parent_is_another"]

PARENT_IS_ANOTHER = "its parent in {} is another one now"

# Reasons of parents in whose place there is another row.
ANOTHER_ROW = (SOURCE_CHANGED, VALUES_TAKEN, ROW_MADE)


def kept_value(name: str) -> sql.Composable:
    """SQL: the value of a column in the kept row k."""
    return sql.SQL("(k.shape).{}").format(sql.Identifier(name))


def parent_is_another(item: dict[str, Any], constraint: ForeignKey) -> sql.Composable:
    """SQL condition on kept row k: it refers to the key of a row that stays in the salvage, and another one has it.

    Args:
        item: that k belongs to.
        constraint: of its table.
    """
    if not set(constraint.columns) <= set(item["columns"]):
        return sql.SQL("false")
    mine = dict(zip(constraint.referred, constraint.columns))
    return sql.SQL("(k.columns IS NULL OR k.columns && {}::text[]) AND {}").format(
        sql.Literal(constraint.columns),
        key_is_held_back(
            item["migration"],
            constraint.parent,
            constraint.referred,
            ANOTHER_ROW,
            sql.SQL(", ").join(kept_value(mine[name]) for name in constraint.referred),
        ),
    )
