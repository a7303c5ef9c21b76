# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may read or write the runbook's schemas beside their owner.

What is made is its owner's alone (upgrade), also where ALTER DEFAULT PRIVILEGES of the application gives more. What
somebody grants afterwards stays until it is revoked, and is told: whoever may write the ledger decides what a run
believes, and whoever may read the salvage reads rows that were restricted where they were kept from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import Refused
from ..postgres.application_tables import LEDGER_SCHEMA, RUNBOOK_SCHEMAS
from ..postgres.connection import sql
from ..sentences import listed
from ..shapes import Cursor

__all__ = ["ForeignRight", "check_rights_of_others", "rights_of_others"]

READS = ("SELECT", "USAGE")

RIGHTS = """
    SELECT found.kind, found.name, found.owner,
           CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(acl.grantee)::text END,
           array_agg(DISTINCT acl.privilege_type ORDER BY acl.privilege_type)
    FROM (SELECT 'SCHEMA' AS kind, ARRAY[n.nspname::text] AS name, n.nspname AS schema, n.nspacl AS acl,
                 n.nspowner AS owner
          FROM pg_catalog.pg_namespace n UNION ALL
          SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, ARRAY[n.nspname::text, c.relname::text],
                 n.nspname, c.relacl, c.relowner
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') UNION ALL
          SELECT 'TABLE', ARRAY[n.nspname::text, c.relname::text], n.nspname, a.attacl, c.relowner
          FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) AS found,
         LATERAL pg_catalog.aclexplode(found.acl) AS acl
    WHERE found.schema = ANY (%s) AND acl.grantee <> found.owner
    GROUP BY 1, 2, 3, 4 ORDER BY 2, 4"""


# Whoever owns a table may drop it, without any right on its schema.
OWNED = """
    SELECT ARRAY[n.nspname::text, c.relname::text], o.rolname::text, pg_catalog.pg_get_userbyid(n.nspowner)::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p') AND NOT o.rolsuper
      AND NOT pg_catalog.pg_has_role(c.relowner, n.nspowner, 'USAGE')
    ORDER BY 1"""

# Who may write every table by membership, and is not the owner. Not superusers, nor who manages roles and so could give
# himself that right: services that run PostgreSQL for others give it to their administrators.
MAY_WRITE_ALL = """
    SELECT r.rolname::text FROM pg_catalog.pg_roles r
    WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolcreaterole
      AND pg_catalog.pg_has_role(r.oid, 'pg_write_all_data', 'MEMBER')
      AND NOT pg_catalog.pg_has_role(r.oid, coalesce(
        (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = %s),
        current_user::pg_catalog.regrole::pg_catalog.oid), 'USAGE')
    ORDER BY 1"""


class ForeignRight(NamedTuple):
    """What a role that does not own an object of ours may do with it.

    Attributes:
        name: of the object, quoted.
        role: who may, or PUBLIC.
        privileges: what, as GRANT calls it.
        revoke: the command that ends it, by whoever owns the schema, or by a superuser where he does not own this.
        harmful: whether it lets the role write, or read rows that were kept.
    """

    name: str
    role: str
    privileges: list[str]
    revoke: str
    harmful: bool


def rights_of_others(cursor: Cursor) -> list[ForeignRight]:
    """Rights on both schemas and all in them, also those on single columns. Only reads."""
    cursor.execute(RIGHTS, (list(RUNBOOK_SCHEMAS),))
    rights = []
    for kind, name, _, role, privileges in cursor.fetchall():
        shown = sql.Identifier(*name).as_string(cursor)
        whom = role if role == "PUBLIC" else sql.Identifier(role).as_string(cursor)
        writes = any(privilege not in READS for privilege in privileges)
        reads_kept_rows = name[0] != LEDGER_SCHEMA and kind == "TABLE"
        rights.append(
            ForeignRight(
                shown,
                role,
                privileges,
                f"REVOKE ALL ON {kind} {shown} FROM {whom}",
                writes or reads_kept_rows,
            )
        )
    cursor.execute(OWNED, (list(RUNBOOK_SCHEMAS),))
    for name, role, owner in cursor.fetchall():
        shown = sql.Identifier(*name).as_string(cursor)
        whose = sql.Identifier(owner).as_string(cursor)
        rights.append(
            ForeignRight(shown, role, ["ownership"], f"ALTER TABLE {shown} OWNER TO {whose}", harmful=True)
        )
    cursor.execute(MAY_WRITE_ALL, (LEDGER_SCHEMA,))
    for (role,) in cursor.fetchall():
        whom = sql.Identifier(role).as_string(cursor)
        rights.append(
            ForeignRight(
                "every table", role, ["pg_write_all_data"], f"REVOKE pg_write_all_data FROM {whom}", True
            )
        )
    return rights


def check_rights_of_others(cursor: Cursor, refuses: bool, warn: Callable[[str], object]) -> None:
    """Nobody but their owner writes the ledger or reads the salvage.

    Args:
        refuses: False where it is only warned of: an emergency rollback does not wait for a REVOKE.

    Raises:
        Refused: naming every role and right, with the commands that take them away.
    """
    harmful = [right for right in rights_of_others(cursor) if right.harmful]
    if not harmful:
        return
    who = listed([f"{one.role} has {', '.join(one.privileges)} on {one.name}" for one in harmful])
    sentence = (
        f"Others than their owner may write the runbook's schemas or read what is kept in them: {who}. Receipts and"
        " kept rows prove nothing while others can write them, and rows that were restricted can be read there."
        f" Whoever owns the schemas types: {'; '.join(one.revoke for one in harmful)}"
    )
    if refuses:
        raise Refused("ledger_open_to_others", f"{sentence}. Then type the same command again.")
    warn(sentence)
