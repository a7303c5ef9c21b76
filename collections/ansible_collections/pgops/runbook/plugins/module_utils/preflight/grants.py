# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rights on what is no table of the application's: the table of versions, large objects, tablespaces.

Membership in an owner gives the first two as well, but is not always to be had: the owner may be a superuser, or
another tool.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ledger.versions import VersionTable
from ..postgres.connection import sql
from ..sentences import cut
from ..shapes import Cursor

__all__ = [
    "missing_on_large_objects",
    "missing_on_tablespaces",
    "missing_on_versions",
    "tablespaces_used",
]

# What the role lacks of one table, and whether it lacks the schema that it is in.
LACKING = """
    SELECT NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
           array(SELECT p FROM unnest(%s::text[]) AS p WHERE NOT pg_catalog.has_table_privilege(c.oid, p))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s"""

# Sequences of their columns, from which an INSERT takes numbers. The function fails when it is asked of anything else,
# and the planner decides in which order conditions are looked at.
SEQUENCES = """
    SELECT n.nspname::text, s.relname::text FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
    JOIN pg_catalog.pg_class c ON c.oid = d.refobjid JOIN pg_catalog.pg_namespace m ON m.oid = c.relnamespace
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = d.classid AND d.deptype = 'a'
      AND m.nspname = %s AND c.relname = ANY (%s)
      AND CASE s.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(s.oid, 'USAGE') END ORDER BY 1, 2"""

# pg_read_all_data reads them from PostgreSQL 19 (its release notes); lo_compat_privileges lets everybody.
UNREADABLE_LARGE_OBJECTS = """
    SELECT pg_catalog.pg_get_userbyid(l.lomowner)::text, l.oid::bigint FROM pg_catalog.pg_largeobject_metadata l
    WHERE NOT pg_catalog.current_setting('is_superuser')::boolean
      AND NOT pg_catalog.current_setting('lo_compat_privileges')::boolean
      AND NOT (pg_catalog.current_setting('server_version_num')::int >= 190000
               AND pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'))
      AND NOT EXISTS (
        SELECT FROM pg_catalog.aclexplode(coalesce(l.lomacl, pg_catalog.acldefault('L', l.lomowner))) AS acl
        WHERE acl.privilege_type = 'SELECT' AND (acl.grantee = 0 OR pg_catalog.pg_has_role(acl.grantee, 'USAGE')))
    ORDER BY 1, 2"""

# More of them than a person types at once.
GRANT_ON_ALL = """DO $$BEGIN EXECUTE (SELECT pg_catalog.format('GRANT SELECT ON LARGE OBJECT %s TO %I',
 pg_catalog.string_agg(oid::text, ', '), {role}) FROM pg_catalog.pg_largeobject_metadata
 WHERE pg_catalog.pg_get_userbyid(lomowner) = {owner}); END$$""".replace("\n", "")
AT_ONCE = 10

TABLESPACES = """
    SELECT DISTINCT t.spcname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
    WHERE t.spcname NOT IN ('pg_default', 'pg_global') AND c.relkind <> 't' AND c.relpersistence <> 't' ORDER BY 1"""

CLOSED_TABLESPACES = """
    SELECT t.spcname::text FROM pg_catalog.pg_tablespace t
    WHERE t.spcname = ANY (%s) AND NOT pg_catalog.has_tablespace_privilege(t.oid, 'CREATE') ORDER BY 1"""


def missing_on_versions(cursor: Cursor, role: str) -> list[str]:
    """A sentence, which ends with the commands, where the role may not read and write the table of versions."""
    table = VersionTable(cursor)
    names, statements, whom = table.names(), [], sql.Identifier(role)
    if not names:
        return []
    schema = sql.Identifier(names[0][0])
    for name in names:
        cursor.execute(LACKING, (list(table.books.privileges), *name))
        for no_schema, lacking in cursor.fetchall():
            if no_schema:
                statements.append(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, whom))
            if lacking:
                privileges = sql.SQL(", ").join(map(sql.SQL, lacking))
                statements.append(
                    sql.SQL("GRANT {} ON {} TO {}").format(privileges, sql.Identifier(*name), whom)
                )
    cursor.execute(SEQUENCES, (names[0][0], [name for _, name in names]))
    for sequence in cursor.fetchall():
        statements.append(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.Identifier(*sequence), whom))
    if not statements:
        return []
    commands = "; ".join(dict.fromkeys(one.as_string(cursor) for one in statements))
    return [
        f"Role {role} may not read and write {'.'.join(names[0])}, which records what is applied. Its owner types:"
        f" {commands}"
    ]


def missing_on_large_objects(cursor: Cursor, role: str) -> list[str]:
    """A sentence on those of each owner that the role may not read, which ends with the command."""
    cursor.execute(UNREADABLE_LARGE_OBJECTS)
    by_owner: dict[str, list[str]] = {}
    for owner, oid in cursor.fetchall():
        by_owner.setdefault(owner, []).append(str(oid))
    return [
        f"Role {role} may not read {'large object' if len(oids) == 1 else 'large objects'}"
        f" {', '.join(cut(oids, AT_ONCE))}, which a backup holds and which {owner} owns."
        f" {owner} or a superuser types: {_grant_on_large_objects(cursor, role, owner, oids)}"
        for owner, oids in by_owner.items()
    ]


def _grant_on_large_objects(cursor: Cursor, role: str, owner: str, oids: Sequence[str]) -> str:
    if len(oids) > AT_ONCE:
        names = {"role": sql.Literal(role), "owner": sql.Literal(owner)}
        return sql.SQL(GRANT_ON_ALL).format(**names).as_string(cursor)
    grant = sql.SQL("GRANT SELECT ON LARGE OBJECT {} TO {}").format(
        sql.SQL(", ".join(oids)), sql.Identifier(role)
    )
    return grant.as_string(cursor)


def tablespaces_used(cursor: Cursor) -> list[str]:
    """Tablespaces that tables and indexes of this database are in by their own name, so that a dump says it."""
    cursor.execute(TABLESPACES)
    return [name for (name,) in cursor.fetchall()]


def missing_on_tablespaces(cursor: Cursor, role: str, tablespaces: Sequence[str]) -> list[str]:
    """A sentence on each of these, on the server of the cursor, in which the role may create nothing.

    Of one that there is not nothing is said here.
    """
    cursor.execute(CLOSED_TABLESPACES, (list(tablespaces),))
    missing = []
    for (name,) in cursor.fetchall():
        grant = sql.SQL("GRANT CREATE ON TABLESPACE {} TO {}").format(
            sql.Identifier(name), sql.Identifier(role)
        )
        missing.append(
            f"Role {role} may not create anything in tablespace {name}, where the copy has what production has there."
            f" A superuser types: {grant.as_string(cursor)}"
        )
    return missing
