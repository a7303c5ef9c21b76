# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Paths that the rehearsal changed on the copy, brought into the ledger so that the disk can be checked in time.

An obstacle on disk is found before production is changed, not after its COMMIT.
"""

from __future__ import annotations

from ..ledger.upgrade import upgrade
from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..rows.copying import copy_rows
from ..shapes import Cursor
from .changes import has_path_changes

__all__ = ["REHEARSAL", "bring_rehearsed", "forget_rehearsed"]

# Name of the run under which the rehearsal writes on the copy.
REHEARSAL = "rehearsal"


def bring_rehearsed(copy: Cursor, production: Cursor, run_id: str) -> dict[str, int]:
    """Copy the changes of a rehearsal into the ledger, in place of those of an earlier one.

    Args:
        copy: of the copy, on which the migrations were applied as run REHEARSAL.
        production: of a transaction of the database with the ledger.
        run_id: name of the run.

    Returns:
        migration -> number of paths.
    """
    forget_rehearsed(production)
    if not has_path_changes(copy):
        return {}
    upgrade(production)
    copy.execute(
        "SELECT set_id, migration, path_column, changes FROM runbook.path_change_set"
        " WHERE run_id = %s AND changes > 0 ORDER BY set_id",
        (REHEARSAL,),
    )
    brought = {}
    for set_id, migration, path_column, changes in copy.fetchall():
        production.execute(
            "INSERT INTO runbook.path_change_set (run_id, migration, direction, path_column, changes)"
            " VALUES (%s, %s, 'rehearsed', %s, %s) RETURNING set_id",
            (run_id, migration, path_column, changes),
        )
        copy_rows(
            copy,
            sql.SQL(
                "COPY (SELECT {}, file, old_path, new_path FROM runbook.path_change WHERE set_id = {}) TO STDOUT"
            ).format(sql.Literal(one_row(production)[0]), sql.Literal(set_id)),
            production,
            sql.SQL("COPY runbook.path_change (set_id, file, old_path, new_path) FROM STDIN"),
        )
        brought[migration] = changes
    return brought


def forget_rehearsed(cursor: Cursor) -> None:
    """Drop them: the run has applied its migrations, or has ended."""
    if has_path_changes(cursor):
        cursor.execute(
            "DELETE FROM runbook.path_change c USING runbook.path_change_set s"
            " WHERE s.set_id = c.set_id AND s.direction = 'rehearsed'"
        )
        cursor.execute("DELETE FROM runbook.path_change_set WHERE direction = 'rehearsed'")
