# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the database says of single objects as they are now: for who drafts how to take a change of them back.

Writes nothing. Names come as a parser splits them, are looked up by PostgreSQL itself where a script would find them,
and come back as PostgreSQL quotes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, sql
from ..postgres.script_session import on_role_path
from ..shapes import Cursor, Json
from .relations import relation_facts

__all__ = ["Address", "context", "find", "object_facts"]

#: OID of the catalog, OID of the object, and number of the column (0 for a whole object).
Address = tuple

#: Catalog of the objects -> where owner and privileges are, and their kind for acldefault().
_OWNED = {
    "pg_class": (
        "pg_class",
        "relowner",
        "relacl",
        "(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\"",
    ),
    "pg_proc": ("pg_proc", "proowner", "proacl", "'f'"),
    "pg_type": ("pg_type", "typowner", "typacl", "'T'"),
    "pg_namespace": ("pg_namespace", "nspowner", "nspacl", "'n'"),
    "pg_language": ("pg_language", "lanowner", "lanacl", "'l'"),
    "pg_foreign_data_wrapper": ("pg_foreign_data_wrapper", "fdwowner", "fdwacl", "'F'"),
    "pg_foreign_server": ("pg_foreign_server", "srvowner", "srvacl", "'S'"),
    "pg_largeobject": ("pg_largeobject_metadata", "lomowner", "lomacl", "'L'"),
    "pg_operator": ("pg_operator", "oprowner", "", ""),
    "pg_opclass": ("pg_opclass", "opcowner", "", ""),
    "pg_opfamily": ("pg_opfamily", "opfowner", "", ""),
    "pg_collation": ("pg_collation", "collowner", "", ""),
    "pg_conversion": ("pg_conversion", "conowner", "", ""),
    "pg_ts_config": ("pg_ts_config", "cfgowner", "", ""),
    "pg_ts_dict": ("pg_ts_dict", "dictowner", "", ""),
    "pg_statistic_ext": ("pg_statistic_ext", "stxowner", "", ""),
    "pg_publication": ("pg_publication", "pubowner", "", ""),
    "pg_event_trigger": ("pg_event_trigger", "evtowner", "", ""),
}

_DEFINITION = {
    "pg_proc": "SELECT CASE WHEN prokind <> 'a' THEN pg_get_functiondef(oid) END FROM pg_proc WHERE oid = %s",
    "pg_trigger": "SELECT pg_get_triggerdef(%s)",
    "pg_rewrite": "SELECT pg_get_ruledef(%s)",
    "pg_constraint": "SELECT pg_get_constraintdef(%s)",
}

_TYPE = """
    SELECT json_build_object('default', typdefault, 'not_null', typnotnull, 'constraints', (
        SELECT coalesce(json_object_agg(quote_ident(conname), json_build_object(
            'definition', pg_get_constraintdef(c.oid), 'validated', convalidated,
            'comment', obj_description(c.oid, 'pg_constraint'))), '{}')
        FROM pg_constraint c WHERE contypid = t.oid AND contype = 'c'),
        'nested', EXISTS (SELECT FROM pg_depend d WHERE refclassid = 'pg_type'::regclass
            AND refobjid IN (t.oid, t.typarray) AND deptype = 'n' AND (classid = 'pg_type'::regclass
                OR (classid = 'pg_class'::regclass AND (refobjid = t.typarray OR EXISTS (
                    SELECT FROM pg_class c WHERE c.oid = objid AND c.relkind = 'c'))))))
    FROM pg_type t WHERE oid = %s AND typtype = 'd'"""


def context(cursor: Cursor) -> Json:
    """Where a script of this role makes what it names without a schema, and who the role is."""
    with on_role_path(cursor):
        cursor.execute(
            "SELECT pg_catalog.current_schemas(false)::text[], quote_ident(current_user),"
            " pg_catalog.current_setting('server_version_num')::int"
        )
        schemas, user, version = one_row(cursor)
    return {"schemas": schemas, "user": user, "version": version}


def find(cursor: Cursor, question: Json) -> Address | None:
    """Where the object is in the catalogs; None where there is none of that name.

    Args:
        question: "type" (a word of pg_get_object_address, or "relation" for whatever has columns or an index' name),
            "names" and "args" as the parser has them, "path" for a search_path that the script sets.
    """
    with _savepoint(cursor), _looking_in(cursor, question.get("path")):
        try:
            cursor.execute(*_lookup(cursor, question))
            row = cursor.fetchone()
        except psycopg2.Error as error:
            # Classes 42 and 3F: it, or what it is part of, is not there.
            if (error.pgcode or "").startswith(("42", "3F", "22", "3D")):
                return None
            raise
    return None if row is None or row[1] is None else row


def _lookup(cursor: Cursor, question: Json) -> tuple:
    names, args = question["names"], question.get("args") or []
    quoted = sql.Identifier(*names).as_string(cursor) if names else ""
    if question["type"] == "relation":
        return "SELECT 'pg_catalog.pg_class'::regclass::oid::int8, to_regclass(%s)::oid::int8, 0", (quoted,)
    if question["type"] == "routine of any arguments":
        return "SELECT 'pg_catalog.pg_proc'::regclass::oid::int8, to_regproc(%s)::oid::int8, 0", (quoted,)
    if question["type"] == "large object":
        return (
            "SELECT 'pg_catalog.pg_largeobject'::regclass::oid::int8,"
            " (SELECT oid::int8 FROM pg_catalog.pg_largeobject_metadata WHERE oid::text = %s), 0",
            (names[0],),
        )
    return (
        "SELECT classid::int8, objid::int8, objsubid FROM pg_get_object_address(%s, %s::text[], %s::text[])",
        (question["type"], names, args),
    )


@contextmanager
def _savepoint(cursor: Cursor) -> Iterator[None]:
    cursor.execute("SAVEPOINT looked_up")
    try:
        yield
    finally:
        cursor.execute("ROLLBACK TO looked_up; RELEASE looked_up")


@contextmanager
def _looking_in(cursor: Cursor, path: Sequence[str] | None) -> Iterator[None]:
    """Inside, names are found where the role finds them, or where the script has set its search_path to."""
    with on_role_path(cursor):
        if path is not None:
            written = ", ".join(sql.Identifier(name).as_string(cursor) for name in path)
            cursor.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (written,))
        yield


def object_facts(cursor: Cursor, address: Address) -> Json:
    """What there is to know of an object, JSON-able, with PostgreSQL's own quoting."""
    class_oid, oid, column = address
    cursor.execute(
        "SELECT %s::regclass::text, type, schema, name, identity FROM pg_identify_object(%s, %s, %s)",
        (class_oid, class_oid, oid, column),
    )
    catalog, kind, schema, name, identity = one_row(cursor)
    owner, privileges = _ownership(cursor, catalog, oid, column)
    facts = {
        "address": list(address),
        "catalog": catalog,
        "type": kind,
        "schema": schema,
        "name": name,
        "identity": identity,
        "owner": owner,
        "privileges": privileges,
        "comment": _comment(cursor, address),
        "labels": _labels(cursor, address),
        "definition": None,
        "used": _used(cursor, address),
    }
    if catalog in _DEFINITION:
        cursor.execute(_DEFINITION[catalog], (oid,))
        facts["definition"] = one_row(cursor)[0]
    if catalog == "pg_class":
        facts.update(relation_facts(cursor, oid))
    if catalog == "pg_type":
        cursor.execute(_TYPE, (oid,))
        row = cursor.fetchone()
        facts["domain"] = row[0] if row else None
        cursor.execute(
            "SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = %s",
            (oid,),
        )
        facts["labels of enum"] = one_row(cursor)[0]
    if catalog == "pg_event_trigger":
        cursor.execute("SELECT evtenabled::text FROM pg_event_trigger WHERE oid = %s", (oid,))
        facts["enabled"] = one_row(cursor)[0]
    return facts


def _ownership(cursor: Cursor, catalog: str, oid: int, column: int) -> tuple[str | None, list[list]]:
    """The owner, and each right as [role or None for PUBLIC, right, whether it may be granted on]."""
    if catalog not in _OWNED:
        return None, []
    table, owner, acl, kind = _OWNED[catalog]
    cursor.execute(f"SELECT quote_ident(pg_get_userbyid({owner})) FROM {table} WHERE oid = %s", (oid,))
    (name,) = one_row(cursor)
    if not acl:
        return name, []
    source = f"SELECT coalesce(r.{acl}, acldefault({kind}, r.{owner})) FROM {table} r WHERE r.oid = %s"
    if column:
        source = "SELECT attacl FROM pg_attribute WHERE attrelid = %s AND attnum = " + str(int(column))
    cursor.execute(
        "SELECT CASE grantee WHEN 0 THEN NULL ELSE quote_ident(pg_get_userbyid(grantee)) END, privilege_type,"
        f" is_grantable FROM aclexplode(({source}))",
        (oid,),
    )
    return name, [list(row) for row in cursor.fetchall()]


def _comment(cursor: Cursor, address: Address) -> str | None:
    cursor.execute(
        "SELECT description FROM pg_description WHERE (classoid, objoid, objsubid) = (%s, %s, %s)", address
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _labels(cursor: Cursor, address: Address) -> Json:
    cursor.execute(
        "SELECT provider, label FROM pg_seclabel WHERE (classoid, objoid, objsubid) = (%s, %s, %s)", address
    )
    return dict(cursor.fetchall())


def _used(cursor: Cursor, address: Address) -> bool:
    """Whether anything else rests on it, so that it cannot be dropped alone."""
    cursor.execute(
        "SELECT EXISTS (SELECT FROM pg_depend WHERE (refclassid, refobjid) = (%s, %s)"
        " AND (%s = 0 OR refobjsubid = %s) AND deptype = 'n' AND (classid, objid) <> (refclassid, refobjid)"
        # The rule that is a view rests on the view's own columns.
        " AND NOT (classid = 'pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_rewrite w WHERE w.oid = objid"
        " AND w.ev_class = refobjid)))",
        (address[0], address[1], address[2], address[2]),
    )
    return one_row(cursor)[0]
