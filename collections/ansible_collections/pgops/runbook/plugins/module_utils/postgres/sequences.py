# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where sequences stand: whether the next value is one that their column has already, and putting them back.

A rolled back transaction leaves sequences where they are (manual, "Sequence Manipulation Functions"): a setval() in
a script that failed stays in effect.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..shapes import Cursor, TableName
from .answers import one_row
from .application_tables import in_schemas
from .connection import sql

__all__ = ["collisions", "following_value", "new_collisions", "positions", "put_back"]

# A sequence depends on its column automatically (serial) or internally (identity): manual, "pg_depend".
# One that cycles comes back to used values on purpose.
OWNED = f"""
    SELECT sn.nspname, s.relname, tn.nspname, t.relname, a.attname, q.seqincrement
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = d.objid
    JOIN pg_catalog.pg_class s ON s.oid = d.objid
    JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
    JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
    JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 AND NOT q.seqcycle
      AND {in_schemas(name="sn.nspname")}
      AND a.atttypid = ANY ('{{int2,int4,int8}}'::regtype[])
      AND (NOT %s OR EXISTS (SELECT FROM pg_catalog.pg_index i
                             WHERE i.indrelid = t.oid AND i.indkey[0] = a.attnum AND i.indpred IS NULL))
    ORDER BY 1, 2"""

POSITIONS = f"""
    SELECT schemaname, sequencename, last_value, increment_by FROM pg_catalog.pg_sequences
    WHERE last_value IS NOT NULL AND NOT cycle AND {in_schemas(name="schemaname")}"""


def following_value(increment: int) -> sql.Composable:
    """SQL expression, of a sequence's row: what it would give next, a numeric, as it may be beyond all bigints."""
    return sql.SQL("last_value + CASE WHEN is_called THEN {}::numeric ELSE 0 END").format(
        sql.Literal(increment)
    )


def positions(cursor: Cursor) -> dict[TableName, int]:
    """dict (schema, sequence) -> the last value that it gave, of sequences that were used."""
    cursor.execute(POSITIONS)
    return {(schema, name): last for schema, name, last, _ in cursor.fetchall()}


def put_back(cursor: Cursor, before: Mapping[TableName, int]) -> list[str]:
    """Set sequences forward again that stand before where they stood; those that others used stay.

    Args:
        before: result of ``positions``.

    Returns:
        list of their names.
    """
    cursor.execute(
        "SELECT schemaname, sequencename, last_value, increment_by FROM pg_catalog.pg_sequences WHERE NOT cycle"
    )
    moved = []
    for schema, name, last, increment in cursor.fetchall():
        stood = before.get((schema, name))
        if stood is None or (last is not None and (last >= stood if increment > 0 else last <= stood)):
            continue
        cursor.execute(
            "SELECT setval(%s::regclass, %s)", (sql.Identifier(schema, name).as_string(cursor), stood)
        )
        moved.append(f"{schema}.{name}")
    return moved


def collisions(cursor: Cursor, indexed_only: bool = False) -> dict[str, str]:
    """The sequences whose next value is not beyond what is in their column.

    Args:
        cursor: of a transaction that may read the tables.
        indexed_only: look only at columns that an index begins with, where the answer costs no reading of the
            table.

    Returns:
        dict sequence -> one sentence without its full stop.
    """
    cursor.execute(OWNED, (indexed_only,))
    sentences = {}
    for sequence_schema, sequence, table_schema, table, column, increment in cursor.fetchall():
        extreme = sql.SQL("max" if increment > 0 else "min")
        cursor.execute(
            sql.SQL("SELECT {next}, (SELECT {extreme}({column}) FROM {table}) FROM {sequence}").format(
                next=following_value(increment),
                extreme=extreme,
                column=sql.Identifier(column),
                table=sql.Identifier(table_schema, table),
                sequence=sql.Identifier(sequence_schema, sequence),
            )
        )
        following, used = one_row(cursor)
        if used is not None and (following <= used if increment > 0 else following >= used):
            name = f"{sequence_schema}.{sequence}"
            sentences[name] = (
                f"sequence {name} would give {following} next, and {table_schema}.{table}.{column} has values up to"
                f" {used}: an insert would collide"
            )
    return sentences


def new_collisions(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Those that were not there before; a column that people fill by hand may well be beyond its sequence.

    Args:
        before, after: results of ``collisions``.

    Returns:
        list of sentences.
    """
    return [sentence for name, sentence in sorted(after.items()) if name not in before]
