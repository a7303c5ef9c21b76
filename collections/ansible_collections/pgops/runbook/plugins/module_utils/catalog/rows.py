# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the rows of any system catalog, led by what PostgreSQL tells about its catalogs."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import known
from ..postgres.application_tables import in_schemas
from ..shapes import Cursor
from .excluded import CATALOGS_LEFT_OUT, COLUMNS_LEFT_OUT
from .rules import RULES, Rule

__all__ = ["FIRST_USER_OID", "CatalogReader", "Column", "Row"]

FIRST_USER_OID = 16384  # FirstNormalObjectId, PostgreSQL manual, "System Catalogs": initdb's are below


@dataclass(frozen=True)
class Column:
    """A column of a system catalog: its type and, where it holds OIDs or column numbers, of what."""

    name: str
    type: str
    refers_to: str | None = None
    numbers_of: str | None = None  # the column with the table's OID, when this one holds column numbers


@dataclass
class Row:
    """A row of a catalog that is schema. `values` holds references still as OIDs."""

    catalog: str
    oid: int | None
    parent: tuple[str, int] | None
    noun: str | None
    name: str | None
    scope_only: bool
    values: dict[str, Any]
    number: int | None = None
    references: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)

    def as_column(self) -> tuple[int, int, str]:
        """OID of the table, number and name, of a row of pg_attribute."""
        parent = known(self.parent, "the table of a column")
        return (
            parent[1],
            known(self.number, "the number of a column"),
            known(self.name, "the name of a column"),
        )


class CatalogReader:
    """Reads the user's rows of every catalog in the transaction of the cursor.

    The session must be pinned (see session.py). Rows of PostgreSQL's and the runbook's own schemas, of
    extensions and of initdb are not read; neither are parts of objects that are not read.
    """

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.columns = _readable_columns(cursor)
        self.scope: dict[str, list[int]] = {}
        self.rows: list[Row] = []
        self.members: dict[str, list[int]] = {}
        self._without_columns: list[int] = []
        self._only: Mapping[str, Collection[int]] | None = None
        self._read_members()
        self._empty = self._without_rows()
        self.namespaces_left_out = _namespaces_left_out(cursor)

    def of(self, cursor: Cursor, objects: Mapping[str, Collection[int]]) -> CatalogReader:
        """A reader of some objects and their parts alone, which knows all the rest from this one.

        Args:
            cursor: of the same transaction.
            objects: catalog -> OIDs, of catalogs whose rows are no parts.
        """
        reader = copy.copy(self)
        reader._cursor = cursor
        reader.scope, reader.rows, reader._without_columns = {}, [], []
        reader._only, reader._empty = objects, set()
        # A session's first temporary table makes a schema.
        reader.namespaces_left_out = _namespaces_left_out(cursor)
        return reader

    def read_all(self) -> None:
        """Read every catalog that is not left out; an unknown one by the default rule."""
        for catalog in [*RULES, *self.columns]:
            self._read(catalog)

    def _without_rows(self) -> set[str]:
        """Catalogs that have no row of a user: most of them in most databases, which are then asked nothing else."""
        asked = [
            catalog
            for catalog, columns in self.columns.items()
            if _has_users_rows_only(catalog, columns) and not RULES.get(catalog, Rule()).source
        ]
        self._cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{catalog}' WHERE EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid >= {FIRST_USER_OID})"
                for catalog in asked
            )
        )
        return set(asked) - {catalog for (catalog,) in self._cursor.fetchall()}

    def _read_members(self) -> None:
        self._cursor.execute(
            "SELECT classid::regclass::text, array_agg(objid::bigint) FROM pg_depend WHERE deptype = 'e'"
            " AND refclassid = 'pg_extension'::regclass GROUP BY 1"
        )
        self.members = dict(self._cursor.fetchall())

    def _read(self, catalog: str) -> None:
        if catalog in self.scope or catalog not in self.columns:
            return
        rule = RULES.get(catalog, Rule())
        for _, parent in rule.parents:
            self._read(parent)
        without_parents = rule.parents and not any(self.scope[parent] for _, parent in rule.parents)
        not_asked_for = self._only is not None and not rule.parents and not self._only.get(catalog)
        if without_parents or not_asked_for or catalog in self._empty:
            self.scope[catalog] = []
            return
        columns = self.columns[catalog]
        facts = _facts(catalog, rule, columns)
        has_oid = "oid" in columns
        own_name = rule.name or _name_column(columns)
        parts = [
            "r.oid::bigint" if has_oid else "NULL::bigint",
            rule.noun or "NULL::text",
            f"quote_ident(r.{own_name})" if own_name else "NULL::text",
            rule.scope_only,
            "r.attnum" if "attnum" in columns else "NULL::int",
            *(f"r.{column}::bigint" for column, _ in rule.parents),
            *(f"({expression})" for _, expression in facts),
        ]
        query = (
            f"SELECT {', '.join(parts)} FROM {rule.source or 'pg_catalog.' + catalog} AS r"
            f" WHERE {' AND '.join(self._conditions(catalog, rule, columns))}"
        )
        self._cursor.execute(query, self._parameters(catalog))
        self.scope[catalog] = []
        first_fact = 5 + len(rule.parents)
        for record in self._cursor.fetchall():
            oid, noun, name, scope_only, number = record[:5]
            references = {column: record[5 + n] for n, (column, _) in enumerate(rule.parents)}
            parents = [(parent, references[column]) for column, parent in rule.parents if references[column]]
            values = {fact: record[first_fact + n] for n, (fact, _) in enumerate(facts)}
            if oid is not None:
                self.scope[catalog].append(oid)
            if catalog == "pg_class" and values["relkind"] in ("i", "I", "S"):
                self._without_columns.append(oid)
            self.rows.append(
                Row(
                    catalog,
                    oid,
                    parents[0] if parents else None,
                    noun,
                    name,
                    scope_only,
                    values,
                    number,
                    references,
                    columns,
                )
            )

    def _parameters(self, catalog: str) -> dict[str, Any]:
        return {
            "namespaces": self.namespaces_left_out,
            "members": self.members.get(catalog, []),
            "without_columns": self._without_columns,
            "only": list((self._only or {}).get(catalog, ())),
            **{"of_" + parent: oids for parent, oids in self.scope.items()},
        }

    def _conditions(self, catalog: str, rule: Rule, columns: Mapping[str, Column]) -> Iterable[str]:
        yield f"({rule.where})"
        if self._only is not None and not rule.parents:
            yield "r.oid = ANY (%(only)s::oid[])"
        if rule.parents:
            parts = (f"r.{column} = ANY (%(of_{parent})s::oid[])" for column, parent in rule.parents)
            yield f"({' OR '.join(parts)})"
        elif _has_users_rows_only(catalog, columns):
            yield f"r.oid >= {FIRST_USER_OID}"
        if "oid" in columns:
            yield "r.oid <> ALL (%(members)s::oid[])"
        for column in columns.values():
            if column.refers_to == "pg_namespace" and catalog != "pg_extension":
                yield f"r.{column.name} <> ALL (%(namespaces)s::oid[])"
        if catalog == "pg_namespace":
            yield "r.oid <> ALL (%(namespaces)s::oid[])"


def _namespaces_left_out(cursor: Cursor) -> list[int]:
    cursor.execute(f"SELECT n.oid::bigint FROM pg_namespace n WHERE NOT {in_schemas()}")
    return [oid for (oid,) in cursor.fetchall()]


def _has_users_rows_only(catalog: str, columns: Mapping[str, Column]) -> bool:
    """Whether only rows with OIDs of users are read: those of a part come with the object that it is part of."""
    parts = RULES.get(catalog, Rule()).parents
    return not parts and "oid" in columns and catalog not in ("pg_namespace", "pg_database")


#: Columns of all catalogs by server version, which decides on them (manual, "System Catalogs"); a step asks often.
_DESCRIBED: dict[int, Mapping[str, Mapping[str, Column]]] = {}


def _readable_columns(cursor: Cursor) -> dict[str, dict[str, Column]]:
    """The columns of each catalog that this role may read."""
    version = cursor.connection.server_version
    if version not in _DESCRIBED:
        _DESCRIBED[version] = _describe_catalogs(cursor)
    cursor.execute(
        "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND NOT has_table_privilege(c.oid, 'SELECT') AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')"
    )
    kept_back = set(cursor.fetchall())
    readable = {
        catalog: {name: column for name, column in columns.items() if (catalog, name) not in kept_back}
        for catalog, columns in _DESCRIBED[version].items()
    }
    refers = _DESCRIBED[version]["pg_user_mapping"]
    # Read from a view that everybody may read (RULES).
    readable["pg_user_mapping"].update({name: refers[name] for name in ("oid", "umuser", "umserver")})
    return {catalog: columns for catalog, columns in readable.items() if columns}


def _describe_catalogs(cursor: Cursor) -> dict[str, dict[str, Column]]:
    # pg_get_catalog_foreign_keys(): PostgreSQL manual, "System Catalog Information Functions".
    cursor.execute("SELECT fktable::text, fkcols, pktable::text FROM pg_get_catalog_foreign_keys()")
    refers: dict[tuple[str, str], str] = {}
    numbers: dict[tuple[str, str], str] = {}
    for catalog, columns, target in cursor.fetchall():
        if len(columns) == 1:
            refers[catalog, columns[0]] = target
        else:
            numbers[catalog, columns[1]] = columns[0]
    cursor.execute(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'pg_catalog'::regnamespace"
        " AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
    )
    described: dict[str, dict[str, Column]] = {}
    for catalog, name, type_name in cursor.fetchall():
        if catalog in CATALOGS_LEFT_OUT:
            continue
        rule = RULES.get(catalog, Rule())
        described.setdefault(catalog, {})[name] = Column(
            name,
            type_name,
            refers.get((catalog, name)),
            numbers.get((catalog, name)) or rule.columns_of.get(name),
        )
    return described


def _facts(catalog: str, rule: Rule, columns: Mapping[str, Column]) -> list[tuple[str, str]]:
    """Name and SQL expression of every fact to read from a row."""
    left_out = {"oid", rule.name or _name_column(columns), *(column for column, _ in rule.parents)}
    left_out |= set(COLUMNS_LEFT_OUT.get(catalog, ()))
    facts = []
    for column in columns.values():
        if column.name in left_out or (rule.acl and column.name == rule.acl[0]):
            continue
        if column.refers_to == "pg_namespace" and catalog != "pg_extension":
            continue  # in the object's identity
        expression = _plain(column)
        if expression:
            facts.append((column.name, expression))
    if rule.acl:
        facts.append(("privileges", _privileges(*rule.acl, columns)))
    facts.extend(
        (fact, expression)
        for fact, expression in rule.derived.items()
        # A column that this version does not have, or that only superusers may read, is passed over.
        if rule.source or all(name in columns for name in re.findall(r"\br\.(\w+)", expression))
    )
    return facts


def _plain(column: Column) -> str | None:
    """The column cast to what psycopg2 returns as int, bool, float, str or a list of these."""
    name = f"r.{column.name}"
    if column.type in ("boolean", "smallint", "integer", "bigint", "real", "double precision"):
        return name
    if column.type in ("oid", "regproc"):
        # An OID of nothing that PostgreSQL can tell means nothing outside this database.
        return f"{name}::oid::bigint" if column.refers_to else None
    if column.type in ("oidvector", "oid[]"):
        return f"{name}::oid[]::bigint[]" if column.refers_to else None
    if column.type == "int2vector":
        return f"{name}::int2[]::int4[]"
    if column.type in ("smallint[]", "integer[]"):
        return f"{name}::int4[]"
    if column.type in ("pg_node_tree", "anyarray"):
        return None  # full of OIDs; RULES names the function that deparses it
    if column.type.endswith("[]"):
        return f"{name}::text[]"
    return f"{name}::text"


def _privileges(column: str, kind: str, columns: Mapping[str, Column]) -> str:
    """NULL stands for the default privileges, which GRANT and REVOKE write out (manual, "Privileges")."""
    owner = next((c.name for c in columns.values() if c.refers_to == "pg_authid"), None)
    if owner is None:
        return f"r.{column}::text[]"
    return f"coalesce(r.{column}, acldefault({kind}, r.{owner}))::text[]"


def _name_column(columns: Mapping[str, Column]) -> str | None:
    return next((c.name for c in columns.values() if c.type == "name" and c.name.endswith("name")), None)
