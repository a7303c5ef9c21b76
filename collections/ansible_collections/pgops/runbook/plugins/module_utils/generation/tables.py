# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the catalog says of the tables that are to get rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..postgres.application_tables import RELATIONS, TABLES, of_application
from ..postgres.connection import sql
from ..shapes import Cursor, TableName
from .partitions import Bound, Partition
from .types import DataType, TypeReader

__all__ = ["Column", "ForeignKey", "Rule", "Table", "read_tables"]

FIND = f"""
    SELECT c.oid::bigint, n.nspname::text, c.relname::text,
           pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relkind = 'p',
           EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
                   AND t.tgenabled <> 'D' AND t.tgtype & 4 <> 0) OR c.relhasrules
    FROM {RELATIONS} WHERE {of_application(TABLES, partitions=False, version_tables="%s")}
      AND c.relpersistence <> 't' ORDER BY 2, 3"""

COLUMNS = """
    SELECT a.attrelid::bigint, a.attname::text, a.atttypid::bigint, a.atttypmod, a.attnotnull,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> ''
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY (%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum"""

# Those of the keys of a foreign key's partitions follow the one of their table.
CONSTRAINTS = """
    SELECT f.conrelid::bigint, f.conname::text, f.contype::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.place),
           pg_catalog.pg_get_expr(f.conbin, f.conrelid), f.confrelid::bigint,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.place),
           n.nspname::text, p.relname::text
    FROM pg_catalog.pg_constraint f
    LEFT JOIN pg_catalog.pg_class p ON p.oid = f.confrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
    WHERE f.conrelid = ANY (%s::pg_catalog.oid[]) AND f.contype IN ('c', 'f', 'p', 'u', 'x')
      AND (f.contype <> 'f' OR f.conparentid = 0) ORDER BY 1, 2"""

# Of one with expressions or a condition, all columns that these name.
UNIQUE = """
    SELECT i.indrelid::bigint, c.relname::text,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0
                   AND (a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1])
                        OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                                   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                                     AND d.refclassid = d.classid AND d.refobjid = i.indrelid
                                     AND d.refobjsubid = a.attnum))
                 ORDER BY a.attnum)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    WHERE i.indisunique AND i.indrelid = ANY (%s::pg_catalog.oid[]) ORDER BY 1, 2"""

# Each leaf with the bounds on the way to it, the topmost first.
PARTITIONS = """
    SELECT top.oid::bigint, leaf.relid::pg_catalog.oid::bigint,
           ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(p.partattrs::pg_catalog.int2[])
                        WITH ORDINALITY AS k (number, place)
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.number
                 ORDER BY k.place),
           pg_catalog.pg_get_expr(c.relpartbound, c.oid)
    FROM pg_catalog.pg_class top, pg_catalog.pg_partition_tree(top.oid::pg_catalog.regclass) AS leaf,
         pg_catalog.pg_partition_ancestors(leaf.relid) WITH ORDINALITY AS way (relid, height)
    JOIN pg_catalog.pg_class c ON c.oid = way.relid
    JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
    JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = i.inhparent
    WHERE top.oid = ANY (%s::pg_catalog.oid[]) AND leaf.isleaf AND c.relispartition
    ORDER BY 1, 2, way.height DESC"""


@dataclass(frozen=True)
class Column:
    """A column that may be given a value.

    Attributes:
        typmod: -1 for none.
        default: its expression, or None.
        identity: whether its numbers come from a sequence by identity.
    """

    name: str
    type: DataType
    typmod: int
    not_null: bool
    default: str | None
    identity: bool

    def numbered(self) -> bool:
        """Whether a sequence gives its values."""
        return self.identity or "nextval(" in (self.default or "")


@dataclass(frozen=True)
class Rule:
    """A check, or what must be unique; ``text`` is the condition of a check, else empty."""

    name: str
    columns: tuple[str, ...]
    text: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """Columns and what they refer to; ``parent`` is the OID of that table."""

    name: str
    columns: tuple[str, ...]
    parent: int
    parent_name: TableName
    referred: tuple[str, ...]


@dataclass
class Table:
    """A table, or the topmost one of partitions.

    Attributes:
        name: (schema, name); ``quoted`` is how SQL writes it.
        fires: whether an INSERT calls triggers or rules of the application.
        columns: without those that are generated.
        checks, unique, others: its constraints and unique indexes; others are exclusion constraints.
        partitions: where it is partitioned, its leaves.
    """

    oid: int
    name: TableName
    quoted: str
    partitioned: bool
    fires: bool
    columns: list[Column] = field(default_factory=list)
    checks: list[Rule] = field(default_factory=list)
    unique: list[Rule] = field(default_factory=list)
    others: list[Rule] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    partitions: list[Partition] = field(default_factory=list)

    def source(self) -> sql.Composable:
        """SQL of what to read its rows from: the children of an inherited table are tables of their own."""
        return sql.SQL("{}" if self.partitioned else "ONLY {}").format(sql.Identifier(*self.name))

    def shape(self) -> frozenset[tuple[str, str]]:
        """By which one sees whether it has other columns than it had."""
        return frozenset((column.name, column.type.name) for column in self.columns)


def read_tables(cursor: Cursor, left_out: Sequence[str]) -> list[Table]:
    """The application's tables.

    Args:
        cursor: of a transaction with pinned settings.
        left_out: quoted names of the tables that record versions.
    """
    cursor.execute(FIND, (list(left_out),))
    tables = {row[0]: Table(row[0], (row[1], row[2]), row[3], row[4], row[5]) for row in cursor.fetchall()}
    oids = list(tables)
    _read_columns(cursor, tables, oids)
    _read_constraints(cursor, tables, oids)
    cursor.execute(UNIQUE, (oids,))
    for oid, name, columns in cursor.fetchall():
        tables[oid].unique.append(Rule(name, tuple(columns)))
    partitioned = [oid for oid in oids if tables[oid].partitioned]
    for oid, partitions in _partitions(cursor, partitioned).items():
        tables[oid].partitions = partitions
    return list(tables.values())


def _read_columns(cursor: Cursor, tables: dict[int, Table], oids: Iterable[int]) -> None:
    cursor.execute(COLUMNS, (list(oids),))
    types = TypeReader(cursor)
    for oid, name, of, typmod, not_null, default, identity, generated in cursor.fetchall():
        if not generated:
            tables[oid].columns.append(Column(name, types.read(of), typmod, not_null, default, identity))


def _read_constraints(cursor: Cursor, tables: dict[int, Table], oids: Iterable[int]) -> None:
    cursor.execute(CONSTRAINTS, (list(oids),))
    for oid, name, kind, columns, text, parent, referred, schema, relation in cursor.fetchall():
        table = tables[oid]
        if kind == "f":
            key = ForeignKey(name, tuple(columns), parent, (schema, relation), tuple(referred))
            table.foreign_keys.append(key)
        elif kind == "c":
            table.checks.append(Rule(name, tuple(columns), text))
        elif kind == "x":
            table.others.append(Rule(name, tuple(columns)))


def _partitions(cursor: Cursor, oids: list[int]) -> dict[int, list[Partition]]:
    cursor.execute(PARTITIONS, (oids,))
    bounds: dict[int, dict[int, list[Bound]]] = defaultdict(lambda: defaultdict(list))
    for top, leaf, columns, bound in cursor.fetchall():
        # An expression has no column: what it needs is left to chance.
        named = tuple(columns) if None not in columns else ()
        bounds[top][leaf].append(Bound(named, bound))
    return {top: list(leaves.values()) for top, leaves in bounds.items()}
