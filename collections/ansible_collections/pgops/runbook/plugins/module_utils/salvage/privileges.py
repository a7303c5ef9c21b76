# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges that were granted or revoked, since the deploy, on what a rollback drops, or drops and makes again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Dict, List

from ..catalog.difference import Difference, without_last_name
from ..catalog.rights import only, rights_changed, rights_of
from ..errors import known
from ..postgres.bisect import NotTaken, savepoint
from ..postgres.connection import sql
from ..postgres.kept_names import name_in, object_of_application
from ..shapes import Catalog, Cursor

__all__ = [
    "as_others_would_have",
    "change_privileges_again",
    "privileges_changed_since",
    "privileges_lost",
    "privileges_taken_back",
]

Changes = Dict[str, Dict[str, List[str]]]

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
    "language": "LANGUAGE",
    "server": "FOREIGN SERVER",
    "foreign-data wrapper": "FOREIGN DATA WRAPPER",
}

EXPLODED = """
    SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE r.rolname::text END, a.privilege_type, a.is_grantable, g.rolname::text
    FROM aclexplode(ARRAY[%s]::aclitem[]) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantor"""

# Facts that say which privileges new objects get.
DEFAULTS = "default acl "


def privileges_changed_since(made: Catalog, now: Catalog) -> dict[str, dict[str, list[str]]]:
    """What was granted and revoked on objects of a migration since it made them.

    Args:
        made: what the migration added to the catalog, as it made it: key -> facts.
        now: the catalog before the rollback.

    Returns:
        dict key -> {"granted": [...], "revoked": [...]}, privileges as PostgreSQL writes them (``role=arwd/grantor``).
    """
    changes = {}
    for key, facts in made.items():
        if key not in now or _kind(key) is None:
            continue
        before, after = set(facts.get("privileges") or ()), set(now[key].get("privileges") or ())
        if before != after:
            changes[key] = {"granted": sorted(after - before), "revoked": sorted(before - after)}
    return changes


def privileges_taken_back(migration: Difference, now: Catalog) -> Changes:
    """What people made of rights that a migration granted or took on objects that were there before.

    The old schema, in which nobody had such a right, could not tell that it was revoked or may be granted on. What
    the migration had taken and people gave again the old schema has by itself.

    Args:
        migration: from the catalog before it to the one that it made.
        now: the catalog before the rollback.

    Returns:
        dict: see privileges_changed_since().
    """
    changes = {}
    for key, facts in migration.changed.items():
        if key not in now or "privileges" not in facts or _kind(key) is None:
            continue
        was, made = map(rights_of, facts["privileges"])
        current = rights_of(now[key].get("privileges"))
        others = {
            right
            for right in rights_changed(was, made) & rights_changed(made, current)
            if right not in was or current.get(right) != was[right]
        }
        if others:
            changes[key] = {"granted": only(current, others), "revoked": only(made, others)}
    return changes


def privileges_lost(expected: Catalog, left: Catalog, deployed: Catalog, now: Catalog) -> Changes:
    """What people have granted and revoked since the deploy, and is lost where a rollback made an object again.

    Nothing else that the rollback leaves otherwise than expected: that is for its author to correct.

    Args:
        expected: the catalog that the rollback has to leave.
        left: the one that it has left.
        deployed: the one after the deploy.
        now: the one before the rollback.

    Returns:
        dict: see privileges_changed_since(): what is to be granted and to be revoked.
    """
    # An object that is made again gets what is granted by default by now.
    by_default = _defaults(deployed) != _defaults(now)
    changes = {}
    for key in expected.keys() & left.keys():
        wanted, there = (rights_of(one[key].get("privileges")) for one in (expected, left))
        differing = rights_changed(wanted, there)
        if differing and not by_default:
            since = (rights_of(one.get(key, {}).get("privileges")) for one in (deployed, now))
            differing &= rights_changed(*since)
        if differing and _kind(key) is not None:
            changes[key] = {"granted": only(wanted, differing), "revoked": only(there, differing)}
    return changes


def _defaults(catalog: Catalog) -> dict[str, object]:
    return {key: facts for key, facts in catalog.items() if key.startswith(DEFAULTS)}


def as_others_would_have(expected: Catalog, left: Catalog, changed: Iterable[str]) -> Catalog:
    """What is to be expected of the objects ``changed`` where this session could not grant in another role's name."""
    catalog = dict(expected)
    for key in changed:
        wanted, there = expected[key].get("privileges"), left[key].get("privileges")
        if _without_grantors(wanted) == _without_grantors(there):
            catalog[key] = {**expected[key], **({"privileges": there} if there is not None else {})}
    return catalog


def _without_grantors(privileges: Iterable[str] | None) -> dict[tuple[str, str], bool]:
    found: dict[tuple[str, str], bool] = {}
    for (grantee, _, letter), may_grant in rights_of(privileges).items():
        found[grantee, letter] = found.get((grantee, letter), False) or may_grant
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
        key: of the catalog, as it was kept.
        granted, revoked: as privileges_changed_since() gives them.

    Returns:
        list of str: sentences on what could not be.
    """
    problems = []
    for verb, privileges in (("REVOKE", revoked), ("GRANT", _grantors_first(granted))):
        for privilege in privileges:
            try:
                _change(cursor, key, privilege, verb)
            except NotTaken as failure:
                problems.append(failure.reason)
    return problems


def _grantors_first(privileges: Iterable[str]) -> list[str]:
    """In such an order that each is granted by one who has it already."""
    left, ordered = sorted(privileges), []
    while left:
        grantees = {grantee for grantee, _, _ in rights_of(left)}
        now = [one for one in left if not any(grantor in grantees for _, grantor, _ in rights_of([one]))]
        # An owner grants to himself.
        ordered += now or left
        left = [one for one in left if now and one not in now]
    return ordered


def _change(cursor: Cursor, key: str, privilege: str, verb: str) -> None:
    """
    Raises:
        NotTaken: it could not be, neither by who had done it nor by who is connected.
    """
    cursor.execute(EXPLODED, (privilege,))
    for grantee, right, grantable, grantor in cursor.fetchall():
        statement = _statement(cursor, key, verb, right, grantee, grantable)
        try:
            with savepoint(cursor):
                _as_role(cursor, grantor, statement)
        except NotTaken:
            with savepoint(cursor):
                cursor.execute(statement)


def _as_role(cursor: Cursor, role: str, statement: sql.Composable) -> None:
    cursor.execute("SELECT current_setting('role')")
    (before,) = known(cursor.fetchone(), "a row")
    cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    cursor.execute(statement)
    cursor.execute("SELECT set_config('role', %s, true)", (before,))


def _statement(
    cursor: Cursor, key: str, verb: str, right: str, grantee: str | None, grantable: bool
) -> sql.Composable:
    kind, identity = known(_kind(key), f"the kind of {key}")  # no others are kept
    columns: sql.Composable = sql.SQL("")
    if key.startswith("column "):
        table = without_last_name(identity)
        columns = sql.SQL(" ({})").format(name_in(cursor, identity[len(table) + 1 :]))
        identity = table
    return sql.SQL("{} {} ON {} {} {} {}{}").format(
        sql.SQL(verb),
        sql.SQL(right) + columns,
        sql.SQL(kind),
        object_of_application(cursor, kind, identity),
        sql.SQL("TO" if verb == "GRANT" else "FROM"),
        sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"),
        sql.SQL(" WITH GRANT OPTION" if grantable and verb == "GRANT" else ""),
    )
