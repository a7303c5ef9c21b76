# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tables and columns a migration drops: by their OIDs, since one that is renamed or moved has lost nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ..catalog.difference import without_last_name
from ..shapes import Cursor

__all__ = ["Dropped", "Place", "columns_in_place", "dropped"]

# Names as the catalog's keys have them. The number 0 is the relation itself.
COLUMNS = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
           || CASE WHEN a.attnum IS NULL THEN '' ELSE '.' || quote_ident(a.attname) END,
           c.oid::bigint, coalesce(a.attnum, 0)::int, c.relkind IN ('v', 'm') OR coalesce(a.attgenerated, '') <> ''
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN (SELECT attrelid, NULL::int2 AS attnum, NULL::name AS attname, NULL::"char" AS attgenerated
               FROM pg_catalog.pg_attribute GROUP BY attrelid
               UNION ALL
               SELECT attrelid, attnum, attname, attgenerated
               FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped) AS a ON a.attrelid = c.oid
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'm', 'v', 'c')"""


class Place(NamedTuple):
    """A relation, or a column of one.

    Attributes:
        oid: of the relation.
        number: of the column; 0 for the relation itself.
        computed: whether its values follow from others: of a view, or a generated column.
    """

    oid: int
    number: int
    computed: bool


class Dropped(NamedTuple):
    """Names, sorted; a column is named only where what it was in is still there."""

    tables: list[str]
    columns: list[str]


def columns_in_place(cursor: Cursor) -> dict[str, Place]:
    """Every relation and column of users in the transaction of the cursor, by name."""
    cursor.execute(COLUMNS)
    return {name: Place(*place) for name, *place in cursor.fetchall()}


def dropped(removed: Iterable[str], before: Mapping[str, Place], after: Collection[Place]) -> Dropped:
    """Of what a catalog has no more by its name, what is gone.

    Args:
        removed: keys of the catalog, as ``table public.notes``.
        before: see columns_in_place(), from before the migration. What it does not know counts as gone.
        after: places that there are afterwards.
    """
    there = {(one.oid, one.number) for one in after}

    def is_gone(name: str) -> bool:
        place = before.get(name)
        return place is None or not (place.computed or (place.oid, place.number) in there)

    def has_its_relation(column: str) -> bool:
        place = before.get(column)
        return place is None or (place.oid, 0) in there

    names = [key.partition(" ")[::2] for key in removed]
    tables = {name for kind, name in names if kind == "table" and is_gone(name)}
    columns = {
        name
        for kind, name in names
        # "column order public.notes" is another fact than a column.
        if kind == "column" and not name.startswith("order ") and is_gone(name) and has_its_relation(name)
    }
    return Dropped(sorted(tables), sorted(one for one in columns if without_last_name(one) not in tables))
