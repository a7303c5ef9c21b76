# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Owners of what a backup holds: whoever restores it gives each object to its owner, and so has to act as that one.

For a superuser nobody else can do that, so his objects are named: another owner is the only remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..postgres.answers import one_row
from ..postgres.application_tables import APPLICATION_AND_RUNBOOK, in_schemas
from ..postgres.connection import sql
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["membership", "missing_on_owners", "owners_of_backup"]

# Options of memberships are of this version (its release notes).
MEMBERSHIP_HAS_OPTIONS = 160000

# catalog, columns of owner and schema, and which of its rows a dump gives to their owner
IN_SCHEMAS = (
    ("pg_class", "relowner", "relnamespace", "relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')"),
    ("pg_proc", "proowner", "pronamespace", "true"),
    ("pg_type", "typowner", "typnamespace", "typtype NOT IN ('c', 'm') AND typcategory <> 'A'"),
    ("pg_namespace", "nspowner", "oid", "true"),
    ("pg_operator", "oprowner", "oprnamespace", "true"),
    ("pg_opclass", "opcowner", "opcnamespace", "true"),
    ("pg_opfamily", "opfowner", "opfnamespace", "true"),
    ("pg_collation", "collowner", "collnamespace", "true"),
    ("pg_conversion", "conowner", "connamespace", "true"),
    ("pg_statistic_ext", "stxowner", "stxnamespace", "true"),
    ("pg_ts_config", "cfgowner", "cfgnamespace", "true"),
    ("pg_ts_dict", "dictowner", "dictnamespace", "true"),
)
ELSEWHERE = (
    ("pg_publication", "pubowner"),
    ("pg_event_trigger", "evtowner"),
    ("pg_foreign_server", "srvowner"),
    ("pg_default_acl", "defaclrole"),
)

_FOUND = " UNION ALL ".join(
    [
        f"SELECT 'pg_catalog.{catalog}'::regclass AS class, c.oid, c.{owner} AS owner FROM pg_catalog.{catalog} c"
        f" JOIN pg_catalog.pg_namespace n ON n.oid = c.{schema}"
        f" WHERE {in_schemas(APPLICATION_AND_RUNBOOK)} AND {which}"
        for catalog, owner, schema, which in IN_SCHEMAS
    ]
    + [
        f"SELECT 'pg_catalog.{catalog}'::regclass, oid, {owner} FROM pg_catalog.{catalog}"
        for catalog, owner in ELSEWHERE
    ]
    # Of a large object's columns all is said by another name (manual, pg_depend).
    + ["SELECT 'pg_catalog.pg_largeobject'::regclass, oid, lomowner FROM pg_catalog.pg_largeobject_metadata"]
)

# What belongs to an extension comes and goes with it.
OWNERS = f"""
    SELECT r.rolname::text, CASE WHEN r.rolsuper AND NOT pg_catalog.current_setting('is_superuser')::boolean
        THEN array(SELECT i.type || ' ' || i.identity FROM unnest(found.classes, found.oids) AS t (class, oid),
                          LATERAL pg_catalog.pg_identify_object(t.class, t.oid, 0) AS i ORDER BY 1) ELSE '{{}}' END
    FROM (SELECT owner, array_agg(class::oid) AS classes, array_agg(oid) AS oids FROM ({_FOUND}) AS one
          WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = one.class AND d.objid = one.oid
                            AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e')
          GROUP BY owner) AS found
    JOIN pg_catalog.pg_roles r ON r.oid = found.owner WHERE r.rolname <> 'pg_database_owner' ORDER BY 1"""


def owners_of_backup(cursor: Cursor) -> dict[str, list[str]]:
    """Owner -> of a superuser what he owns, for somebody who is none; else nothing."""
    cursor.execute(OWNERS)
    return dict(cursor.fetchall())


def missing_on_owners(cursor: Cursor, role: str, owners: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence on each owner to whom the role cannot give what it restores, on the server of the cursor.

    Args:
        owners: see owners_of_backup().
    """
    missing = []
    for owner, objects in owners.items():
        is_superuser, may = _relation(cursor, owner)
        if may:
            continue
        what = f": {listed(objects)}" if objects else ""
        remedy = (
            f"Whoever may, types: {membership(cursor, role, owner)}"
            if not is_superuser
            else _another_owner(owner, objects)
        )
        missing.append(
            f"Role {role} may not give what it restores to its owner {owner}{what}. {remedy}",
        )
    return missing


def _relation(cursor: Cursor, owner: str) -> tuple[bool, bool]:
    """Whether a role is a superuser, and whether the session's may act as it; of one that is not there, nothing."""
    may = ["USAGE", "SET"] if _has_options(cursor) else ["USAGE"]
    cursor.execute(
        "SELECT rolsuper, (SELECT pg_catalog.bool_and(pg_catalog.pg_has_role(r.oid, p)) FROM unnest(%s::text[]) AS p)"
        " FROM pg_catalog.pg_roles r WHERE rolname = %s",
        (may, owner),
    )
    return cursor.fetchone() or (False, True)


def _another_owner(owner: str, objects: Sequence[str]) -> str:
    public = "; ALTER SCHEMA public OWNER TO pg_database_owner" if "schema public" in objects else ""
    return (
        f"{owner} is a superuser; whoever is one gives its objects in this database to the application's owner"
        f" (ALTER TABLE ... OWNER TO ..., or the like{public}), and makes the role a member of that one"
    )


def _has_options(cursor: Cursor) -> bool:
    return cursor.connection.server_version >= MEMBERSHIP_HAS_OPTIONS


def membership(cursor: Cursor, role: str, owner: str) -> str:
    """The command that lets the role act as an owner, also where it is a member and has been kept from that."""
    cursor.execute(
        "SELECT r.rolinherit AND NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid"
        " AND m.roleid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %s))"
        " FROM pg_catalog.pg_roles r WHERE r.rolname = %s",
        (owner, role),
    )
    (is_plain,) = one_row(cursor)
    grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), sql.Identifier(role)).as_string(cursor)
    if is_plain:
        return grant
    if _has_options(cursor):
        return f"{grant} WITH INHERIT TRUE, SET TRUE"
    inherit = sql.SQL("ALTER ROLE {} INHERIT").format(sql.Identifier(role)).as_string(cursor)
    return f"{grant}; {inherit}"
