# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of a database as a mapping, read from the system catalogs within the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..postgres.application_tables import APPLICATION_AND_RUNBOOK, RELATIONS, in_schemas
from ..postgres.connection import psycopg2
from ..postgres.session import pin_session, restore_session
from ..shapes import Cursor
from .excluded import FACT_NAMES
from .privileges import privileges_beyond_schema
from .rows import CatalogReader, Column, Row
from .rules import RULES, Rule

__all__ = ["Catalog", "carried_by_dump", "dead_column_slots", "digest", "read_catalog"]

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
    connection = cursor.connection
    if (
        connection.autocommit
        and connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    ):
        raise ValueError("read_catalog needs a transaction: in autocommit mode send BEGIN first")
    with connection.cursor(cursor_factory=psycopg2.extensions.cursor) as own:
        previous = pin_session(own, local=True)
        reader = CatalogReader(own)
        reader.read_all()
        catalog = _Assembly(own, reader).catalog()
        restore_session(own, previous, local=True)
    return catalog


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


def carried_by_dump(catalog: Catalog) -> Catalog:
    """The part of a catalog that a database restored from a pg_dump archive must have as well.

    The database's own properties and settings belong to CREATE DATABASE; an invalid index is not dumped
    (manual, pg_dump, "Notes").
    """
    return {
        key: {fact: value for fact, value in facts.items() if not _is_not_dumped(key, fact, facts)}
        for key, facts in catalog.items()
        if key != "database"
        and not key.startswith("database settings")
        and not (key.startswith("index ") and facts.get("valid") is False)
    }


def _is_not_dumped(key: str, fact: str, facts: Mapping[str, Any]) -> bool:
    noun = key.split(" ", 1)[0]
    # PostgreSQL makes a partition's copy of its parent's trigger by itself; what was said of the copy is lost.
    return (noun, fact) in _NOT_DUMPED or (noun == "trigger" and fact == "comment" and "tgparentid" in facts)


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
        self._catalog: Catalog = {}
        self._identities = self._identify()
        self._column_names = self._name_columns()

    def catalog(self) -> Catalog:
        for row in self._reader.rows:
            self._add(row)
        self._add_column_orders()
        self._add_comments_and_labels()
        self._catalog.update(privileges_beyond_schema(self._cursor, self._reader))
        return {key: self._catalog[key] for key in sorted(self._catalog)}

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
        entry = self._catalog.setdefault(key, {})
        entry.update(facts)
        if row.catalog == "pg_attribute":
            self._columns[row.as_column()[:2]] = entry
        elif row.oid is not None:
            self._entries[row.catalog, row.oid] = entry

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
        orders: dict[str, list[tuple[int, str]]] = {
            self._name("pg_class", row.oid): []
            for row in self._reader.rows
            if row.catalog == "pg_class" and row.oid and row.values["relkind"] not in ("i", "I", "S")
        }
        for row in self._reader.rows:
            if row.catalog == "pg_attribute":
                table, number, name = row.as_column()
                orders[self._name("pg_class", table)].append((number, name))
        for relation, columns in orders.items():
            self._catalog[f"column order {relation}"] = {"columns": [name for _, name in sorted(columns)]}

    def _add_comments_and_labels(self) -> None:
        self._cursor.execute(
            "SELECT classoid::regclass::text, objoid::bigint, objsubid, 'comment', description"
            " FROM pg_description WHERE objoid >= 16384 OR classoid = 'pg_namespace'::regclass"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, 0, 'comment', description"
            " FROM pg_shdescription"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, objsubid,"
            " 'security label ' || provider, label FROM pg_seclabel"
            " UNION ALL SELECT classoid::regclass::text, objoid::bigint, 0,"
            " 'security label ' || provider, label FROM pg_shseclabel"
        )
        for catalog, oid, number, fact, text in self._cursor.fetchall():
            entry = self._columns.get((oid, number)) if number else self._entries.get((catalog, oid))
            if entry is not None:
                entry[fact] = text


def _fact_name(name: str) -> str:
    if name in FACT_NAMES:
        return FACT_NAMES[name]
    return "owner" if name.endswith("owner") or name == "datdba" else name
