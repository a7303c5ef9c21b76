# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kept rows of which now is base to the letter: nobody has touched them since the rollback, and theirs goes back.

These are nearly all of them, and nothing has to be weighed. They are written from the salvage straight into their
table, in one statement that looks again at all that is said here; the others, and all where that fails, are read and
decided one by one. Only columns are written that no key, foreign key or unique value is made of: so no other row has to
give way for them, and none of the others is concerned.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...content.row_digest import row_text
from ...postgres.answers import one_row
from ...postgres.bisect import NotTaken, savepoint
from ...postgres.connection import sql
from ...postgres.triggers import triggers_and_rules_off
from ..key import record
from ..store.returning import columns_that_count, put_back_undisturbed
from .waiting import WaitingRows

__all__ = ["write_undisturbed"]

# At least one in so many of a table's rows must be kept: all are looked at, and once more for those that are left.
ONE_IN = 4


def write_undisturbed(rows: WaitingRows) -> None:
    """Write those of an item's rows that nobody has touched, and take them out of the salvage.

    Args:
        rows: with their work table, into which nothing has been read.
    """
    if not _may_be_told(rows):
        return
    entangled = _entangled(rows)
    settable = [name for name in rows.present if name not in entangled]
    counting = columns_that_count(rows.cursor, rows.item, settable)
    if not counting or not _are_many(rows, sum(counting.values())):
        return
    # In what users wrote rows may differ in which they do not differ by themselves.
    rows.telling()
    try:
        with savepoint(rows.cursor), triggers_and_rules_off(rows.cursor, rows.table.oid):
            _write(rows, settable, list(counting))
    except NotTaken:
        return  # which row it is about is found out when they are read


def _may_be_told(rows: WaitingRows) -> bool:
    """Whether the key alone says which row is which: a number of the migration's own does not, nor does a reference.

    Where the table has lost a column none of its rows is written as base is, which has a field more.
    """
    key = set(rows.key.columns)
    references = {name for one in rows.table.foreign_keys for name in one.columns}
    return (
        rows.has_key
        and rows.key.unique
        and rows.base_known
        and rows.key.columns != rows.assigned
        and not key & references
        and any(set(columns) <= key for columns in rows.table.unique_columns)
    )


def _are_many(rows: WaitingRows, kept: int) -> bool:
    rows.cursor.execute(
        sql.SQL("SELECT count(*) <= {} FROM (SELECT FROM {} LIMIT {}) AS seen").format(
            sql.Literal(kept * ONE_IN), rows.table.identifier(), sql.Literal(kept * ONE_IN + 1)
        )
    )
    return one_row(rows.cursor)[0]


def _entangled(rows: WaitingRows) -> set[str]:
    """Columns in which a row depends on others, or others on it, and such as no UPDATE may set."""
    found = {*rows.key.columns, *rows.numbers, *rows.table.always_identity}
    found.update(name for one in rows.table.foreign_keys for name in one.columns)
    return found.union(*rows.table.unique_columns)


def _write(rows: WaitingRows, settable: Sequence[str], counting: Collection[Sequence[str]]) -> None:
    names = sorted({name for columns in counting for name in columns})
    shape = sql.Identifier("pg_temp", f"runbook_undisturbed_{rows.item['item']}")
    rows.run(
        "CREATE TEMPORARY TABLE {undisturbed} AS SELECT {parts} FROM {target} WITH NO DATA",
        undisturbed=shape,
        parts=_parts(rows, names),
        target=rows.table.identifier(),
    )
    read, assignments = [], []
    for number, name in enumerate(names):
        column, alias = sql.Identifier(name), sql.Identifier(f"value {number}")
        read.append(sql.SQL("(k.theirs).{} AS {}").format(column, alias))
        value = sql.SQL("k.{}").format(alias)
        if not all(name in columns for columns in counting):
            value = sql.SQL('CASE WHEN {} = ANY (k."kept columns") THEN {} ELSE t.{} END').format(
                sql.Literal(name), value, column
            )
        assignments.append(sql.SQL("{} = {}").format(column, value))
    put_back_undisturbed(
        rows.cursor,
        rows.item,
        {
            "target": rows.table.identifier(),
            "shape": shape,
            "settable": sql.Literal(list(settable)),
            "read": sql.SQL(", ").join(read),
            "assignments": sql.SQL(", ").join(assignments),
            "key": row_text(rows.key.columns, alias="t"),
            "line": record(rows.present, alias="t"),
        },
        # So that none of those that are looked for by what is in them takes such a row for its own.
        claims=rows.work if rows.numbered else None,
    )
    rows.run("DROP TABLE {undisturbed}", undisturbed=shape)


def _parts(rows: WaitingRows, names: Collection[str]) -> sql.Composable:
    """SQL: the columns of the record; those that are not written are not read into their types."""
    return sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            sql.Identifier(name) if name in names else sql.SQL("NULL::text"), sql.Identifier(name)
        )
        for name in rows.columns
    )
