# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sequences of rows that came into a table: a number that was given out is not given out again."""

from __future__ import annotations

from ..postgres.answers import one_row
from ..postgres.application_tables import APPLICATION_AND_RUNBOOK, RELATIONS, in_schemas
from ..postgres.connection import sql
from ..postgres.sequences import following_value
from ..postgres.tables import Table
from ..shapes import Cursor

__all__ = ["advance_sequence", "advance_sequences_of", "carry_sequences"]

POSITIONED = f"""
    SELECT n.nspname::text, c.relname::text, s.seqincrement, s.seqmin, s.seqmax
    FROM {RELATIONS} JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
    WHERE {in_schemas(APPLICATION_AND_RUNBOOK)} AND c.relpersistence <> 't'"""


def carry_sequences(live: Cursor, new: Cursor) -> dict[str, int]:
    """Move sequences on to where the live ones are, never back: no number is given out twice.

    Returns:
        name -> last value, of those that were moved.
    """
    live.execute(POSITIONED)
    there = {(schema, name) for schema, name, *_ in live.fetchall()}
    new.execute(POSITIONED)
    moved = {}
    for schema, name, increment, lowest, highest in new.fetchall():
        if (schema, name) not in there:
            continue
        state = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        live.execute(state)
        last, called = one_row(live)
        new.execute(state)
        restored, restored_called = one_row(new)
        ahead = 1 if increment > 0 else -1
        further = (last * ahead, called) > (restored * ahead, restored_called)
        if further and lowest <= last <= highest:
            new.execute(
                "SELECT pg_catalog.setval(pg_catalog.format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
                (schema, name, last, called),
            )
            moved[f"{schema}.{name}"] = last
    return moved


def advance_sequence(cursor: Cursor, name: tuple[str, str], next_value: int) -> bool:
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
    cursor.execute(sql.SQL("SELECT {} FROM {}").format(following_value(increment), sql.Identifier(*name)))
    wanted = max(min(int(next_value), highest), lowest)
    if (wanted - int(one_row(cursor)[0])) * increment > 0:
        cursor.execute(
            sql.SQL("ALTER SEQUENCE {} RESTART WITH {}").format(sql.Identifier(*name), sql.Literal(wanted))
        )
    return True


def advance_sequences_of(cursor: Cursor, table: Table) -> None:
    """Let each sequence that feeds a column of the table go on beyond all values of the column.

    Args:
        cursor: of a transaction.
        table: whose rows are in place.
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
        farthest = one_row(cursor)[0]
        if farthest is not None:
            advance_sequence(cursor, (schema, sequence), int(farthest) + (1 if increment > 0 else -1))
