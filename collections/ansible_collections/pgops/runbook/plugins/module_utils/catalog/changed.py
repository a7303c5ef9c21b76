# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which objects have changed since a moment, by the row versions of the system catalogs.

Each row says which transaction wrote it (manual, "System Columns", xmin), and so a row that was written since has the
number of a transaction that was not over at that moment. Rows that went are missed by their count. What follows from
what, PostgreSQL keeps in pg_depend: a view's text changes with the name of a column, though no row of the view does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ..shapes import Cursor
from .excluded import CATALOGS_LEFT_OUT
from .rows import FIRST_USER_OID
from .rules import RULES, Rule

__all__ = ["CatalogWatch", "Objects"]

#: Catalog -> OIDs.
Objects = dict[str, set[int]]

_WHOLE = "whole"  # in the place of an object: everything has to be read again


@dataclass(frozen=True)
class _Watched:
    """How a row of a catalog tells which objects it is about.

    Attributes:
        objects: SQL expression (row alias r): "catalog oid", several of them separated by commas.
        key: SQL expression that identifies a row which may go while its object stays; None: there is none such, or
            another row is written when it goes.
        where: SQL condition for the rows that say something about the schema.
        of_users: SQL condition for those of them that may go: PostgreSQL itself needs its own.
    """

    objects: str
    key: str | None = None
    where: str = "true"
    of_users: str = f"r.oid >= {FIRST_USER_OID}"


def _part(catalog: str, relation: str) -> _Watched:
    """A part of the relation whose OID is in that column."""
    return _Watched(f"'{catalog} ' || r.oid || ',pg_class ' || r.{relation}", "r.oid::text")


_WATCHED: Mapping[str, _Watched] = {
    "pg_class": _Watched("'pg_class ' || r.oid", "r.oid::text"),
    "pg_attribute": _Watched("'pg_class ' || r.attrelid"),
    "pg_attrdef": _Watched("'pg_class ' || r.adrelid"),
    "pg_index": _Watched("'pg_class ' || r.indexrelid || ',pg_class ' || r.indrelid"),
    "pg_sequence": _Watched("'pg_class ' || r.seqrelid"),
    "pg_partitioned_table": _Watched("'pg_class ' || r.partrelid"),
    "pg_foreign_table": _Watched("'pg_class ' || r.ftrelid"),
    "pg_inherits": _Watched(
        "'pg_class ' || r.inhrelid || ',pg_class ' || r.inhparent",
        "r.inhrelid || ' ' || r.inhparent",
        of_users="true",
    ),
    "pg_constraint": _Watched(
        "'pg_constraint ' || r.oid || ',pg_class ' || r.conrelid || ',pg_type ' || r.contypid", "r.oid::text"
    ),
    "pg_trigger": _part("pg_trigger", "tgrelid"),
    "pg_rewrite": _part("pg_rewrite", "ev_class"),
    "pg_policy": _part("pg_policy", "polrelid"),
    "pg_statistic_ext": _part("pg_statistic_ext", "stxrelid"),
    "pg_type": _Watched("'pg_type ' || r.oid || ',pg_class ' || r.typrelid", "r.oid::text"),
    "pg_enum": _Watched("'pg_type ' || r.enumtypid"),
    "pg_range": _Watched("'pg_type ' || r.rngtypid || ',pg_type ' || r.rngmultitypid"),
    "pg_proc": _Watched("'pg_proc ' || r.oid", "r.oid::text"),
    "pg_aggregate": _Watched("'pg_proc ' || r.aggfnoid::oid"),
    "pg_description": _Watched(
        "r.classoid::regclass || ' ' || r.objoid",
        "r.classoid || ' ' || r.objoid || ' ' || r.objsubid",
        of_users=f"r.objoid >= {FIRST_USER_OID} OR r.classoid = 'pg_namespace'::regclass",
    ),
    # Every session has its own for temporary tables, made with the first of them.
    "pg_namespace": _Watched(
        f"'{_WHOLE} 0'", "r.oid::text", "r.nspname !~ '^pg_(toast_)?temp_'", of_users="true"
    ),
    # Others make and drop databases, the runbook its copies for one.
    "pg_database": _Watched(f"'{_WHOLE} 0'", "r.oid::text", "r.datname = current_database()"),
    # What belongs to an extension, or depends on one, and whose column a sequence is: no other row says it.
    "pg_depend": _Watched(
        f"CASE WHEN r.deptype IN ('e', 'x') THEN '{_WHOLE} 0' ELSE 'pg_class ' || r.objid END",
        "r.classid || ' ' || r.objid || ' ' || r.refclassid || ' ' || r.refobjid || ' ' || r.refobjsubid",
        "r.deptype IN ('e', 'x') OR r.deptype IN ('a', 'i') AND r.classid = 'pg_class'::regclass"
        " AND r.objid IN (SELECT s.seqrelid FROM pg_sequence s)",
        of_users="true",
    ),
}

# Of no meaning to the schema, or told by the rows of others.
_NOT_WATCHED = {name for name in CATALOGS_LEFT_OUT if name.startswith("pg_statistic")} | {
    "pg_auth_members",
    "pg_authid",  # see _ROLES
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_parameter_acl",
    "pg_replication_origin",
    "pg_shdepend",
    "pg_subscription_rel",
}

# Names of roles are in privileges and as owners; this view may be read by everybody.
_ROLES = "(SELECT a.oid, a.rolname FROM pg_catalog.pg_roles a)"

# Other objects are read again with everything else, and what depends on one that changed is such an object at times.
_READ_WITH_PARTS = ("pg_class", "pg_type", "pg_proc", "pg_publication")

_FOLLOWING = """
    WITH RECURSIVE touched (class, object) AS (
        SELECT c.catalog::regclass::oid, c.object
        FROM unnest(%(catalogs)s::text[], %(oids)s::oid[]) AS c (catalog, object)
        UNION
        SELECT d.classid, d.objid FROM touched t
        JOIN pg_depend d ON d.refclassid = t.class AND d.refobjid = t.object),
    parts (class, part, catalog, object) AS (
        SELECT 'pg_attrdef'::regclass, oid, 'pg_class', adrelid FROM pg_attrdef
        UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_class', conrelid FROM pg_constraint WHERE conrelid <> 0
        UNION ALL SELECT 'pg_constraint'::regclass, oid, 'pg_type', contypid FROM pg_constraint WHERE contypid <> 0
        UNION ALL SELECT 'pg_policy'::regclass, oid, 'pg_class', polrelid FROM pg_policy
        UNION ALL SELECT 'pg_publication_rel'::regclass, oid, 'pg_publication', prpubid FROM pg_publication_rel
        UNION ALL SELECT 'pg_rewrite'::regclass, oid, 'pg_class', ev_class FROM pg_rewrite
        UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, 'pg_class', stxrelid FROM pg_statistic_ext
        UNION ALL SELECT 'pg_trigger'::regclass, oid, 'pg_class', tgrelid FROM pg_trigger)
    SELECT coalesce(p.catalog, t.class::regclass::text), coalesce(p.object, t.object)::bigint
    FROM touched t LEFT JOIN parts p ON p.class = t.class AND p.part = t.object
    UNION
    -- What is set for a table's TOAST table stands with the table.
    SELECT 'pg_class', c.oid::bigint FROM pg_class c WHERE c.reltoastrelid IN (
        SELECT t.object FROM touched t JOIN pg_class k ON k.oid = t.object AND k.relkind = 't'
        WHERE t.class = 'pg_class'::regclass)"""


class CatalogWatch:
    """What the catalogs held at a moment of a transaction.

    Args:
        cursor: of the transaction, its session pinned (see postgres.session).
        columns: of each catalog, those that this role may read.
        members: catalog -> OIDs of what belongs to extensions.
    """

    def __init__(
        self,
        cursor: Cursor,
        columns: Mapping[str, Collection[str]],
        members: Mapping[str, Collection[int]],
    ) -> None:
        self._members = {(catalog, oid) for catalog, oids in members.items() for oid in oids}
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text")
        (self._oldest,) = cursor.fetchone() or ("",)
        self._versioned = _readable(cursor)
        self._digests = _digests_of(columns, self._versioned)
        self._rows = self._written_and_left(cursor)
        self._told = self._digested(cursor)
        self._keys = self._keys_of(cursor, [catalog for catalog, watched in _WATCHED.items() if watched.key])

    def changed(self, cursor: Cursor) -> Objects | None:
        """What has to be read again, with all its parts; an object may be gone.

        Returns:
            OIDs by catalog; None where everything has to be read again.
        """
        touched: set[tuple[str, int]] = set()
        for catalog, (left, written) in self._written_and_left(cursor).items():
            # Rows that were as new at the moment itself are in no count of older ones, and may be gone by now.
            touched |= _objects(written) | _objects(self._rows[catalog][1])
            if left < self._rows[catalog][0]:
                touched |= self._gone(cursor, catalog)
        touched -= {(catalog, 0) for catalog in _READ_WITH_PARTS}
        if self._digested(cursor) != self._told or any(
            catalog == _WHOLE or 0 < oid < FIRST_USER_OID or (catalog, oid) in self._members
            for catalog, oid in touched
        ):
            return None
        return self._with_what_follows(cursor, touched)

    def _written_and_left(self, cursor: Cursor) -> dict[str, tuple[int, list[str]]]:
        """Catalog -> (number of rows from before the moment, what those are about that were written since)."""
        cursor.execute(" UNION ALL ".join(map(_rows_of, self._versioned)), {"oldest": self._oldest})
        return {catalog: (left, written or []) for catalog, left, written in cursor.fetchall()}

    def _digested(self, cursor: Cursor) -> list[tuple[str, object]]:
        cursor.execute(" UNION ALL ".join(self._digests))
        return sorted(cursor.fetchall())

    def _keys_of(self, cursor: Cursor, catalogs: Iterable[str]) -> dict[str, dict[str, str]]:
        """Catalog -> what identifies its rows -> what they are about; of rows that PostgreSQL was born with none."""
        keys: dict[str, dict[str, str]] = {catalog: {} for catalog in catalogs}
        parts = (
            f"SELECT '{catalog}', ({watched.key})::text, ({watched.objects})::text FROM pg_catalog.{catalog} AS r"
            f" WHERE ({watched.where}) AND ({watched.of_users})"
            for catalog, watched in ((catalog, _WATCHED[catalog]) for catalog in keys)
            if catalog in self._versioned
        )
        cursor.execute(" UNION ALL ".join(parts))
        for catalog, key, objects in cursor.fetchall():
            keys[catalog][key] = objects
        return keys

    def _gone(self, cursor: Cursor, catalog: str) -> set[tuple[str, int]]:
        """What rows were about that are there no more."""
        watched = _WATCHED.get(catalog)
        if watched is None:
            return {(_WHOLE, 0)}
        if watched.key is None:
            return set()
        before, now = self._keys[catalog], self._keys_of(cursor, [catalog])[catalog]
        return _objects([objects for key, objects in before.items() if key not in now])

    @staticmethod
    def _with_what_follows(cursor: Cursor, touched: set[tuple[str, int]]) -> Objects | None:
        if not touched:
            return {}
        cursor.execute(
            _FOLLOWING,
            {"catalogs": [catalog for catalog, _ in touched], "oids": [oid for _, oid in touched]},
        )
        objects: Objects = {catalog: set() for catalog in _READ_WITH_PARTS}
        parts = {"pg_attrdef", "pg_constraint", "pg_policy", "pg_rewrite", "pg_statistic_ext", "pg_trigger"}
        for catalog, oid in [*touched, *cursor.fetchall()]:
            if catalog in objects:
                objects[catalog].add(oid)
            elif catalog not in parts or (catalog, oid) not in touched:
                return None
        return objects


def _readable(cursor: Cursor) -> list[str]:
    """Names of the catalogs to watch whose row versions this role may see."""
    cursor.execute(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace"
        " AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND c.relname <> ALL (%s) ORDER BY 1",
        (sorted(_NOT_WATCHED),),
    )
    return [catalog for (catalog,) in cursor.fetchall()]


def _rows_of(catalog: str) -> str:
    watched = _WATCHED.get(catalog, _Watched(f"'{_WHOLE} 0'"))
    return (
        f"SELECT '{catalog}', count(*) FILTER (WHERE NOT since),"
        f" array_agg(DISTINCT ({watched.objects})::text) FILTER (WHERE since)"
        # Compared by age, since the numbers of transactions are used again.
        f" FROM (SELECT *, age(xmin) <= age(%(oldest)s::xid) AS since FROM pg_catalog.{catalog}) AS r"
        f" WHERE ({watched.where})"
    )


def _digests_of(columns: Mapping[str, Collection[str]], versioned: Collection[str]) -> list[str]:
    """SELECTs of name and digest: of the roles, and of what is read of catalogs without seeing their row versions."""
    sources = {
        catalog: RULES.get(catalog, Rule()).source or f"(SELECT {', '.join(names)} FROM pg_catalog.{catalog})"
        for catalog, names in columns.items()
        if catalog not in versioned and catalog not in _NOT_WATCHED
    }
    return [
        f"SELECT '{name}', coalesce(sum(hashtextextended(r::text, 0)), 0)::text FROM {source} AS r"
        for name, source in {"roles": _ROLES, **sources}.items()
    ]


def _objects(texts: Collection[str]) -> set[tuple[str, int]]:
    objects = set()
    for text in texts:
        for one in text.split(","):
            catalog, _, oid = one.rpartition(" ")
            objects.add((catalog, int(oid)))
    return objects
