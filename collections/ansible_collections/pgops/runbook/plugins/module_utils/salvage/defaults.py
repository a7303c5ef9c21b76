# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values that users may have written, or the migration has: nothing in the row says who put them there.

A uuid that was generated and one that was chosen look alike, and so do a default and a value that is the same. While
the migration stays the same it makes a default again. Where it is edited in between, and has another one, what users
wrote would be changed. Rows that were written after the migration had made the default are therefore kept, and the next
deploy looks whether it is another one. A row that did not name the column has the first default then, as PostgreSQL has
it where a default is altered.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..postgres.answers import one_row
from ..postgres.columns import columns_of
from ..postgres.connection import sql
from ..shapes import Cursor
from .identity import literal_default

__all__ = ["defaults_of", "written_since"]


def defaults_of(cursor: Cursor, oid: int, names: Iterable[str]) -> dict[str, str]:
    """Literal defaults of columns, without NULL: name -> record of the value, as ``key.fields`` writes it."""
    wanted = set(names)
    found = {one.name: literal_default(one) for one in columns_of(cursor, oid) if one.name in wanted}
    values = {name: value for name, value in found.items() if value is not None}
    if not values:
        return {}
    cursor.execute(
        sql.SQL("SELECT {}").format(
            sql.SQL(", ").join(sql.SQL("ROW({})::text").format(one) for one in values.values())
        )
    )
    return {name: text for name, text in zip(values, one_row(cursor)) if text != "()"}


def written_since(oid: int, names: Iterable[str]) -> sql.Composed:
    """SQL condition on a row of a table: it was written after the table had got these columns.

    A row has the number of the transaction that wrote it (manual, "System Columns", xmin), and so have the entries of
    a column and of its default; the older one of both counts, for either may have been altered since.
    """
    # Asked of the catalog once, not for each row.
    return sql.SQL(
        "coalesce(pg_catalog.age(xmin) < (SELECT max(greatest(pg_catalog.age(a.xmin), pg_catalog.age(d.xmin)))"
        " FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d"
        " ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)"
        " WHERE a.attrelid = {} AND a.attname = ANY ({}::text[])), false)"
    ).format(sql.Literal(oid), sql.Literal(list(names)))
