# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Owners of what a backup holds: whoever restores it gives each object to its owner, and so has to act as that one.

For a superuser nobody else can do that, so his objects are named: another owner is the only remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..postgres.application_tables import APPLICATION_AND_RUNBOOK, in_schemas
from ..postgres.default_privileges import commands_to_forget
from ..postgres.membership import may_act_as, membership
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["Owned", "missing_on_owners", "owners_of_backup"]

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

# What belongs to an extension comes and goes with it. What is to be given to another owner is no default privilege.
OWNERS = f"""
    SELECT r.rolname::text, CASE WHEN r.rolsuper AND NOT pg_catalog.current_setting('is_superuser')::boolean
        THEN array(SELECT i.type || ' ' || i.identity FROM unnest(found.classes, found.oids) AS t (class, oid),
                          LATERAL pg_catalog.pg_identify_object(t.class, t.oid, 0) AS i
                   WHERE t.class <> 'pg_catalog.pg_default_acl'::regclass ORDER BY 1) ELSE '{{}}' END
    FROM (SELECT owner, array_agg(class::oid) AS classes, array_agg(oid) AS oids FROM ({_FOUND}) AS one
          WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = one.class AND d.objid = one.oid
                            AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e')
          GROUP BY owner) AS found
    JOIN pg_catalog.pg_roles r ON r.oid = found.owner WHERE r.rolname <> 'pg_database_owner' ORDER BY 1"""


class Owned(NamedTuple):
    """What an owner has in a backup, of a superuser for somebody who is none; else nothing.

    Attributes:
        objects: each as PostgreSQL names it.
        default_privileges: the commands by which there are none of this role's any more.
    """

    objects: Sequence[str] = ()
    default_privileges: Sequence[str] = ()


def owners_of_backup(cursor: Cursor) -> dict[str, Owned]:
    """Owner -> what is his."""
    cursor.execute(OWNERS)
    owners = cursor.fetchall()
    forget = commands_to_forget(cursor)
    return {owner: Owned(objects, forget.get(owner, ())) for owner, objects in owners}


def missing_on_owners(cursor: Cursor, role: str, owners: Mapping[str, Owned]) -> list[str]:
    """Sentences on each owner to whom the role cannot give what it restores, on the server of the cursor.

    Args:
        owners: see owners_of_backup().
    """
    missing = []
    for owner, (objects, default_privileges) in owners.items():
        is_superuser, may = may_act_as(cursor, owner)
        if may:
            continue
        if not is_superuser:
            missing.append(
                f"Role {role} may not give what it restores to its owner {owner}. Whoever may, types:"
                f" {membership(cursor, role, owner)}"
            )
        elif objects or not default_privileges:
            what = f": {listed(objects)}" if objects else ""
            missing.append(
                f"Role {role} may not give what it restores to its owner {owner}{what}."
                f" {_another_owner(owner, objects)}"
            )
        if is_superuser and default_privileges:
            missing.append(
                f"Role {role} may not restore what is granted on objects that {owner} will make, who is a superuser:"
                " say it for the role that makes them (ALTER DEFAULT PRIVILEGES FOR ROLE ... GRANT ...). A superuser"
                f" types: {'; '.join(default_privileges)}"
            )
    return missing


def _another_owner(owner: str, objects: Sequence[str]) -> str:
    public = "; ALTER SCHEMA public OWNER TO pg_database_owner" if "schema public" in objects else ""
    return (
        f"{owner} is a superuser; whoever is one gives its objects in this database to the application's owner"
        f" (ALTER TABLE ... OWNER TO ..., or the like{public}), and makes the role a member of that one"
    )
