# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Types of columns, with what they are made of."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import known
from ..postgres.connection import psycopg2, sql
from ..shapes import Cursor
from .scalars import FIXED, NUMBERS, TIMES

__all__ = ["TEXTS", "VECTORS", "DataType", "TypeReader"]

#: Types whose values are words.
TEXTS = ("text", "varchar", "bpchar", "name", "citext", "refcursor")
BITS = ("bit", "varbit")
#: Of pgvector; their length is that of the column.
VECTORS = ("vector", "halfvec")
KNOWN = frozenset((*FIXED, *NUMBERS, *TIMES, *TEXTS, *BITS, *VECTORS))

# What a type that nobody here knows may read: of those of extensions most take one of them.
ANY_TYPE = (
    "1",
    "a",
    "1.5",
    "(1,1)",
    "{}",
    "[1,2]",
    "2024-01-01",
    "a=>1",
    "10.0.0.1",
    "978-0-393-04002-9",
    "",
)

# int2vector and oidvector are arrays by name, and are written like nothing else (manual, "System Catalogs").
TYPE = """
    SELECT t.typname::text, CASE
             WHEN t.typtype = 'd' THEN 'domain' WHEN t.typtype = 'e' THEN 'enum' WHEN t.typtype = 'c' THEN 'composite'
             WHEN t.typtype = 'r' THEN 'range' WHEN t.typtype = 'm' THEN 'multirange'
             WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typelem <> 0
                  AND t.typname NOT IN ('int2vector', 'oidvector') THEN 'array'
             ELSE 'base' END,
           t.typtypmod, t.typnotnull,
           CASE t.typtype WHEN 'd' THEN t.typbasetype
                WHEN 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
                WHEN 'm' THEN (SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)
                ELSE t.typelem END::bigint,
           ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
           ARRAY(SELECT pg_catalog.pg_get_expr(c.conbin, 0) FROM pg_catalog.pg_constraint c
                 WHERE c.contypid = t.oid AND c.contype = 'c' ORDER BY c.conname),
           (SELECT d.typdelim::text FROM pg_catalog.pg_type d WHERE d.oid = t.typelem),
           pg_catalog.format_type(t.oid, NULL)
    FROM pg_catalog.pg_type t WHERE t.oid = %s"""

ATTRIBUTES = """
    SELECT a.attname::text, a.atttypid::bigint, a.atttypmod FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.typrelid = a.attrelid
    WHERE t.oid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@dataclass(frozen=True)
class DataType:
    """A type.

    Attributes:
        name: without its schema.
        kind: "base", "domain", "enum", "composite", "range", "multirange" or "array".
        typmod: of a domain, that of the type below it; else -1.
        not_null: whether it is a domain that takes no NULL.
        inner: the type below a domain, of the items of an array, of the bounds of a range, the range of a multirange.
        labels: of an enum.
        checks: conditions of a domain.
        attributes: of a composite: (name, type, typmod).
        delimiter: between the items of an array.
        samples: of a type that nobody here knows, what it reads.
    """

    name: str
    kind: str = "base"
    typmod: int = -1
    not_null: bool = False
    inner: DataType | None = None
    labels: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    attributes: tuple[tuple[str, DataType, int], ...] = ()
    delimiter: str = ","
    samples: tuple[str, ...] = ()

    def without_domains(self) -> DataType:
        """What a domain is made of; any other type itself."""
        if self.kind == "domain" and self.inner is not None:
            return self.inner.without_domains()
        return self

    def takes_no_null(self) -> bool:
        """Whether it is a domain that takes no NULL, or one above such a domain."""
        return self.not_null or (
            self.kind == "domain" and self.inner is not None and self.inner.takes_no_null()
        )


class TypeReader:
    """Reads types, each once.

    Args:
        cursor: of a transaction with pinned settings.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._known: dict[int, DataType] = {}

    def read(self, oid: int) -> DataType:
        """The type with this OID."""
        if oid not in self._known:
            self._known[oid] = self._read(oid)
        return self._known[oid]

    def _read(self, oid: int) -> DataType:
        self.cursor.execute(TYPE, (oid,))
        row = known(self.cursor.fetchone(), "a type")
        name, kind, typmod, not_null, inner, labels, checks, delimiter, written = row
        nested = kind not in ("base", "enum", "composite")
        return DataType(
            name,
            kind,
            typmod,
            not_null,
            self.read(inner) if nested and inner else None,
            tuple(labels),
            tuple(checks),
            self._attributes(oid) if kind == "composite" else (),
            delimiter or ",",
            self._samples(written) if kind == "base" and name not in KNOWN else (),
        )

    def _samples(self, written: str) -> tuple[str, ...]:
        """What a type reads, found out by trying.

        Args:
            written: its name as PostgreSQL writes it, with schema and quotes where they are needed.
        """
        return tuple(text for text in ANY_TYPE if self._reads(written, text))

    def _reads(self, written: str, text: str) -> bool:
        self.cursor.execute("SAVEPOINT runbook_type")
        try:
            self.cursor.execute(sql.SQL("SELECT CAST({} AS {})").format(sql.Literal(text), sql.SQL(written)))
        except psycopg2.Error:
            if self.cursor.connection.closed:
                raise
            self.cursor.execute("ROLLBACK TO SAVEPOINT runbook_type")
            return False
        self.cursor.execute("RELEASE SAVEPOINT runbook_type")
        return True

    def _attributes(self, oid: int) -> tuple[tuple[str, DataType, int], ...]:
        self.cursor.execute(ATTRIBUTES, (oid,))
        return tuple((name, self.read(of), typmod) for name, of, typmod in self.cursor.fetchall())
