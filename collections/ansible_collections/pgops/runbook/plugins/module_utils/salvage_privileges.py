# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges that were granted, since the deploy, on what a rollback drops."""

from __future__ import annotations

from ansible_collections.pgops.runbook.plugins.module_utils.connection import psycopg2, sql

__all__ = ["grant_again", "granted_since"]

# First words of a catalog key, and what GRANT calls such an object (manual, "GRANT").
KINDS = {
    "table": "TABLE",
    "foreign table": "TABLE",
    "view": "TABLE",
    "materialized view": "TABLE",
    "sequence": "SEQUENCE",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "aggregate": "FUNCTION",
    "schema": "SCHEMA",
    "type": "TYPE",
    "domain": "DOMAIN",
}


def granted_since(made, now):
    """Privileges that objects of a migration have got since it made them.

    Args:
        made: what the migration added to the catalog, as it made it: key -> facts.
        now: the catalog before the rollback.

    Returns:
        dict key -> list of privileges as PostgreSQL writes them (``role=arwd/grantor``).
    """
    found = {}
    for key, facts in made.items():
        before = set(facts.get("privileges") or ())
        more = [one for one in (now.get(key, {}).get("privileges") or ()) if one not in before]
        if more and _kind(key):
            found[key] = more
    return found


def _kind(key):
    """(kind as GRANT names it, identity) of a catalog key, or None."""
    for noun, kind in sorted(KINDS.items(), key=lambda entry: -len(entry[0])):
        if key.startswith(f"{noun} "):
            return kind, key[len(noun) + 1 :]
    return None


def grant_again(cursor, key, privileges):
    """Grant what an object had; returns a list of sentences on what could not be.

    Args:
        key: of the catalog; its identity was written, with quotes, by PostgreSQL.
        privileges: as granted_since() gives them.
    """
    kind, identity = _kind(key)
    problems = []
    for privilege in privileges:
        cursor.execute("SAVEPOINT runbook_grant")
        try:
            cursor.execute(
                "SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE r.rolname::text END, a.privilege_type, a.is_grantable"
                " FROM aclexplode(ARRAY[%s]::aclitem[]) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee",
                (privilege,),
            )
            for grantee, right, grantable in cursor.fetchall():
                cursor.execute(
                    sql.SQL("GRANT {} ON {} {} TO {}{}").format(
                        sql.SQL(right),
                        sql.SQL(kind),
                        sql.SQL(identity),
                        sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
                        sql.SQL(" WITH GRANT OPTION" if grantable else ""),
                    )
                )
        except psycopg2.Error as error:
            problems.append((error.diag.message_primary if error.diag else None) or str(error))
            cursor.execute("ROLLBACK TO SAVEPOINT runbook_grant")
        cursor.execute("RELEASE SAVEPOINT runbook_grant")
    return problems
