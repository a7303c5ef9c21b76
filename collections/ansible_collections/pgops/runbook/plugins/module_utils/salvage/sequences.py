# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Positions of sequences: a number that was given out must not be given out again."""

from __future__ import annotations

from ..postgres.application_tables import INCLUDED, RELATIONS, SEQUENCES, of_application
from ..postgres.connection import sql
from .store.items import SEQUENCE
from .store.rows import keep_line

__all__ = ["advance_sequence", "advance_sequences_of", "keep_positions", "sequence_positions"]

WITH_INCREMENT = f"""
    SELECT n.nspname::text, c.relname::text, s.seqincrement
    FROM {RELATIONS} JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {of_application(SEQUENCES, members=INCLUDED)}
      -- The one of the record of versions moves with every migration.
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                      AND d.objid = c.oid AND d.refobjid = to_regclass(%s))"""


def sequence_positions(cursor, version_table):
    """Next value and increment of every sequence of the application.

    Args:
        cursor: of a transaction.
        version_table: quoted name of the record of versions, whose own sequence is left out.

    Returns:
        dict (schema, name) -> (next value, increment).
    """
    cursor.execute(WITH_INCREMENT, (version_table,))
    found = {}
    for schema, name, increment in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT last_value + CASE WHEN is_called THEN {} ELSE 0 END FROM {}").format(
                sql.Literal(increment), sql.Identifier(schema, name)
            )
        )
        found[(schema, name)] = (cursor.fetchone()[0], increment)
    return found


def keep_positions(store, run_id, version, before, now):
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
        items.append(store.finish_item(item))
    return items


def advance_sequence(cursor, name, next_value):
    """Let a sequence go on at ``next_value`` if it has not come so far, up or down; returns whether there is one.

    By ALTER SEQUENCE, which a ROLLBACK undoes, unlike setval() (manual, "Sequence Manipulation Functions").
    """
    cursor.execute(
        "SELECT s.seqmin, s.seqmax, s.seqincrement FROM pg_catalog.pg_sequence s"
        " JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
        tuple(name),
    )
    row = cursor.fetchone()
    if row is None:
        return False
    lowest, highest, increment = row
    cursor.execute(
        sql.SQL("SELECT last_value + CASE WHEN is_called THEN {} ELSE 0 END FROM {}").format(
            sql.Literal(increment), sql.Identifier(*name)
        )
    )
    wanted = max(min(int(next_value), highest), lowest)
    if (wanted - cursor.fetchone()[0]) * increment > 0:
        cursor.execute(
            sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sql.Identifier(*name), sql.Literal(wanted))
        )
    return True


def advance_sequences_of(cursor, table):
    """Let each sequence that feeds a column of the table go on beyond all values of the column.

    Args:
        cursor: of a transaction.
        table: Table (salvage_table).
    """
    cursor.execute(
        "SELECT a.attname::text, n.nspname::text, c.relname::text, s.seqincrement FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'"
        " JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid"
        # A text may be owned by a sequence too, and has no highest number.
        " WHERE a.atttypid IN (20, 21, 23, 1700) AND d.refobjid = %s AND d.deptype IN ('a', 'i')"
        " AND d.classid = 'pg_catalog.pg_class'::regclass",
        (table.oid,),
    )
    for column, schema, sequence, increment in cursor.fetchall():
        cursor.execute(
            sql.SQL("SELECT {}({}) FROM {}").format(
                sql.SQL("max" if increment > 0 else "min"),
                sql.Identifier(column),
                sql.Identifier(*table.name),
            )
        )
        farthest = cursor.fetchone()[0]
        if farthest is not None:
            advance_sequence(cursor, (schema, sequence), int(farthest) + (1 if increment > 0 else -1))
