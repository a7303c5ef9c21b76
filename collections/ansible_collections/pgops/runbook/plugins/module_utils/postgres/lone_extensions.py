# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Extensions on which nothing of the application depends, as those for monitoring: a copy can do without them.

Only a superuser makes an extension that is not trusted (manual, CREATE EXTENSION); where somebody else runs the server,
the role has none, and the service may let it make some all the same, which no catalog says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..shapes import Connection, Cursor
from .connection import psycopg2, sql, transaction

__all__ = ["LoneExtension", "make_those_allowed", "read_lone_extensions", "those_missing"]


class LoneExtension(NamedTuple):
    """
    Attributes:
        key: its name, quoted where that has to be.
        name: as the catalog has it.
        schema: where its objects are.
    """

    key: str
    name: str
    schema: str


# What depends on a member, or on the extension, and is neither a member nor an inner part of one (the rule and the row
# type of a view, the operators of a family), is the application's; and so is what was granted on members, and rows of
# them that a dump has.
LONE = """
    WITH RECURSIVE part (extension, class, object) AS (
        SELECT d.refobjid, d.classid, d.objid FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
        UNION SELECT p.extension, d.classid, d.objid FROM part p
        JOIN pg_catalog.pg_depend d ON d.refclassid = p.class AND d.refobjid = p.object
        WHERE d.deptype = 'i' OR d.classid IN ('pg_catalog.pg_amop'::regclass, 'pg_catalog.pg_amproc'::regclass)),
    used (extension) AS (
        SELECT p.extension FROM part p
        JOIN pg_catalog.pg_depend d ON d.refclassid = p.class AND d.refobjid = p.object
        WHERE NOT EXISTS (SELECT FROM part o WHERE o.extension = p.extension
                          AND o.class = d.classid AND o.object = d.objid)
        UNION SELECT d.refobjid FROM pg_catalog.pg_depend d
        WHERE d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype <> 'e'
        UNION SELECT p.extension FROM part p
        LEFT JOIN pg_catalog.pg_class c ON p.class = 'pg_catalog.pg_class'::regclass AND c.oid = p.object
        LEFT JOIN pg_catalog.pg_proc f ON p.class = 'pg_catalog.pg_proc'::regclass AND f.oid = p.object
        LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = p.class AND i.objoid = p.object AND i.objsubid = 0
        WHERE coalesce(c.relacl, f.proacl) IS DISTINCT FROM i.initprivs)
    SELECT pg_catalog.quote_ident(x.extname), x.extname::text, n.nspname::text FROM pg_catalog.pg_extension x
    JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
    WHERE x.extname <> 'plpgsql' AND x.extconfig IS NULL AND x.oid NOT IN (SELECT extension FROM used) ORDER BY 2"""


def read_lone_extensions(cursor: Cursor) -> list[LoneExtension]:
    """Those of the current database."""
    cursor.execute(LONE)
    return [LoneExtension(*row) for row in cursor.fetchall()]


def make_those_allowed(connection: Connection, wanted: Sequence[Sequence[str]]) -> list[str]:
    """Make extensions, where the role may; returns the names of those that it may not.

    Args:
        connection: to a database that has their schemas, outside of a transaction.
        wanted: see LoneExtension; lists, as JSON has them.
    """
    refused = []
    for _, name, schema in wanted:
        statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA {} CASCADE")
        try:
            with transaction(connection) as cursor:
                cursor.execute(statement.format(sql.Identifier(name), sql.Identifier(schema)))
        except psycopg2.errors.InsufficientPrivilege:
            refused.append(name)
    return refused


def those_missing(cursor: Cursor, wanted: Sequence[Sequence[str]]) -> list[LoneExtension]:
    """Those of a restored database that the role could not make."""
    cursor.execute("SELECT extname::text FROM pg_catalog.pg_extension")
    there = {name for (name,) in cursor.fetchall()}
    return [LoneExtension(*one) for one in wanted if one[1] not in there]
