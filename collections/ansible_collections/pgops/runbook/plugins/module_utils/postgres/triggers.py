# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing rows as they are: what triggers and rules of the application made of them is in them already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..shapes import Cursor
from .application_tables import APPLICATION_AND_RUNBOOK, RELATIONS, TABLES, of_application
from .connection import sql

__all__ = ["ENABLE", "triggers_and_rules_off"]

TRIGGERS = f"""
    SELECT n.nspname, c.relname, t.tgname, t.tgenabled::text
    FROM {RELATIONS} JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND c.relkind IN ('r', 'p')"""

RULES = f"""
    SELECT n.nspname, c.relname, r.rulename, r.ev_enabled::text
    FROM {RELATIONS} JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid
    WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D' AND c.relkind IN ('r', 'p')"""

OF_ALL_TABLES = f" AND {of_application(TABLES, APPLICATION_AND_RUNBOOK)} ORDER BY 1, 2, 3"

OF_ONE_TABLE = (
    " AND (c.oid = %(table)s OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(%(table)s)))"
    " ORDER BY 1, 2, 3"
)

ENABLE = {"O": "ENABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@contextmanager
def triggers_and_rules_off(cursor: Cursor, table: int | None = None) -> Iterator[None]:
    """Inside, none of them acts; each gets back the state that it had. An error leaves that to the ROLLBACK.

    The triggers of foreign keys stay on. (session_replication_role would switch those off too, and needs a superuser.)

    Args:
        cursor: of a transaction.
        table: OID of the one table, with its partitions, that is written to; default is all of the
            application's, which the runbook's own are beside when a database is restored.
    """
    which = OF_ALL_TABLES if table is None else OF_ONE_TABLE
    switched_off = []
    for what, query in (("TRIGGER", TRIGGERS), ("RULE", RULES)):
        cursor.execute(query + which, {"table": table})
        switched_off += [(what, *row) for row in cursor.fetchall()]
    for what, schema, relation, name, _ in switched_off:
        _alter(cursor, "DISABLE", what, (schema, relation), name)
    yield
    # A table with checks that wait for COMMIT cannot be altered.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for what, schema, relation, name, enabled in switched_off:
        _alter(cursor, ENABLE[enabled], what, (schema, relation), name)


def _alter(cursor: Cursor, action: str, what: str, relation: tuple[str, str], name: str) -> None:
    # Rules know no ONLY, and partitions have triggers of their own in the list.
    only = "ONLY " if what == "TRIGGER" else ""
    cursor.execute(
        sql.SQL("ALTER TABLE {}{} {} {} {}").format(
            sql.SQL(only), sql.Identifier(*relation), sql.SQL(action), sql.SQL(what), sql.Identifier(name)
        )
    )
