# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rows that refer to others by a key that people give, when the key may have been given to another row since."""

from __future__ import annotations

from typing import Any

from ...postgres.columns import columns_of
from ...postgres.connection import sql
from ...postgres.tables import Table, table_facts
from ...postgres.values import equal, text_of
from ..identity import telling_columns
from ..key import field
from .waiting import WaitingRows

__all__ = ["KEY_OF_ANOTHER", "doubt_parents"]

KEY_OF_ANOTHER = "the key by which it refers to {} is that of another row now"

SHAPE = "CREATE TEMPORARY TABLE {parent_shape} AS SELECT {parts} FROM {parent} WITH NO DATA"

# The row that has the key now has nothing of the one that was meant, and another row has. Where none has, one value may
# have been corrected; several are not all of them corrected by chance.
SEVERAL = 2
IS_ANOTHER = """
    (k.columns IS NULL OR k.columns && {mine}::text[]) AND k.parents[{position}] IS NOT NULL
    AND EXISTS (SELECT FROM {parent} p WHERE {same} AND ({alike}) IS NOT TRUE
                AND ({changed} >= {several} OR EXISTS (SELECT FROM {parent} p WHERE NOT ({same}) AND ({alike}))))"""


def doubt_parents(rows: WaitingRows) -> None:
    """Hold back rows whose key of a parent is another row's now.

    Args:
        rows: the children.
    """
    for position, facts in enumerate(rows.parents, start=1):
        parent = table_facts(rows.cursor, facts["parent"])
        if parent is None or not set(facts["referred"]) <= set(parent.columns):
            continue
        if set(facts["columns"]) <= set(rows.present):
            _doubt(rows, parent, position, facts)


def _doubt(rows: WaitingRows, parent: Table, position: int, facts: dict[str, Any]) -> None:
    present = [name for name in facts["content"] if name in parent.columns]
    own_types = {one.name for one in columns_of(rows.cursor, parent.oid) if one.own_type}
    telling = telling_columns(rows.cursor, parent.identifier(), present, own_types) if present else []
    if not telling:
        return
    shape = sql.Identifier("pg_temp", f"runbook_parent_{rows.item['item']}_{position}")
    parts = [
        sql.SQL("{} AS {}").format(
            sql.Identifier(name) if name in present else sql.SQL("NULL::text"), sql.Identifier(name)
        )
        for name in facts["content"]
    ]
    rows.run(SHAPE, parent_shape=shape, parts=sql.SQL(", ").join(parts), parent=parent.identifier())
    meant = sql.SQL("CAST(k.parents[{}] AS {})").format(sql.Literal(position), shape)
    texts = [
        [
            text_of(value, name in own_types)
            for value in (sql.Identifier("p", name), sql.SQL("({}).{}").format(meant, sql.Identifier(name)))
        ]
        for name in telling
    ]
    rows.hold_back(
        sql.SQL(IS_ANOTHER).format(
            mine=sql.Literal(facts["columns"]),
            position=sql.Literal(position),
            parent=parent.identifier(),
            same=sql.SQL(" AND ").join(
                equal(
                    sql.Identifier("p", theirs),
                    field("k.theirs", mine),
                    theirs in own_types or mine in rows.own_types,
                )
                for mine, theirs in zip(facts["columns"], facts["referred"])
            ),
            alike=sql.SQL(" OR ").join(sql.SQL("{} = {}").format(*pair) for pair in texts),
            changed=sql.SQL(" + ").join(
                sql.SQL("({} IS DISTINCT FROM {})::int").format(*pair) for pair in texts
            ),
            several=sql.Literal(SEVERAL),
        ),
        KEY_OF_ANOTHER.format(".".join(parent.name)),
    )
    rows.run("DROP TABLE {parent_shape}", parent_shape=shape)
