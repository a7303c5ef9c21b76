# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges that were granted or revoked, since the deploy, on what a rollback drops."""

from __future__ import annotations

from collections.abc import Iterable

from ..catalog.difference import without_last_name
from ..errors import known
from ..postgres.bisect import NotTaken, savepoint
from ..postgres.connection import sql
from ..shapes import Catalog, Cursor

__all__ = ["change_privileges_again", "privileges_changed_since"]

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
    "enum": "TYPE",
    "range": "TYPE",
    "composite type": "TYPE",
    "domain": "DOMAIN",
    "column": "TABLE",
}

EXPLODED = """
    SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE r.rolname::text END, a.privilege_type, a.is_grantable
    FROM aclexplode(ARRAY[%s]::aclitem[]) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee"""


def privileges_changed_since(made: Catalog, now: Catalog) -> dict[str, dict[str, list[str]]]:
    """What was granted and revoked on objects of a migration since it made them.

    Args:
        made: what the migration added to the catalog, as it made it: key -> facts.
        now: the catalog before the rollback.

    Returns:
        dict key -> {"granted": [...], "revoked": [...]}, privileges as PostgreSQL writes them (``role=arwd/grantor``).
    """
    found = {}
    for key, facts in made.items():
        if key not in now or _kind(key) is None:
            continue
        before, after = set(facts.get("privileges") or ()), set(now[key].get("privileges") or ())
        if before != after:
            found[key] = {"granted": sorted(after - before), "revoked": sorted(before - after)}
    return found


def _kind(key: str) -> tuple[str, str] | None:
    """(kind as GRANT names it, identity) of a catalog key, or None."""
    for noun, kind in sorted(KINDS.items(), key=lambda entry: -len(entry[0])):
        if key.startswith(f"{noun} "):
            return kind, key[len(noun) + 1 :]
    return None


def change_privileges_again(
    cursor: Cursor, key: str, granted: Iterable[str], revoked: Iterable[str]
) -> list[str]:
    """Grant and revoke what people granted and revoked.

    Args:
        cursor: of the transaction that has made the object again.
        key: of the catalog; its identity was written, with quotes, by PostgreSQL.
        granted, revoked: as privileges_changed_since() gives them.

    Returns:
        list of str: sentences on what could not be.
    """
    problems = []
    for verb, privileges in (("REVOKE", revoked), ("GRANT", granted)):
        for privilege in privileges:
            try:
                with savepoint(cursor):
                    _change(cursor, key, privilege, verb)
            except NotTaken as failure:
                problems.append(failure.reason)
    return problems


def _change(cursor: Cursor, key: str, privilege: str, verb: str) -> None:
    kind, identity = known(_kind(key), f"the kind of {key}")  # no others are kept
    columns: sql.Composable = sql.SQL("")
    if key.startswith("column "):
        table = without_last_name(identity)
        columns = sql.SQL(" ({})").format(sql.SQL(identity[len(table) + 1 :]))
        identity = table
    cursor.execute(EXPLODED, (privilege,))
    for grantee, right, grantable in cursor.fetchall():
        cursor.execute(
            sql.SQL("{} {} ON {} {} {} {}{}").format(
                sql.SQL(verb),
                sql.SQL(right) + columns,
                sql.SQL(kind),
                sql.SQL(identity),
                sql.SQL("TO" if verb == "GRANT" else "FROM"),
                sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grantable and verb == "GRANT" else ""),
            )
        )
