# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks of preflight that ask the server, its programs and the rights of the role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import Refused
from ..postgres.answers import one_row
from ..postgres.connection import connect, sql, transaction
from ..postgres.pooler import refuse_shared_session
from ..postgres.programs import find_program, program_major_version
from ..postgres.script_session import path_of_role, schemas_of_role
from ..shapes import Connection, Cursor, Identity, Target
from .rehearsal_server import check_rehearsal_server
from .rights import Tries, all_of_them, check_role

__all__ = [
    "OLDEST_SERVER",
    "check_client_programs",
    "check_own_session",
    "check_rights",
    "check_server",
    "check_writable",
    "cursor_of_copies",
    "warn_of_search_path",
]

OLDEST_SERVER = 15
KNOWS_TRANSACTION_TIMEOUT = 17


def check_server(identity: Identity) -> None:
    """A primary of a supported version.

    Raises:
        Refused: for a standby, or a server older than OLDEST_SERVER.
    """
    major = identity["server_version"] // 10000
    if identity["in_recovery"]:
        raise Refused(
            "server_is_standby",
            f"The server of {identity['database']} is a standby, which cannot be written. Set db_host to the primary.",
        )
    if major < OLDEST_SERVER:
        raise Refused(
            "server_too_old",
            f"The server is PostgreSQL {major}, and the runbook needs {OLDEST_SERVER} or newer.",
        )


def check_own_session(connection: Connection, target: Target) -> None:
    """The session stays ours from one transaction to the next, also where a pooler hands on the server's process id.

    Args:
        connection: to the target, outside of a transaction.

    Raises:
        Refused: a pooler gives each transaction another session.
    """
    refuse_shared_session(connection, lambda: connect(target))


def check_client_programs(identity: Identity, bindir: str) -> dict[str, int]:
    """pg_dump and pg_restore as new as the server (manual, pg_dump, Notes), and none that it does not understand.

    Those of 17 and newer set transaction_timeout wherever they restore, and servers before 17 do not know it (release
    notes of 17).

    Returns:
        dict: program -> major version.

    Raises:
        Refused: when one is missing, older, or cannot restore into this server.
    """
    major = identity["server_version"] // 10000
    versions = {}
    for program in ("pg_dump", "pg_restore"):
        path = find_program(program, bindir)
        versions[program] = program_major_version(path)
        if versions[program] < major:
            raise Refused(
                "client_program_unusable",
                f"{path} is version {versions[program]} and the server is {major}. An older program cannot back it"
                " up. Install the client programs of the server's version, or set pg_bindir.",
            )
        if versions[program] >= KNOWS_TRANSACTION_TIMEOUT > major:
            raise Refused(
                "client_program_unusable",
                f"{path} is version {versions[program]} and the server is {major}: a restore would set"
                " transaction_timeout, which this server does not know. Install the client programs of the server's"
                " version, or set pg_bindir.",
            )
    return versions


def check_writable(cursor: Cursor) -> None:
    """Transactions of this role may write in this database.

    The runbook could switch it off for its own sessions; but whoever made a database read-only had a reason.

    Raises:
        Refused: with the command that lets them write.
    """
    cursor.execute(
        "SELECT source, current_database()::text, session_user::text FROM pg_catalog.pg_settings"
        " WHERE name = 'default_transaction_read_only' AND setting = 'on'"
    )
    row = cursor.fetchone()
    if row is None:
        return
    source, database, role = row
    raise Refused(
        "database_read_only",
        f"Database {database} is read-only for role {role}: default_transaction_read_only is on (set by: {source}). If"
        f" it may be written, {_to_write_again(cursor, source, database, role)}; then type the same command again.",
    )


def _to_write_again(cursor: Cursor, source: str, database: str, role: str) -> str:
    names = {"database": sql.Identifier(database), "role": sql.Identifier(role)}
    where = {
        "database": "DATABASE {database}",
        "user": "ROLE {role}",
        "database user": "ROLE {role} IN DATABASE {database}",
    }.get(source)
    if where is not None:
        command = sql.SQL(f"ALTER {where} RESET default_transaction_read_only").format(**names)
        return f"a superuser types: {command.as_string(cursor)}"
    if source == "configuration file":
        return (
            "a superuser types: ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf()"
        )
    return "take it out of db_options, of PGOPTIONS, or of where else clients or the server's command line set it"


def warn_of_search_path(cursor: Cursor, warn: Callable[[str], object]) -> None:
    """No schema of the search_path exists: the scripts' unqualified names find nothing, and make nothing.

    A warning, because the first migration may be the one that makes the schema.
    """
    if schemas_of_role(cursor):
        return
    path = path_of_role(cursor)
    cursor.execute("SELECT pg_catalog.current_database()::text, session_user::text")
    database, role = one_row(cursor)
    command = sql.SQL("ALTER DATABASE {} SET search_path = ...").format(sql.Identifier(database))
    warn(
        f"No schema of the search_path ({path or 'empty'}) exists in database {database} for role {role}, so that"
        " scripts that do not name a schema fail, and schema_migrations is that of schema public. If no migration makes"
        f" that schema, correct db_user, or type: {command.as_string(cursor)}"
    )


@contextmanager
def cursor_of_copies(cursor: Cursor, copy_target: Target | None) -> Iterator[Cursor]:
    """Inside, a cursor of a transaction on the server where copies are made; production's own one, where that is it.

    Args:
        cursor: of a transaction in production.
        copy_target: connection options of the other server, if there is one.
    """
    if copy_target is None:
        yield cursor
        return
    connection = connect(copy_target)
    try:
        with transaction(connection) as copy_cursor:
            yield copy_cursor
    finally:
        connection.close()


def check_rights(
    cursor: Cursor,
    copy_cursor: Cursor,
    makes_copy: bool,
    rehearsal_host: str = "",
    tries: Tries = all_of_them,
) -> None:
    """The role may write, and may do all that the run will ask of it, here and where copies are made.

    Args:
        cursor, copy_cursor: of transactions in production, and where copies are made (see cursor_of_copies).
        makes_copy: whether the run restores a backup into a copy.
        rehearsal_host: inventory name of the host where copies are made, where that is to be another server.
        tries: see check_role().

    Raises:
        Refused: naming every right that is missing, each with the command that grants it.
    """
    check_writable(cursor)
    if copy_cursor is not cursor:
        check_writable(copy_cursor)
    if makes_copy and rehearsal_host:
        check_rehearsal_server(cursor, copy_cursor, rehearsal_host)
    check_role(cursor, copy_cursor, makes_copy, tries)
