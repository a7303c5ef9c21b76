# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server of its own for the copies: that it is another one, and can hold what production has."""

from __future__ import annotations

import secrets

from ..errors import Refused
from ..postgres.advisory_locks import lock_of
from ..postgres.answers import one_row
from ..postgres.connection import psycopg2, server_identity, sql
from ..postgres.lasting_settings import elements
from ..sentences import listed
from ..shapes import Cursor
from .grants import tablespaces_used

__all__ = ["check_rehearsal_server"]

# Every role that a dump of this database names: owners, grantees, those of policies and default privileges (manual,
# pg_shdepend, which has them all). Initial privileges of extensions (deptype i) are made by the extension.
ROLES = """
    SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_shdepend d
    JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype IN ('o', 'a', 'r')
      AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY 1"""

MISSING_ROLES = """
    SELECT n FROM pg_catalog.unnest(%s::text[]) AS n
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname::text = n) ORDER BY 1"""

EXTENSIONS = "SELECT extname::text FROM pg_catalog.pg_extension ORDER BY 1"

MISSING_EXTENSIONS = """
    SELECT n FROM pg_catalog.unnest(%s::text[]) AS n
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions a WHERE a.name::text = n) ORDER BY 1"""

MISSING_TABLESPACES = """
    SELECT n FROM pg_catalog.unnest(%s::text[]) AS n
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace t WHERE t.spcname::text = n) ORDER BY 1"""

LOCK_THERE = """
    SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'
        AND (l.classid::pg_catalog.int8, l.objid::pg_catalog.int8, l.objsubid) = (%s, %s, %s))"""

# Of the database, and of this role in it.
LIBRARIES = """
    SELECT pg_catalog.substr(s, pg_catalog.strpos(s, '=') + 1)
    FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) AS s
    WHERE pg_catalog.starts_with(s, 'session_preload_libraries=')
      AND setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user))"""


def check_rehearsal_server(cursor: Cursor, copy_cursor: Cursor, host: str) -> None:
    """The server of group rehearsal is another one than production's, of its version, and can hold what that has.

    Args:
        cursor: of a transaction in production; only reads.
        copy_cursor: likewise, on the server where copies are made.
        host: inventory name of the host in group rehearsal.

    Raises:
        Refused: naming everything that is missing there, with the command where there is one.
    """
    production, there = server_identity(cursor), server_identity(copy_cursor)
    if production["system_identifier"] == there["system_identifier"] and _is_same_server(cursor, copy_cursor):
        raise Refused(
            "rehearsal_server_is_production",
            f"Group rehearsal names {host}, but what db_host and db_port of {host} lead to is production's own server:"
            " they are looked up on the host where the modules run, where the folder of a socket is that of its own"
            " server. Nothing was changed. Name the address of the other server; or take the group out of the"
            " inventory, to have the copy on production's server.",
        )
    obstacles = [
        *(["it is a standby, in which no database can be made"] if there["in_recovery"] else []),
        *_other_version(production["server_version"], there["server_version"]),
        *_missing_roles(cursor, copy_cursor),
        *_missing_extensions(cursor, copy_cursor),
        *_missing_tablespaces(cursor, copy_cursor),
        *_missing_libraries(cursor, copy_cursor),
    ]
    if obstacles:
        raise Refused(
            "rehearsal_server_unusable",
            f"A copy of production cannot be made on {host}: {listed(obstacles)}. Nothing was changed.",
            obstacles=obstacles,
        )


def _is_same_server(cursor: Cursor, copy_cursor: Cursor) -> bool:
    """Whether what a session of one holds is seen in the other.

    A clone (pg_basebackup, a snapshot of the disk) has the system identifier of its original, but not its locks; those
    of all databases of a server are in pg_locks (manual), which everybody may read.
    """
    key = secrets.randbits(63)
    cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (key,))
    copy_cursor.execute(LOCK_THERE, lock_of(key))
    return bool(one_row(copy_cursor)[0])


def _other_version(production: int, there: int) -> list[str]:
    """
    Args:
        production, there: server_version_num, whose last four digits are the minor version.
    """
    if production // 10000 == there // 10000:
        return []
    return [f"it has PostgreSQL {there // 10000}, and production {production // 10000}"]


def _missing_roles(cursor: Cursor, copy_cursor: Cursor) -> list[str]:
    names = _missing(cursor, ROLES, copy_cursor, MISSING_ROLES)
    commands = [
        sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)).as_string(copy_cursor) for name in names
    ]
    if not commands:
        return []
    return [f"it lacks roles that production's objects name; there, type: {listed(commands)}"]


def _missing_extensions(cursor: Cursor, copy_cursor: Cursor) -> list[str]:
    names = _missing(cursor, EXTENSIONS, copy_cursor, MISSING_EXTENSIONS)
    return [f"extensions of production are not installed on its machine: {listed(names)}"] if names else []


def _missing_tablespaces(cursor: Cursor, copy_cursor: Cursor) -> list[str]:
    copy_cursor.execute(MISSING_TABLESPACES, (tablespaces_used(cursor),))
    names = [name for (name,) in copy_cursor.fetchall()]
    commands = [
        sql.SQL("CREATE TABLESPACE {} LOCATION '...'").format(sql.Identifier(name)).as_string(copy_cursor)
        for name in names
    ]
    if not commands:
        return []
    return [f"it lacks tablespaces that production's objects are in; there, type: {listed(commands)}"]


def _missing_libraries(cursor: Cursor, copy_cursor: Cursor) -> list[str]:
    """Those that each session of the copy would load, and without which it would not begin.

    Only a superuser can give a copy this setting.
    """
    copy_cursor.execute("SELECT pg_catalog.current_setting('is_superuser')::boolean")
    if not one_row(copy_cursor)[0]:
        return []
    cursor.execute(LIBRARIES)
    libraries = {name for (value,) in cursor.fetchall() for name in elements(value) if name}
    names = [name for name in sorted(libraries) if not _loads(copy_cursor, name)]
    if not names:
        return []
    return [
        f"its sessions cannot load what session_preload_libraries of production's database names: {listed(names)}"
    ]


def _loads(cursor: Cursor, library: str) -> bool:
    """Whether a session can; this one, which ends with the look at the server, has it then."""
    cursor.execute("SAVEPOINT library")
    try:
        cursor.execute(sql.SQL("LOAD {}").format(sql.Literal(library)))
    except psycopg2.Error:
        cursor.execute("ROLLBACK TO SAVEPOINT library")
        return False
    return True


def _missing(cursor: Cursor, query: str, copy_cursor: Cursor, missing: str) -> list[str]:
    cursor.execute(query)
    copy_cursor.execute(missing, ([name for (name,) in cursor.fetchall()],))
    return [name for (name,) in copy_cursor.fetchall()]
