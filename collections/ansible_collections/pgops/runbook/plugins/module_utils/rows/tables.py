# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tables that two databases have in common, and what only one of them has: the ground on which rows compare."""

from __future__ import annotations

from dataclasses import dataclass

from ..postgres.application_tables import APPLICATION, LEDGER, RELATIONS, TABLES, of_application
from ..postgres.connection import sql
from ..shapes import Cursor

__all__ = [
    "CommonTable",
    "Relation",
    "in_common",
    "only_in",
    "read_relations",
]

# A partitioned table counts as one table with the rows of its partitions: a partition that was made since the backup
# holds rows of a table that the backup has. Types without their length (format_type with -1): a value that is too
# long must be refused on assignment, and an explicit cast would cut it off.
COLUMNS_AND_KEYS = f"""
    SELECT n.nspname::text, c.relname::text, c.relkind = 'p',
           array(SELECT i.attname::text FROM pg_catalog.pg_index x,
                      unnest(x.indkey::int2[]) WITH ORDINALITY k(number, at)
                 JOIN pg_catalog.pg_attribute i ON i.attnum = k.number
                 WHERE x.indrelid = c.oid AND x.indisprimary AND i.attrelid = c.oid AND k.at <= x.indnkeyatts
                 ORDER BY k.at),
           coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(a.attname,
                        pg_catalog.format_type(a.atttypid, -1), a.attgenerated <> '', a.attidentity = 'a')
                        ORDER BY a.attnum)
                     FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]')
    FROM {RELATIONS} WHERE """


@dataclass(frozen=True)
class Relation:
    """A table of one database; ``columns`` is name -> (type, generated, identity that is always generated)."""

    schema: str
    name: str
    partitioned: bool
    key: tuple[str, ...]
    columns: dict[str, tuple[str, bool, bool]]

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    def source(self) -> sql.Composable:
        """SQL of what to read from: the children of an inherited table are tables of their own."""
        identifier = sql.Identifier(self.schema, self.name)
        return identifier if self.partitioned else sql.SQL("ONLY {}").format(identifier)


@dataclass(frozen=True)
class CommonTable:
    """A table that both databases have.

    Attributes:
        live, new: the table in each.
        columns: those whose values are compared and carried: in both, and not computed by the new one.
        key: primary key, the same in both; empty where rows are told apart by all of their values.
        missing: columns that only the live one has.
    """

    live: Relation
    new: Relation
    columns: tuple[str, ...]
    key: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def label(self) -> str:
        return self.new.label

    @property
    def name(self) -> tuple[str, str]:
        return self.new.schema, self.new.name

    def type_of(self, column: str) -> str:
        return self.new.columns[column][0]

    def name_key(self, key: str) -> str | None:
        """A key for a person, with the names of its columns; None where all values of the row would be the key."""
        return f"({', '.join(sorted(self.key))}) = {key}" if self.key else None

    def settable(self) -> list[str]:
        """Columns that an UPDATE of a row with the same key sets.

        An identity that is always generated cannot be set; where nothing else is left, PostgreSQL says so.
        """
        values = [name for name in self.columns if name not in self.key]
        return [name for name in values if not self.new.columns[name][2]] or values


def read_relations(cursor: Cursor, ledger: bool = False) -> dict[tuple[str, str], Relation]:
    """The application's tables, or with ``ledger`` those of the ledger; those of extensions are left out."""
    whose = LEDGER if ledger else APPLICATION
    cursor.execute(f"{COLUMNS_AND_KEYS}{of_application(TABLES, whose, partitions=False)} ORDER BY 1, 2")
    return {
        (schema, name): Relation(
            schema, name, partitioned, tuple(key), {column: tuple(facts) for column, *facts in columns}
        )
        for schema, name, partitioned, key, columns in cursor.fetchall()
    }


def in_common(live: dict, new: dict) -> list[CommonTable]:
    """The tables that both have, and at least one column of them."""
    tables = []
    for name in sorted(live.keys() & new.keys()):
        there, here = live[name], new[name]
        columns = tuple(
            column
            for column, (_, generated, _) in here.columns.items()
            if column in there.columns and not generated
        )
        if columns:
            key = here.key if here.key == there.key and set(here.key) <= set(columns) else ()
            missing = tuple(column for column in there.columns if column not in here.columns)
            tables.append(CommonTable(there, here, columns, key, missing))
    return tables


def only_in(one: dict, other: dict) -> list[Relation]:
    """Tables of ``one`` that ``other`` does not have."""
    return [one[name] for name in sorted(one.keys() - other.keys())]
