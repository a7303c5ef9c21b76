# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of a database as a mapping, read from the system catalogs within the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..postgres.application_tables import APPLICATION_AND_RUNBOOK, RELATIONS, in_schemas
from ..postgres.connection import psycopg2
from ..postgres.session import pin_session, restore_session
from ..shapes import Cursor
from .excluded import FACT_NAMES
from .privileges import privileges_beyond_schema
from .rows import CatalogReader, Column, Row
from .rules import RULES, Rule

__all__ = [
    "Assembled",
    "Catalog",
    "assembled",
    "carried_by_dump",
    "dead_column_slots",
    "digest",
    "of_dumped_tables",
    "pinned",
    "read_catalog",
    "without_extensions",
]

Catalog = dict[str, dict[str, Any]]  # key -> facts


def read_catalog(cursor: Cursor) -> Catalog:
    """Read the application's schema in the current database, the transaction's own uncommitted DDL included.

    Writes nothing. Takes ACCESS SHARE locks on relations whose expressions it deparses, as pg_dump does, and
    keeps them until the end of the transaction.

    Args:
        cursor: a psycopg2 cursor; its transaction is used. In autocommit mode a BEGIN must have been sent.

    Returns:
        facts by key ("table public.files", "column public.files.id", …), JSON-able, without OIDs.

    Raises:
        ValueError: in autocommit mode outside a transaction.
        psycopg2.Error: when a catalog cannot be read.
    """
    with pinned(cursor) as own:
        reader = CatalogReader(own)
        reader.read_all()
        return assembled(own, reader).catalog


class Assembled(NamedTuple):
    """What was read, under the names of objects.

    Attributes:
        catalog: facts by key.
        keys: of each object that is no part of another one, by catalog and OID, with those of its parts.
    """

    catalog: Catalog
    keys: Mapping[tuple[str, int], set[str]]


@contextmanager
def pinned(cursor: Cursor) -> Iterator[Cursor]:
    """A cursor of the same transaction, under settings in which PostgreSQL writes definitions always alike.

    Raises:
        ValueError: in autocommit mode outside a transaction.
    """
    connection = cursor.connection
    if (
        connection.autocommit
        and connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    ):
        raise ValueError("read_catalog needs a transaction: in autocommit mode send BEGIN first")
    with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
        previous = pin_session(own, local=True)
        yield own
        restore_session(own, previous, local=True)


def assembled(cursor: Cursor, reader: CatalogReader, *, whole: bool = True) -> Assembled:
    """The catalog of what a reader has read.

    Args:
        cursor: see pinned().
        reader: has read.
        whole: whether it has read everything, so that privileges beyond the schema belong to it.
    """
    assembly = _Assembly(cursor, reader)
    assembly.add_all(whole)
    if whole:
        assembly.entries.update(privileges_beyond_schema(cursor, reader))
    return Assembled({key: assembly.entries[key] for key in sorted(assembly.entries)}, assembly.keys)


def digest(catalog: Mapping[str, Any]) -> str:
    """SHA-256 of the catalog's canonical JSON, in hex."""
    text = json.dumps(catalog, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def dead_column_slots(cursor: Cursor) -> dict[str, int]:
    """Slots of dropped columns by table; a table can have 1600 slots in all (manual, "Limits")."""
    with cursor.connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
        own.execute(
            "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), count(*)"
            f" FROM {RELATIONS} JOIN pg_attribute a ON a.attrelid = c.oid"
            f" WHERE a.attisdropped AND {in_schemas(APPLICATION_AND_RUNBOOK)} GROUP BY 1 ORDER BY 1"
        )
        return dict(own.fetchall())


def of_dumped_tables(catalog: Catalog) -> Catalog:
    """A whole catalog without what people have added to tables that belong to an extension.

    Such a table is not in the catalog, and nothing of it in a dump: neither its indexes nor that it owns a sequence.
    """
    return {
        key: {
            fact: value for fact, value in facts.items() if fact != "owned by" or f"column {value}" in catalog
        }
        for key, facts in catalog.items()
        if not key.startswith("index ")
        or any(f"{noun} {facts['table']}" in catalog for noun in ("table", "materialized view"))
    }


def without_extensions(catalog: Catalog, names: Iterable[str]) -> Catalog:
    """A catalog without extensions that a copy does without.

    Args:
        names: quoted where they have to be.
    """
    left_out = {f"extension {name}" for name in names}
    return {key: facts for key, facts in catalog.items() if key not in left_out}


def carried_by_dump(catalog: Catalog) -> Catalog:
    """The part of a catalog that a database restored from a pg_dump archive must have as well.

    The database's own properties and settings belong to CREATE DATABASE; an invalid index is not dumped
    (manual, pg_dump, "Notes"), unless it is of a partitioned table and waits for the indexes of its partitions.
    """
    return {
        key: {fact: value for fact, value in facts.items() if not _is_not_dumped(key, fact, facts)}
        for key, facts in catalog.items()
        if key not in _IN_EVERY_DATABASE
        and not key.startswith("database settings")
        and not (key.startswith("index ") and facts.get("valid") is False and facts.get("kind") != "I")
    }


def _is_not_dumped(key: str, fact: str, facts: Mapping[str, Any]) -> bool:
    noun = key.split(" ", 1)[0]
    # PostgreSQL makes a partition's copy of its parent's trigger by itself; what was said of the copy is lost.
    return (noun, fact) in _NOT_DUMPED or (noun == "trigger" and fact == "comment" and "tgparentid" in facts)


# What a new database has by itself, and no dump changes: pg_dump passes over what initdb has made, and the extension
# that somebody has dropped and made again is there already (CREATE EXTENSION IF NOT EXISTS).
_IN_EVERY_DATABASE = (
    "database",
    "extension plpgsql",
    *(f"privileges of language {name}" for name in ("c", "internal", "sql")),
)

# A dump does not say it and a restore does not need it.
_NOT_DUMPED = {
    ("constraint", "disabled triggers"),
    ("extension", "version"),
    ("extension", "owner"),  # is whoever restores; no command gives it to another role
    ("subscription", "subenabled"),  # is restored disabled, without connecting
    ("subscription", "subtwophasestate"),
}


class _Assembly:
    """Turns rows with OIDs into entries with names."""

    def __init__(self, cursor: Cursor, reader: CatalogReader) -> None:
        self._cursor = cursor
        self._reader = reader
        self._entries: dict[tuple[str, int], dict[str, Any]] = {}
        self._columns: dict[tuple[int, int], dict[str, Any]] = {}
        self.entries: Catalog = {}
        self.keys: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self._roots: dict[tuple[str, int], tuple[str, int]] = {}
        self._identities = self._identify()
        self._column_names = self._name_columns()

    def add_all(self, whole: bool) -> None:
        """Fill ``entries`` and ``keys``."""
        for row in self._reader.rows:
            self._add(row)
        self._add_column_orders()
        self._add_comments_and_labels(whole)

    def _identify(self) -> dict[tuple[str, int], tuple[str, str]]:
        wanted = set()
        for row in self._reader.rows:
            if row.oid is not None:
                wanted.add((row.catalog, row.oid))
            if row.parent:
                wanted.add(row.parent)
            for fact, value in row.values.items():
                column = row.columns.get(fact)
                if column is not None and column.refers_to and value:
                    oids = value if isinstance(value, list) else [value]
                    wanted.update((column.refers_to, oid) for oid in oids if oid)
        self._cursor.execute(
            "SELECT w.catalog, w.oid::bigint, i.type, i.identity"
            " FROM unnest(%s::text[], %s::oid[]) AS w(catalog, oid)"
            " JOIN pg_class c ON c.relname = w.catalog AND c.relnamespace = 'pg_catalog'::regnamespace,"
            " LATERAL pg_identify_object(c.oid, w.oid, 0) AS i",
            ([catalog for catalog, _ in wanted], [oid for _, oid in wanted]),
        )
        return {(catalog, oid): (kind, name) for catalog, oid, kind, name in self._cursor.fetchall()}

    def _name_columns(self) -> dict[tuple[int, int], str]:
        names: dict[tuple[int, int], str] = {}
        missing: set[tuple[int, int]] = set()
        for row in self._reader.rows:
            if row.catalog == "pg_attribute":
                table, number, name = row.as_column()
                names[table, number] = name
        for row in self._reader.rows:
            for column in row.columns.values():
                if column.numbers_of and row.values.get(column.name):
                    table = self._table_of(row, column.numbers_of)
                    missing.update((table, n) for n in row.values[column.name] if n)
        missing -= set(names)
        if missing:
            self._cursor.execute(
                "SELECT a.attrelid::bigint, a.attnum, quote_ident(a.attname) FROM pg_attribute a"
                " JOIN unnest(%s::oid[], %s::int[]) AS w(relation, number)"
                " ON w.relation = a.attrelid AND w.number = a.attnum",
                ([table for table, _ in missing], [number for _, number in missing]),
            )
            names.update({(table, number): name for table, number, name in self._cursor.fetchall()})
        return names

    @staticmethod
    def _table_of(row: Row, column: str) -> int:
        value = row.values.get(column)
        return value if value is not None else row.references.get(column, 0)

    def _name(self, catalog: str, oid: int) -> str:
        return self._identities.get((catalog, oid), ("", "an object that is gone"))[1]

    def _add(self, row: Row) -> None:
        rule = RULES.get(row.catalog, Rule())
        facts = self._facts(row, rule)
        if row.scope_only:
            return
        if rule.merged and row.parent:
            entry = self._entries.get(row.parent)
            if entry is not None:
                entry.update(facts)
            return
        key = self._key(row, rule, facts)
        entry = self.entries.setdefault(key, {})
        entry.update(facts)
        self.keys[self._root_of(row)].add(key)
        if row.catalog == "pg_attribute":
            self._columns[row.as_column()[:2]] = entry
        elif row.oid is not None:
            self._entries[row.catalog, row.oid] = entry

    def _root_of(self, row: Row) -> tuple[str, int]:
        """The object that the row is part of, or which it is."""
        root = row.parent or (row.catalog, row.oid or 0)
        while root in self._roots:
            root = self._roots[root]
        if row.parent and row.oid:
            self._roots[row.catalog, row.oid] = root
        return root

    def _key(self, row: Row, rule: Rule, facts: Mapping[str, Any]) -> str:
        if rule.name and row.parent:
            return f"{row.noun} {self._name(*row.parent)}.{row.name}"
        if row.catalog == "pg_database":
            return "database"
        if row.oid is not None:
            kind, identity = self._identities[row.catalog, row.oid]
            return f"{row.noun or kind} {identity}"
        if row.noun:
            return row.noun
        return f"{row.catalog} {json.dumps(facts, sort_keys=True)}"

    def _facts(self, row: Row, rule: Rule) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for name, value in row.values.items():
            column = row.columns.get(name)
            if name in rule.options:
                for option in value or ():
                    option_name, _, setting = option.partition("=")
                    facts[f"option {option_name}"] = setting
                continue
            if column is not None and value is not None:
                value = self._named(row, rule, column, value)
            if value is None or (value == "" and column is not None and column.type == '"char"'):
                continue
            if name == "privileges" and not value and row.catalog == "pg_attribute":
                continue
            if name in rule.unordered or name == "privileges":
                value = sorted(value)
            facts[_fact_name(name)] = value
        return facts

    def _named(self, row: Row, rule: Rule, column: Column, value: Any) -> Any:
        if column.refers_to:
            if isinstance(value, list):
                empty = "public" if column.refers_to == "pg_authid" else "none"
                return [self._name(column.refers_to, oid) if oid else empty for oid in value]
            return self._name(column.refers_to, value) if value else None
        if column.numbers_of:
            table = self._table_of(row, column.numbers_of)
            return [self._column_names.get((table, n), f"#{n}") if n else "an expression" for n in value]
        return value

    def _add_column_orders(self) -> None:
        orders: dict[int, list[tuple[int, str]]] = {
            row.oid: []
            for row in self._reader.rows
            if row.catalog == "pg_class" and row.oid and row.values["relkind"] not in ("i", "I", "S")
        }
        for row in self._reader.rows:
            if row.catalog == "pg_attribute":
                table, number, name = row.as_column()
                orders[table].append((number, name))
        for table, columns in orders.items():
            key = f"column order {self._name('pg_class', table)}"
            self.entries[key] = {"columns": [name for _, name in sorted(columns)]}
            self.keys["pg_class", table].add(key)

    def _add_comments_and_labels(self, whole: bool) -> None:
        wanted = (
            "objoid >= 16384 OR classoid = 'pg_namespace'::regclass"
            if whole
            else "objoid = ANY (%(oids)s::oid[])"
        )
        self._cursor.execute(
            "SELECT classoid::regclass::text, objoid::bigint, objsubid, 'comment', description"
            f" FROM pg_description WHERE {wanted}"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, 0, 'comment', description"
            " FROM pg_shdescription"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, objsubid,"
            " 'security label ' || provider, label FROM pg_seclabel"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, 0,"
            " 'security label ' || provider, label FROM pg_shseclabel",
            {"oids": [oid for oids in self._reader.scope.values() for oid in oids]},
        )
        for catalog, oid, number, fact, text in self._cursor.fetchall():
            entry = self._columns.get((oid, number)) if number else self._entries.get((catalog, oid))
            if entry is not None:
                entry[fact] = text


def _fact_name(name: str) -> str:
    if name in FACT_NAMES:
        return FACT_NAMES[name]
    return "owner" if name.endswith("owner") or name == "datdba" else name
