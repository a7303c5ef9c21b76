# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Acting as the owner of something: whether the role may, and the command that lets it.

Nobody is ever told to make the role a member of a superuser, which would make it one.
"""

from __future__ import annotations

from ..shapes import Cursor
from .answers import one_row
from .application_tables import RELATIONS, in_schemas
from .connection import sql

__all__ = ["may_act_as", "membership", "to_act_as_owner_of_database"]

# Options of memberships are of this version (its release notes).
MEMBERSHIP_HAS_OPTIONS = 160000

# The role that owns most of the application's relations, of those as which the session's may act.
OWNERS_OF_APPLICATION = f"""
    SELECT r.rolname::text FROM {RELATIONS} JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
    WHERE {in_schemas()}
      AND NOT r.rolsuper AND r.rolname <> current_user
      AND (SELECT pg_catalog.bool_and(pg_catalog.pg_has_role(r.oid, p)) FROM unnest(%s::text[]) AS p)
    GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"""


def may_act_as(cursor: Cursor, owner: str) -> tuple[bool, bool]:
    """Whether a role is a superuser, and whether the session's may act as it; of one that is not there, nothing."""
    cursor.execute(
        "SELECT rolsuper, (SELECT pg_catalog.bool_and(pg_catalog.pg_has_role(r.oid, p)) FROM unnest(%s::text[]) AS p)"
        " FROM pg_catalog.pg_roles r WHERE rolname = %s",
        (_asked(cursor), owner),
    )
    return cursor.fetchone() or (False, True)


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


def to_act_as_owner_of_database(cursor: Cursor, role: str, database: str, owner: str) -> str:
    """Two sentences at most, which end with the command that lets the role rename the database and open or close it."""
    is_superuser, _ = may_act_as(cursor, owner)
    if not is_superuser:
        return f"Whoever may, types: {membership(cursor, role, owner)}"
    cursor.execute(OWNERS_OF_APPLICATION, (_asked(cursor),))
    other = cursor.fetchone()
    command = sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
        sql.Identifier(database), sql.Identifier(other[0] if other else role)
    )
    return (
        f"{owner} is a superuser, of whom nobody is made a member: the database needs an owner who is none, or a"
        f" superuser types this command as db_user. A superuser types: {command.as_string(cursor)}"
    )


def _asked(cursor: Cursor) -> list[str]:
    return ["USAGE", "SET"] if _has_options(cursor) else ["USAGE"]


def _has_options(cursor: Cursor) -> bool:
    return cursor.connection.server_version >= MEMBERSHIP_HAS_OPTIONS
