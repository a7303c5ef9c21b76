# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A table that salvage goes back into: its columns and foreign keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from ..errors import known
from ..shapes import Cursor, TableName
from .application_tables import RELATIONS
from .columns import columns_of
from .connection import sql
from .keys import unique_keys
from .references import foreign_keys
from .values import MADE_BY_APPLICATION

__all__ = ["ForeignKey", "Table", "keys_to", "nulls_allowed", "numbers_settable", "table_facts"]


class ForeignKey(NamedTuple):
    """Columns of a table and those of the parent that they refer to; names, in the same order.

    Attributes:
        own_type: whether one of either has a type that the application has made: see values.py.
        by_cast: whether the columns then have different types, between which a cast of the application's may stand:
            nobody but PostgreSQL says what refers to what.
    """

    columns: list[str]
    parent: TableName
    referred: list[str]
    own_type: bool = False
    by_cast: bool = False


class Table(NamedTuple):
    """Facts of one table.

    Attributes:
        oid: its OID.
        name: (schema, name).
        partitioned: whether it is the parent of partitions.
        columns: names of those that can be written.
        always_identity: of these GENERATED ALWAYS AS IDENTITY, which no UPDATE may set: see numbers_settable.
        foreign_keys: list of ForeignKey.
        unique_columns: columns of each unique index that no condition and no expression weakens.
    """

    oid: int
    name: TableName
    partitioned: bool
    columns: list[str]
    always_identity: list[str]
    foreign_keys: list[ForeignKey]
    unique_columns: list[list[str]]

    def only(self) -> sql.SQL:
        """SQL: ONLY, unless the rows are in partitions."""
        return sql.SQL("") if self.partitioned else sql.SQL("ONLY ")

    def identifier(self) -> sql.Composed:
        return sql.SQL("{}{}").format(self.only(), sql.Identifier(*self.name))


def table_facts(cursor: Cursor, name: Sequence[str]) -> Table | None:
    """The table of that (schema, name), or None."""
    schema, relation = name
    cursor.execute(
        f"SELECT c.oid::bigint, c.relkind = 'p' FROM {RELATIONS}"
        " WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p')",
        (schema, relation),
    )
    row = cursor.fetchone()
    if row is None:
        return None
    oid, partitioned = row
    columns = columns_of(cursor, oid)
    cursor.execute(
        "SELECT ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k (number, position)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.position),"
        " n.nspname::text, c.relname::text,"
        " ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k (number, position)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.position),"
        " EXISTS (SELECT FROM (SELECT f.conrelid, unnest(f.conkey) UNION ALL SELECT f.confrelid, unnest(f.confkey))"
        " AS k (relation, number)"
        " JOIN pg_catalog.pg_attribute a ON a.attrelid = k.relation AND a.attnum = k.number"
        f" WHERE {MADE_BY_APPLICATION.format(type='a.atttypid')}),"
        " EXISTS (SELECT FROM ROWS FROM (unnest(f.conkey), unnest(f.confkey)) AS k (mine, theirs)"
        " JOIN pg_catalog.pg_attribute m ON m.attrelid = f.conrelid AND m.attnum = k.mine"
        " JOIN pg_catalog.pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = k.theirs"
        " WHERE m.atttypid <> t.atttypid)"
        " FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.confrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE f.conrelid = %s AND f.contype = 'f' AND f.conparentid = 0 ORDER BY f.oid",
        (oid,),
    )
    keys = [
        ForeignKey(mine, (of, parent), theirs, own_type, own_type and differing)
        for mine, of, parent, theirs, own_type, differing in cursor.fetchall()
    ]
    unique = [key.columns for key in unique_keys(cursor, oid)]
    return Table(
        oid,
        (schema, relation),
        partitioned,
        [column.name for column in columns if not column.generated],
        [column.name for column in columns if column.identity == "a"],
        keys,
        unique,
    )


def keys_to(cursor: Cursor, parent: TableName) -> list[tuple[TableName, ForeignKey]]:
    """Each foreign key that refers to a table, with the table that has it; of partitions the one they are part of."""
    children = dict.fromkeys(one.child for one in foreign_keys(cursor) if one.parent == parent)
    return [
        (child, key)
        for child in children
        for key in known(table_facts(cursor, child), "a table with a foreign key").foreign_keys
        if key.parent == parent
    ]


@contextmanager
def nulls_allowed(cursor: Cursor, table: Table, columns: Iterable[str]) -> Iterator[None]:
    """Inside, these columns take NULL; at the end those that did not before do not again.

    Args:
        cursor: of a transaction.
        table: Table.
        columns: names, none of the primary key.
    """
    not_null = [
        (column.name, _not_null_constraint(cursor, table, column.name))
        for column in columns_of(cursor, table.oid)
        if column.not_null and column.name in columns
    ]
    alter = sql.SQL("ALTER TABLE {} ").format(sql.Identifier(*table.name))
    for name, _ in not_null:
        cursor.execute(alter + sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(sql.Identifier(name)))
    yield
    for name, constraint in not_null:
        cursor.execute(
            alter
            + (
                sql.SQL("ALTER COLUMN {} SET NOT NULL").format(sql.Identifier(name))
                if constraint is None
                else sql.SQL("ADD CONSTRAINT {} NOT NULL {}").format(
                    sql.Identifier(constraint), sql.Identifier(name)
                )
            )
        )


@contextmanager
def numbers_settable(cursor: Cursor, table: Table, columns: Iterable[str]) -> Iterator[None]:
    """Inside, UPDATE may set these columns though they are GENERATED ALWAYS AS IDENTITY (manual, "ALTER TABLE").

    Args:
        cursor: of a transaction.
        table: Table.
        columns: names; others than such columns are left alone.
    """
    names = [name for name in table.always_identity if name in set(columns)]
    alter = sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET GENERATED {}")
    for name in names:
        cursor.execute(alter.format(sql.Identifier(*table.name), sql.Identifier(name), sql.SQL("BY DEFAULT")))
    yield
    for name in names:
        cursor.execute(alter.format(sql.Identifier(*table.name), sql.Identifier(name), sql.SQL("ALWAYS")))


def _not_null_constraint(cursor: Cursor, table: Table, column: str) -> str | None:
    """Its name: NOT NULL is a constraint with a name since PostgreSQL 18; before, None."""
    cursor.execute(
        "SELECT f.conname::text FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_attribute a"
        " ON a.attrelid = f.conrelid AND f.conkey = ARRAY[a.attnum]"
        " WHERE f.conrelid = %s AND f.contype = 'n' AND a.attname = %s",
        (table.oid, column),
    )
    row = cursor.fetchone()
    return row[0] if row else None
