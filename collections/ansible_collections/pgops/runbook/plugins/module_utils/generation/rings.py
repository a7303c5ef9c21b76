# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tables that refer to each other by columns that take no NULL: their keys are given out before their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..shapes import Cursor
from .candidates import Candidates
from .filling import NotInserted, undone_on_error
from .tables import Column, ForeignKey, Table

__all__ = ["hard_references", "plan_keys"]


def hard_references(tables: Sequence[Table]) -> list[tuple[int, ForeignKey]]:
    """(OID of the table, foreign key) of those among tables of which no column takes NULL."""
    oids = {table.oid for table in tables}
    references = []
    for table in tables:
        fixed = {column.name for column in table.columns if column.not_null or column.type.takes_no_null()}
        references += [
            (table.oid, key) for key in table.foreign_keys if key.parent in oids and set(key.columns) <= fixed
        ]
    return references


def plan_keys(
    cursor: Cursor,
    makers: Mapping[int, Candidates],
    hard: Sequence[tuple[int, ForeignKey]],
    missing: Mapping[int, int],
) -> None:
    """Give out keys for the rows of tables that others of the ring must refer to.

    Args:
        cursor: of a transaction.
        makers: OID -> what makes its rows; it gets the keys.
        hard: from hard_references().
        missing: OID -> how many rows.
    """
    for oid in {key.parent for _, key in hard}:
        maker = makers[oid]
        names = {name for _, key in hard if key.parent == oid for name in key.referred}
        made = [dict(row) for row in _keys(cursor, maker, sorted(names), missing[oid])]
        for child, key in hard:
            # A table of its own parents: each row refers to itself, which is there when the statement ends.
            if child == oid == key.parent:
                for row in made:
                    row.update({mine: row[theirs] for mine, theirs in zip(key.columns, key.referred)})
        maker.planned = made


def _keys(cursor: Cursor, maker: Candidates, names: Sequence[str], count: int) -> list[dict[str, str]]:
    numbers = {
        name: _next_values(cursor, maker.table, maker.by_name[name], count)
        for name in names
        if name in maker.by_name and maker.by_name[name].numbered()
    }
    rows = []
    for place in range(count):
        row = maker.row(place)
        rows.append({name: numbers[name][place] if name in numbers else str(row[name]) for name in names})
    return rows


def _next_values(cursor: Cursor, table: Table, column: Column, count: int) -> list[str]:
    """The next values of the sequence that numbers a column."""
    cursor.execute("SELECT pg_catalog.pg_get_serial_sequence(%s, %s)", (table.quoted, column.name))
    (sequence,) = one_row(cursor)
    # Of a sequence that nobody owns the default says the name, as PostgreSQL writes it.
    call = column.default or ""
    query = (
        sql.SQL("SELECT pg_catalog.nextval({}::pg_catalog.regclass)").format(sql.Literal(sequence))
        if sequence
        else sql.SQL("SELECT ") + sql.SQL(call)
    )
    try:
        with undone_on_error(cursor):
            cursor.execute(
                query + sql.SQL(" FROM pg_catalog.generate_series(1, {})").format(sql.Literal(count))
            )
            return [str(value) for (value,) in cursor.fetchall()]
    except NotInserted:
        return [str(place + 1) for place in range(count)]
