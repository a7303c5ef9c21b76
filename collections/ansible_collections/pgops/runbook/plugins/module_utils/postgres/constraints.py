# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Constraints and constraint triggers that may wait until COMMIT."""

from __future__ import annotations

from ..shapes import Cursor
from .connection import sql

__all__ = ["constraints_as_declared", "fire_deferred"]

# A name with which another constraint of its schema is declared deferred stays so: SET CONSTRAINTS takes all of a name.
DECLARED_IMMEDIATE = """
    SELECT n.nspname, c.conname FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
    WHERE c.condeferrable AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    GROUP BY 1, 2 HAVING NOT bool_or(c.condeferred) ORDER BY 1, 2"""


def fire_deferred(cursor: Cursor) -> None:
    """Check and do what has waited for COMMIT; for the rest of the transaction nothing waits any more.

    Raises:
        psycopg2.Error: of a constraint that does not hold, or from a trigger.
    """
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def constraints_as_declared(cursor: Cursor) -> None:
    """Let constraints wait or not as they are declared, whatever was set in this transaction before.

    No command of PostgreSQL does so. One that is made later in the transaction, deferrable and initially immediate,
    waits too.
    """
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    cursor.execute(DECLARED_IMMEDIATE)
    immediate = [sql.Identifier(*name) for name in cursor.fetchall()]
    if immediate:
        cursor.execute(sql.SQL("SET CONSTRAINTS {} IMMEDIATE").format(sql.SQL(", ").join(immediate)))
