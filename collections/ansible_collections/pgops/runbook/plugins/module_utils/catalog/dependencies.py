# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which objects a migration uses that were there before it (manual, section "Dependency Tracking").

What a function's body reads is text to PostgreSQL, and rows are no objects: neither is seen.
"""

from __future__ import annotations

from ..shapes import Catalog, Cursor
from .difference import difference, without_last_name

__all__ = ["dependency_edges", "used_objects"]

# Dependent and referenced object of every dependency between objects that were not there at initdb.
EDGES = """
    SELECT DISTINCT one.type || ' ' || one.identity, other.type, other.identity
    FROM pg_catalog.pg_depend,
         LATERAL pg_catalog.pg_identify_object(classid, objid, 0) AS one,
         LATERAL pg_catalog.pg_identify_object(refclassid, refobjid, 0) AS other
    WHERE objid >= 16384 AND refobjid >= 16384 AND (classid, objid) <> (refclassid, refobjid)"""

RELATIONS = ("table", "view", "materialized view", "foreign table")

# What pg_identify_object() calls "type" has these words in a catalog, and the row type of a table has the table's.
TYPES = ("enum", "domain", "range", "multirange", "composite type", "type", *RELATIONS)

# Named after the relation that they are part of: using one, or making one, is using the relation.
PARTS = ("column", "constraint", "trigger", "policy", "rule")


#: The dependent object, and type and identity of the one that it depends on.
Edge = tuple[str, str, str]


def dependency_edges(cursor: Cursor) -> set[Edge]:
    """All of the database."""
    cursor.execute(EDGES)
    return set(cursor.fetchall())


def used_objects(before: tuple[Catalog, set[Edge]], after: tuple[Catalog, set[Edge]]) -> list[str]:
    """The objects from before a migration that it builds on, alters or drops.

    Args:
        before, after: (catalog, dependency_edges) of the two moments.

    Returns:
        sorted list of keys of the catalog from before.
    """
    catalog = before[0]
    change = difference(catalog, after[0])
    keys = {key for key in (*change.changed, *change.removed) if not key.startswith("column order ")}
    for _, kind, identity in after[1] - before[1]:
        nouns = TYPES if kind == "type" else (kind,)
        keys.update(f"{noun} {identity.removesuffix('[]')}" for noun in nouns)
    for key in change.added:
        noun, identity = key.split(" ", 1)
        if noun in PARTS and not key.startswith("column order "):
            keys.update(f"{relation} {without_last_name(identity)}" for relation in RELATIONS)
    return sorted(key for key in keys if key in catalog)
