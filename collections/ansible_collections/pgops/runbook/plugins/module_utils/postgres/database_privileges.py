# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Privileges on a database, given to another one: to a copy all but those to connect, at a swap all.

A new database lets everybody in (manual, "Privileges"): what production shows nobody must not be read in its copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..shapes import Cursor
from .answers import one_row
from .connection import sql
from .lasting_settings import permitted

__all__ = ["CONNECT", "carry_privileges", "keep_others_out", "read_privileges"]

CONNECT = "CONNECT"

# What is granted on a database besides (manual, GRANT).
TO_MAKE = ("CREATE", "TEMPORARY")

#: What is so of a database on which nothing was granted or revoked, but for CONNECT.
OF_EVERYBODY = ((None, "TEMPORARY", False, ""),)

#: Role (None: PUBLIC), privilege, whether it may grant it, who has granted it.
Privilege = Sequence  # of [str or None, str, bool, str], as JSON has it

# Nothing granted is what PostgreSQL takes as the default. An owner may grant whatever was revoked from him.
PRIVILEGES = """
    SELECT r.rolname::text, a.privilege_type, a.is_grantable OR a.grantee = d.datdba, g.rolname::text
    FROM pg_catalog.pg_database d
    CROSS JOIN pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
    JOIN pg_catalog.pg_roles g ON g.oid = a.grantor LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE d.datname = %s ORDER BY r.rolname NULLS FIRST, 2, g.rolname"""


def read_privileges(cursor: Cursor, database: str) -> list[Privilege]:
    """The privileges on a database of the cursor's server, the default ones too, sorted."""
    cursor.execute(PRIVILEGES, (database,))
    return [list(row) for row in cursor.fetchall()]


def keep_others_out(cursor: Cursor, database: str, privileges: Sequence[Privilege] | None) -> None:
    """Of a database that is ours, let connect only its owner, superusers, and the role that is logged in.

    What is looked at besides when somebody works in it is as in the original: a script that does SET ROLE makes a
    temporary table or a schema there, or does not.

    Args:
        cursor: as the owner of the database.
        privileges: of the original (see read_privileges), perhaps of another server; None where there is none.
    """
    name = sql.Identifier(database)
    cursor.execute("SELECT session_user::text, current_user::text")
    logged_in, owner = one_row(cursor)
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    given = [one for one in (OF_EVERYBODY if privileges is None else privileges) if one[1] in TO_MAKE]
    cursor.execute(
        "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY (%s)", ([one[0] for one in given],)
    )
    there = {None, *(role for (role,) in cursor.fetchall())} - {owner}
    if logged_in != owner:
        given.append((logged_in, CONNECT, False, owner))
        there.add(logged_in)
    for role, privilege, grantable, _ in given:
        if role in there:
            cursor.execute(_grant(name, role, privilege, grantable))


def carry_privileges(cursor: Cursor, database: str, owner: str, privileges: Sequence[Privilege]) -> list[str]:
    """Give a database exactly these privileges, in the cursor's transaction, with who granted them.

    Args:
        database: which one gets them; it has that owner by now.
        privileges: see read_privileges; of the same server.

    Returns:
        What the role may not do, as the statements that a superuser has to type.
    """
    name = sql.Identifier(database)
    before = read_privileges(cursor, database)
    roles = dict.fromkeys([None, owner, *(one[0] for one in before)])
    statements = [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM {} CASCADE").format(name, _role(role)) for role in roles
    ]
    statements += [
        _grant(name, role, privilege, grantable and role != owner)
        for role, privilege, grantable, grantor in privileges
        if grantor == owner
    ]
    refused = [one.as_string(cursor) for one in statements if not permitted(cursor, one)]
    return refused + _granted_by_others(cursor, name, owner, privileges)


def _granted_by_others(
    cursor: Cursor, name: sql.Identifier, owner: str, privileges: Sequence[Privilege]
) -> list[str]:
    """Grant as those who were granted to grant, in the order in which they could; else as the owner."""
    refused: list[str] = []
    may_grant = {
        (role, privilege)
        for role, privilege, grantable, grantor in privileges
        if grantor == owner and grantable
    }
    left = [one for one in privileges if one[3] != owner]
    while left:
        role, privilege, grantable, grantor = one = next(
            (one for one in left if (one[3], one[1]) in may_grant), left[0]
        )
        left.remove(one)
        may_grant |= {(role, privilege)} if grantable else set()
        grant = _grant(name, role, privilege, grantable)
        if not _permitted_as(cursor, grantor, grant):
            permitted(cursor, grant)
            refused.append(
                sql.SQL("SET ROLE {}; {}; RESET ROLE")
                .format(sql.Identifier(grantor), grant)
                .as_string(cursor)
            )
    return refused


def _permitted_as(cursor: Cursor, role: str, statement: sql.Composable) -> bool:
    cursor.execute("SELECT pg_catalog.current_setting('role')")
    (before,) = one_row(cursor)
    if not permitted(cursor, sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))):
        return False
    done = permitted(cursor, statement)
    cursor.execute("SELECT pg_catalog.set_config('role', %s, true)", (before,))
    return done


def _grant(name: sql.Identifier, role: str | None, privilege: str, grantable: bool) -> sql.Composed:
    with_option = sql.SQL(" WITH GRANT OPTION" if grantable and role is not None else "")
    return sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
        sql.SQL(privilege), name, _role(role), with_option
    )


def _role(role: str | None) -> sql.Composable:
    return sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
