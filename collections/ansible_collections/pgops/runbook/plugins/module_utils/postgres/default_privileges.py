# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""ALTER DEFAULT PRIVILEGES that a superuser has typed for itself, and the commands that take them back.

A dump holds them, and whoever is no superuser cannot say them for one. They have no owner that could be another.
"""

from __future__ import annotations

from ..shapes import Cursor
from .connection import sql

__all__ = ["commands_to_forget"]

KINDS = {
    "r": "TABLES",
    "S": "SEQUENCES",
    "f": "FUNCTIONS",
    "T": "TYPES",
    "n": "SCHEMAS",
    "L": "LARGE OBJECTS",
}

# An entry goes when nothing is left that differs from what is so without one (manual, pg_default_acl): of all schemas
# the privileges that a new object has, of one schema none. The letter of sequences is another one there.
DIFFERENCES = """
    SELECT r.rolname::text, n.nspname::text, d.defaclobjtype::text, changed.word,
           (SELECT rolname::text FROM pg_catalog.pg_roles WHERE oid = changed.grantee),
           array_agg(changed.privilege_type ORDER BY changed.privilege_type)
    FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL (SELECT CASE WHEN n.oid IS NULL THEN pg_catalog.acldefault(
        CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) END AS acl) AS usual
    CROSS JOIN LATERAL (
        SELECT 'REVOKE' AS word, gone.* FROM (
            SELECT grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(d.defaclacl)
            EXCEPT SELECT grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(usual.acl)) AS gone
        UNION ALL SELECT 'THEN GRANT', missing.* FROM (
            SELECT grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(usual.acl)
            EXCEPT SELECT grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(d.defaclacl)) AS missing
    ) AS changed
    WHERE r.rolsuper AND NOT pg_catalog.current_setting('is_superuser')::boolean
    GROUP BY 1, 2, 3, 4, changed.grantee ORDER BY 1, 2 NULLS FIRST, 3, 4, 5 NULLS FIRST"""


def commands_to_forget(cursor: Cursor) -> dict[str, list[str]]:
    """Superuser -> the commands after which it has none in this database; of a session of a superuser, nothing."""
    cursor.execute(DIFFERENCES)
    commands: dict[str, list[str]] = {}
    for role, schema, kind, word, grantee, privileges in cursor.fetchall():
        place = sql.SQL(" IN SCHEMA {}").format(sql.Identifier(schema)) if schema is not None else sql.SQL("")
        form = "{} ON {} FROM {}" if word == "REVOKE" else "{} ON {} TO {}"
        change = sql.SQL(form).format(
            sql.SQL(", ").join(map(sql.SQL, privileges)),
            sql.SQL(KINDS[kind]),
            sql.SQL("PUBLIC") if grantee is None else sql.Identifier(grantee),
        )
        command = sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {}{} {} {}").format(
            sql.Identifier(role), place, sql.SQL(word.rpartition(" ")[2]), change
        )
        commands.setdefault(role, []).append(command.as_string(cursor))
    return commands
