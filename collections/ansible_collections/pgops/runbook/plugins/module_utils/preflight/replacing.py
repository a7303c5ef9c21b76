# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore asks of the role: it makes a database, and renames it and the live one, in which nobody may be.

A deploy does not, and says so all the same: the day on which a restore is needed is a bad one to ask for rights.
"""

from __future__ import annotations

from ..postgres.answers import one_row
from ..postgres.connection import sql
from ..postgres.membership import may_act_as, to_act_as_owner_of_database
from ..shapes import Cursor

__all__ = ["missing_to_replace"]

# A superuser has every role, and so is shown none; sessions of superusers are looked for by who restores. The type of
# others' backends is only shown to roles that may read all statistics.
SESSIONS = """
    SELECT DISTINCT a.usename::text FROM pg_catalog.pg_stat_activity a
    JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
    WHERE a.datname = pg_catalog.current_database() AND NOT r.rolsuper
      AND NOT pg_catalog.pg_has_role(a.usesysid, 'USAGE')
      AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'USAGE') ORDER BY 1"""


def missing_to_replace(cursor: Cursor) -> list[str]:
    """A sentence on each right that the role lacks to replace the database, which ends with the command. Only reads."""
    cursor.execute(
        "SELECT current_user::text, r.rolsuper OR r.rolcreatedb, d.datname::text,"
        " pg_catalog.pg_get_userbyid(d.datdba)::text FROM pg_catalog.pg_database d, pg_catalog.pg_roles r"
        " WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user"
    )
    role, may_create, database, owner = one_row(cursor)
    missing, whom = [], sql.Identifier(role)
    if not may_create:
        command = sql.SQL("ALTER ROLE {} CREATEDB").format(whom).as_string(cursor)
        missing.append(f"Role {role} may not create and rename databases. A superuser types: {command}")
    if not may_act_as(cursor, owner)[1]:
        missing.append(
            f"Role {role} may not rename database {database}, which belongs to {owner}."
            f" {to_act_as_owner_of_database(cursor, role, database, owner)}"
        )
    cursor.execute(SESSIONS)
    others = [name for (name,) in cursor.fetchall()]
    if others:
        command = sql.SQL("GRANT pg_signal_backend TO {}").format(whom).as_string(cursor)
        missing.append(
            f"Role {role} may not end the sessions of {', '.join(others)}, who must be kept out while the databases"
            f" are swapped. A superuser types: {command}"
        )
    return missing
