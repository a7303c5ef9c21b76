# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Partitioned tables whose rows a restore puts into other partitions than they were in: BY HASH of an enum, say.

PostgreSQL hashes an enum's label, and what regclass and its like stand for, by a number (OID) that another database
does not have. Such a table is loaded by its root (manual, pg_dump, --load-via-partition-root), and in which partition a
row is says nothing: it is compared as one table.
"""

from __future__ import annotations

from ..shapes import Cursor
from .application_tables import NAME, RELATIONS, SAVED, of_application

__all__ = ["read_routed", "routed_names"]

# Types that hold an OID, or contain one that does: as element, as field, as bound or below a domain. Of an expression
# the operator class says no more than that it is an array, a row or a range, which may.
ROUTED = f"""
    WITH RECURSIVE key (relation, type, class) AS (
        SELECT p.partrelid, a.atttypid, p.partclass[k.at - 1]
        FROM pg_catalog.pg_partitioned_table p
        CROSS JOIN unnest(p.partattrs::int2[]) WITH ORDINALITY AS k (number, at)
        LEFT JOIN pg_catalog.pg_attribute a
            ON a.attrelid = p.partrelid AND a.attnum = k.number AND k.number <> 0
        WHERE p.partstrat = 'h'),
    held (relation, type) AS (
        SELECT relation, type FROM key WHERE type IS NOT NULL
        UNION
        SELECT h.relation, i.type FROM held h JOIN pg_catalog.pg_type t ON t.oid = h.type, LATERAL (
            SELECT t.typbasetype UNION ALL SELECT t.typelem
            UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
            UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f
                      WHERE f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped) AS i (type)
        WHERE i.type <> 0),
    routed (relation) AS (
        SELECT h.relation FROM held h JOIN pg_catalog.pg_type t ON t.oid = h.type
        WHERE t.typtype = 'e'
           OR (t.oid < 16384 AND pg_catalog.starts_with(t.typname::text, 'reg') AND t.typcategory = 'N')
        UNION
        SELECT k.relation FROM key k JOIN pg_catalog.pg_opclass o ON o.oid = k.class
        WHERE k.type IS NULL AND o.opcintype IN ('anyenum'::regtype, 'anyarray'::regtype, 'anyrange'::regtype,
            'anymultirange'::regtype, 'record'::regtype, 'oid'::regtype))
    SELECT c.oid::bigint, {NAME},
           ARRAY(SELECT t.relid::oid::bigint FROM pg_catalog.pg_partition_tree(c.oid) t WHERE t.relid <> c.oid)
    FROM {RELATIONS} JOIN routed ON routed.relation = c.oid
    WHERE {of_application("p", members=SAVED)}
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a JOIN routed r ON r.relation = a.relid
                      WHERE a.relid <> c.oid)
    ORDER BY 2"""


def read_routed(cursor: Cursor) -> dict[int, list[int]]:
    """OID of each such table, the topmost where one is in another -> OIDs of all that is below it."""
    cursor.execute(ROUTED)
    return {oid: below for oid, _, below in cursor.fetchall()}


def routed_names(cursor: Cursor) -> dict[str, str]:
    """``schema.partition`` of each partition of such tables -> ``schema.table``."""
    cursor.execute(ROUTED)
    partitions = {table: below for _, table, below in cursor.fetchall()}
    if not partitions:
        return {}
    cursor.execute(
        f"SELECT c.oid::bigint, {NAME} FROM {RELATIONS} WHERE c.oid = ANY (%s::oid[])",
        ([oid for below in partitions.values() for oid in below],),
    )
    names = dict(cursor.fetchall())
    return {names[oid]: table for table, below in partitions.items() for oid in below}
