# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""SQL on values of types that the application has made: no cast, operator or function of anybody's is called by it.

Whoever may create in a schema can make an enum, a composite, a range, or a domain, and with it casts that run code of
theirs. A cast belongs to its type and to no schema: no search_path keeps it from being found (manual, "CREATE CAST"),
neither by ``value::text`` nor by ``=`` where it is implicit. What a type's own output and input functions do is
PostgreSQL's; and so is what a record's do, which call those of its fields and look for no cast.
"""

from __future__ import annotations

from .connection import sql

__all__ = ["MADE_BY_APPLICATION", "equal", "text_of"]

#: SQL condition on the OID ``{type}`` of a type. Domains are what they are made of. Types of a kind of their own ('b')
#: and casts of them are made by superusers, or by extensions; arrays are of that kind, and belong to the owner of what
#: they hold. Lower OIDs are PostgreSQL's own (manual, "OID Assignment"), and not looked at any further.
MADE_BY_APPLICATION = """
    {type} >= 16384 AND EXISTS (WITH RECURSIVE made_of (type) AS (
                SELECT {type} UNION ALL
                SELECT d.typbasetype FROM made_of JOIN pg_catalog.pg_type d ON d.oid = made_of.type
                WHERE d.typtype = 'd')
            SELECT FROM made_of JOIN pg_catalog.pg_type m ON m.oid = made_of.type
            WHERE m.typtype <> 'd' AND (m.typtype <> 'b' OR m.typcategory = 'A')
              AND m.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)"""


def text_of(value: sql.Composable, own_type: bool) -> sql.Composable:
    """SQL: a value as text, NULL of NULL.

    Args:
        own_type: whether its type is one that the application has made. What reads it back: rows/staged_types.py.
    """
    if not own_type:
        return sql.SQL("{}::text").format(value)
    # A composite whose fields are all NULL is no NULL, though IS NULL says so.
    return sql.SQL("CASE WHEN {0} IS DISTINCT FROM NULL THEN pg_catalog.concat({0}) END").format(value)


def equal(first: sql.Composable, second: sql.Composable, own_type: bool) -> sql.Composable:
    """SQL condition: two values are equal, of such a type: are written alike; not true where one is NULL."""
    if not own_type:
        return sql.SQL("{} = {}").format(first, second)
    # As records, whose text a join can hash and sort by.
    return sql.SQL("{} = {}").format(*(_line(value) for value in (first, second)))


def _line(value: sql.Composable) -> sql.Composable:
    return sql.SQL("nullif(ROW({})::text, '()')").format(value)
