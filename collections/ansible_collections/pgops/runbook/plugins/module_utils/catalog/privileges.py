# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges on objects of extensions and of the system that differ from those they were born with.

The objects are not the application's schema, but GRANT and REVOKE on them are; pg_dump writes the same
differences from pg_init_privs (PostgreSQL manual, "System Catalogs").
"""

from __future__ import annotations

from typing import Any

from ..errors import known
from ..shapes import Cursor
from .rows import FIRST_USER_OID, CatalogReader
from .rules import RULES

__all__ = ["privileges_beyond_schema"]


def privileges_beyond_schema(cursor: Cursor, reader: CatalogReader) -> dict[str, dict[str, Any]]:
    """Entries "privileges of <kind> <identity>" for such objects; usually none.

    Raises:
        psycopg2.Error: when a catalog cannot be read.
    """
    entries: dict[str, dict[str, Any]] = {}
    catalogs = [name for name, rule in RULES.items() if rule.acl and name != "pg_database"]
    parameters = {
        **{f"members_{name}": reader.members.get(_class_of(name), []) for name in catalogs},
        **{f"read_{name}": reader.scope[_class_of(name)] for name in catalogs},
    }
    for name, oids in _may_differ(cursor, catalogs, reader).items():
        parameters["found"] = oids
        column, kind = _acl(name)
        owner = next(
            (c.name for c in reader.columns[name].values() if c.refers_to == "pg_authid"),
            None,
        )
        default = f"acldefault({kind}, r.{owner})" if owner else "'{}'::aclitem[]"
        oid, number = _address(name)
        cursor.execute(
            f"SELECT i.type || ' ' || i.identity, coalesce(changed.acl, changed.born)::text[],"
            f" coalesce(changed.initprivs, changed.born)::text[] FROM (SELECT {oid} AS oid, {number} AS number,"
            f" r.{column} AS acl, {default} AS born, p.initprivs {_rows(name)}"
            f" AND {oid} = ANY (%(found)s::oid[]) OFFSET 0) AS changed,"
            f" LATERAL pg_identify_object('pg_catalog.{_class_of(name)}'::regclass, oid, number) AS i",
            parameters,
        )
        for key, now, initially in cursor.fetchall():
            if sorted(now) != sorted(initially):
                entries[f"privileges of {key}"] = {"privileges": sorted(now)}
    return entries


def _may_differ(cursor: Cursor, catalogs: list[str], reader: CatalogReader) -> dict[str, list[int]]:
    """Catalog -> OIDs of such objects, and perhaps of others: a cheap question, asked under locks of production.

    One pass over each catalog finds the few rows that have privileges at all; all others have those of birth.
    """
    now = " UNION ALL ".join(map(_with_privileges, catalogs))
    cursor.execute(
        "SELECT coalesce(now.catalog, CASE born.objsubid WHEN 0 THEN born.classoid::regclass::text"
        " ELSE 'pg_attribute' END) AS catalog, array_agg(coalesce(now.oid, born.objoid)::bigint)"
        f" FROM ({now}) AS now FULL JOIN pg_catalog.pg_init_privs AS born ON born.classoid = now.class"
        " AND born.objoid = now.oid AND born.objsubid = now.number WHERE now.acl IS DISTINCT FROM born.initprivs"
        f" AND (coalesce(now.oid, born.objoid) < {FIRST_USER_OID}"
        " OR coalesce(now.oid, born.objoid) = ANY (%(members)s::oid[]))"
        " AND coalesce(now.oid, born.objoid) <> ALL (%(read)s::oid[]) GROUP BY 1",
        {
            "members": [oid for members in reader.members.values() for oid in members],
            # All others that are read are of users, and no members.
            "read": [oid for scope in reader.scope.values() for oid in scope if oid < FIRST_USER_OID],
        },
    )
    return {name: oids for name, oids in cursor.fetchall() if name in catalogs}


def _with_privileges(catalog: str) -> str:
    """SELECT of the objects that have privileges of their own: catalog, class, oid, number and acl."""
    oid, number = _address(catalog)
    column, _ = _acl(catalog)
    return (
        f"SELECT '{catalog}' AS catalog, 'pg_catalog.{_class_of(catalog)}'::regclass::oid AS class, {oid} AS oid,"
        f" {number}::int4 AS number, r.{column} AS acl FROM pg_catalog.{catalog} AS r"
        f" WHERE r.{column} IS NOT NULL AND NOT ({_OF_INFORMATION_SCHEMA.get(catalog, 'false')})"
    )


def _acl(catalog: str) -> tuple[str, str]:
    """Column of its privileges, and their kind for acldefault()."""
    return known(RULES[catalog].acl, f"the privileges of {catalog}")  # only such catalogs are asked for


def _class_of(catalog: str) -> str:
    return "pg_class" if catalog == "pg_attribute" else catalog


def _address(catalog: str) -> tuple[str, str]:
    return ("r.attrelid", "r.attnum") if catalog == "pg_attribute" else ("r.oid", "0")


_OF_INFORMATION_SCHEMA = {  # initdb grants on it without noting that as initial
    "pg_namespace": "r.nspname = 'information_schema'",
    "pg_class": "r.relnamespace = 'information_schema'::regnamespace",
    "pg_attribute": "r.attrelid IN (SELECT oid FROM pg_class"
    " WHERE relnamespace = 'information_schema'::regnamespace)",
    "pg_proc": "r.pronamespace = 'information_schema'::regnamespace",
    "pg_type": "r.typnamespace = 'information_schema'::regnamespace",
}


def _rows(catalog: str) -> str:
    """FROM and WHERE for the rows whose privileges are not those recorded at birth."""
    oid, number = _address(catalog)
    column, _ = _acl(catalog)
    return (
        f"FROM pg_catalog.{catalog} AS r LEFT JOIN pg_init_privs AS p ON p.objoid = {oid}"
        f" AND p.objsubid = {number} AND p.classoid = 'pg_catalog.{_class_of(catalog)}'::regclass"
        f" WHERE ({oid} < {FIRST_USER_OID} OR {oid} = ANY (%(members_{catalog})s::oid[]))"
        f" AND {oid} <> ALL (%(read_{catalog})s::oid[]) AND r.{column} IS DISTINCT FROM p.initprivs"
        # Most have neither: they are left aside before thousands of rows are joined, under locks of production.
        f" AND (r.{column} IS NOT NULL OR ({oid}, {number}) IN (SELECT objoid, objsubid FROM pg_init_privs"
        f" WHERE classoid = 'pg_catalog.{_class_of(catalog)}'::regclass))"
        f" AND NOT ({_OF_INFORMATION_SCHEMA.get(catalog, 'false')})"
    )
