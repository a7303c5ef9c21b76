# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Positions of sequences: a number that was given out must not be given out again."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import known
from ..postgres.answers import one_row
from ..postgres.application_tables import INCLUDED, RELATIONS, SEQUENCES, among, of_application
from ..postgres.bisect import NotTaken, savepoint
from ..postgres.connection import sql
from ..postgres.sequences import following_value
from ..shapes import Cursor, Json, TableName
from .store.items import SEQUENCE, SalvageStore
from .store.rows import keep_line

__all__ = ["Position", "keep_positions", "sequence_positions", "set_aside_positions"]

WITH_INCREMENT = f"""
    SELECT n.nspname::text, c.relname::text, s.seqincrement
    FROM {RELATIONS} JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {of_application(SEQUENCES, members=INCLUDED)}
      -- The one of the record of versions moves with every migration.
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                      AND d.objid = c.oid AND {among("%s", "d.refobjid")})"""


#: Next value and increment.
Position = tuple[int, int]


def sequence_positions(cursor: Cursor, version_tables: list[str]) -> dict[TableName, Position]:
    """Next value and increment of every sequence of the application.

    Args:
        cursor: of a transaction.
        version_tables: quoted names of the record of versions, whose own sequences are left out.

    Returns:
        dict (schema, name) -> (next value, increment).
    """
    cursor.execute(WITH_INCREMENT, (version_tables,))
    positions = {}
    for schema, name, increment in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT {} FROM {}").format(following_value(increment), sql.Identifier(schema, name))
        )
        positions[(schema, name)] = (int(one_row(cursor)[0]), increment)
    return positions


def set_aside_positions(cursor: Cursor) -> None:
    """Let what is taken from sequences from here on be given back when the savepoint is undone.

    Numbers that were taken are not given back by ROLLBACK; but RESTART gives a sequence a new file, and with it goes
    what was taken since (manual, "ALTER SEQUENCE", Notes).

    Args:
        cursor: in a savepoint.
    """
    for name, (value, _) in sequence_positions(cursor, []).items():
        try:
            with savepoint(cursor):
                cursor.execute(
                    sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(
                        sql.Identifier(*name), sql.Literal(value)
                    )
                )
        except NotTaken:
            continue  # it is another role's, or has no value left: then numbers are lost, and nothing else


def keep_positions(
    store: SalvageStore,
    run_id: str,
    version: str,
    before: Mapping[TableName, Position],
    now: Mapping[TableName, Position],
) -> list[Json]:
    """Enter an item for each sequence that was set back, or that is gone.

    Args:
        store: SalvageStore.
        run_id: name of the run.
        version: the migration.
        before, now: as sequence_positions() gives them.

    Returns:
        list of dict: see SalvageStore.finish_item.
    """
    items = []
    for name, (position, increment) in sorted(before.items()):
        if name in now and (now[name][0] - position) * increment >= 0:
            continue
        store.create()
        item = store.begin_item(run_id, version, SEQUENCE, name, facts={"next_value": position})
        keep_line(store.cursor, item, "", str(position))
        items.append(known(store.finish_item(item), "an item that has its line"))
    return items
