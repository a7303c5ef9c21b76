# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kept rows and the rows that they refer to: one that is gone, and one that is another one under its key."""

from __future__ import annotations

from ...postgres.connection import sql
from ..changed_since import ROW_MADE
from ..sources import SOURCE_CHANGED

__all__ = [
    "PARENT_GONE",
    "PARENT_IS_ANOTHER",
    "VALUES_TAKEN",
    "kept_value",
    "parent_is_another",
    "parent_missing",
]

VALUES_TAKEN = "another row has its key or its unique values"
PARENT_GONE = "its parent in {} is gone"
PARENT_IS_ANOTHER = "its parent in {} is another one now"

# Reasons of parents in whose place there is another row.
ANOTHER_ROW = [SOURCE_CHANGED, VALUES_TAKEN, ROW_MADE]


def kept_value(name):
    """SQL: the value of a column in the kept row k."""
    return sql.SQL("(k.shape).{}").format(sql.Identifier(name))


def parent_missing(item, constraint):
    """SQL condition on kept row k: it refers to a row that is not there.

    Args:
        item: that k belongs to.
        constraint: ForeignKey of its table.
    """
    if not set(constraint.columns) <= set(item["columns"]):
        return sql.SQL("false")
    mine = [kept_value(name) for name in constraint.columns]
    return sql.SQL(
        "(k.columns IS NULL OR k.columns && {names}::text[]) AND {known}"
        " AND NOT EXISTS (SELECT FROM {parent} p WHERE {equal})"
    ).format(
        names=sql.Literal(constraint.columns),
        known=sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(one) for one in mine),
        parent=sql.Identifier(*constraint.parent),
        equal=sql.SQL(" AND ").join(
            sql.SQL("p.{} = {}").format(sql.Identifier(name), one)
            for name, one in zip(constraint.referred, mine)
        ),
    )


def parent_is_another(item, constraint):
    """SQL condition on kept row k: it refers to the key of a row that stays in the salvage, and another one has it.

    Args:
        item: that k belongs to.
        constraint: ForeignKey of its table.
    """
    if not set(constraint.columns) <= set(item["columns"]):
        return sql.SQL("false")
    mine = dict(zip(constraint.referred, constraint.columns))
    return sql.SQL(
        "(k.columns IS NULL OR k.columns && {}::text[])"
        " AND EXISTS (SELECT FROM runbook_salvage.kept_row parent JOIN runbook_salvage.manifest m USING (item)"
        " WHERE m.returned IS NULL AND (m.migration, m.schema_name, m.table_name) = ({}, {}, {})"
        " AND m.key_columns = {}::text[] AND parent.held_back = ANY ({}) AND parent.key = ROW({})::text)"
    ).format(
        sql.Literal(constraint.columns),
        sql.Literal(item["migration"]),
        *map(sql.Literal, constraint.parent),
        sql.Literal(constraint.referred),
        sql.Literal(ANOTHER_ROW),
        sql.SQL(", ").join(kept_value(mine[name]) for name in constraint.referred),
    )
