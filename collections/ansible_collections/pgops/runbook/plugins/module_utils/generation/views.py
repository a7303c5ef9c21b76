# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Materialized views over tables that got rows: made anew, or whoever makes one again would find other rows in it."""

from __future__ import annotations

from ..postgres.application_tables import RELATIONS, of_application
from ..postgres.connection import sql, transaction
from ..postgres.script_session import on_role_path
from ..shapes import Connection
from .filling import NotInserted, undone_on_error

__all__ = ["refresh_views"]

# One may read another that was made before it.
VIEWS = f"""
    SELECT n.nspname::text, c.relname::text FROM {RELATIONS}
    WHERE {of_application("m")} AND c.relispopulated ORDER BY c.oid"""


def refresh_views(connection: Connection) -> None:
    """Refresh all that are populated; one that fails stays as it is.

    Args:
        connection: to the copy.
    """
    with transaction(connection) as cursor:
        cursor.execute(VIEWS)
        for name in cursor.fetchall():
            try:
                with undone_on_error(cursor), on_role_path(cursor):
                    cursor.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(*name)))
            except NotInserted:
                continue
