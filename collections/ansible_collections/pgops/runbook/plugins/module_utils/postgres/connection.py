# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connections to PostgreSQL: the one place that opens them."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import Refused, RunbookError
from ..shapes import Connection, Cursor, Identity, Target
from .answers import one_row
from .message import one_line
from .pooler import backend_pid, refuse_shared_session
from .script_session import STRINGS, STRINGS_OF_ROLE, take_our_turn

PSYCOPG2_IMPORT_ERROR: str | None = None
try:
    import psycopg2
    import psycopg2.errors
    import psycopg2.extensions
    from psycopg2 import sql
except ImportError:
    # The module says so with the name of the package; an import that fails here would be a traceback.
    PSYCOPG2_IMPORT_ERROR = traceback.format_exc()
    if (
        not TYPE_CHECKING
    ):  # nothing after that sentence uses them, so to the type checker they are always there
        psycopg2 = sql = None

__all__ = [
    "PSYCOPG2_IMPORT_ERROR",
    "READ_COMMITTED",
    "TARGET_SPEC",
    "ServerUnreachable",
    "client_environment",
    "client_options",
    "connect",
    "connect_again",
    "psycopg2",
    "read_committed",
    "server_identity",
    "sql",
    "transaction",
]

# The option names are those of community.postgresql, which every user of Ansible and PostgreSQL knows.
TARGET_SPEC = {
    "login_host": {"type": "str", "default": ""},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str", "default": ""},
    "login_password": {"type": "str", "default": "", "no_log": True},
    "login_db": {"type": "str", "required": True},
    "ssl_mode": {
        "type": "str",
        "default": "prefer",
        "choices": ["allow", "disable", "prefer", "require", "verify-ca", "verify-full"],
    },
}

CONNECT_TIMEOUT_SECONDS = 10

# A transaction of REPEATABLE READ takes its snapshot before it has its locks: rows that others commit while it waits
# for one would be in the table that it drops, and not in what it sees. So whatever database, role or server have as
# default, ours is this one; what needs one snapshot of all says so itself.
READ_COMMITTED = "ISOLATION LEVEL READ COMMITTED"

# Whatever the database or the role has: with the database's own, text that it cannot hold would be an error of ours
# before the server sees it. A database of SQL_ASCII converts nothing, and may hold any bytes.
CLIENT_ENCODING = "UTF8"


class ServerUnreachable(RunbookError):
    """No connection could be made; the message is libpq's own first line."""


def _parameters(target: Target, database: str | None = None) -> dict[str, Any]:
    """libpq keywords for ``target``; empty values are left to libpq's own defaults."""
    wanted = {
        "host": target.get("login_host"),
        "port": target.get("login_port"),
        "user": target.get("login_user"),
        "password": target.get("login_password"),
        "dbname": database or target["login_db"],
        "sslmode": target.get("ssl_mode"),
    }
    return {keyword: value for keyword, value in wanted.items() if value}


def connect(target: Target, database: str | None = None) -> Connection:
    """Open a connection.

    Args:
        target: dict with the keys of TARGET_SPEC.
        database: another database of the same server; default is the target's own.

    Returns:
        A psycopg2 connection outside of autocommit mode, in the runbook's own turn (see script_session).

    Raises:
        Refused: no database is named; libpq would take the one that is called like the role. Or a pooler gives each
            transaction another session.
        ServerUnreachable: with the reason that libpq gives.
    """
    parameters = _parameters(target, database)
    if "dbname" not in parameters:
        raise Refused("setting_invalid", "No database is named. Set db_name.")
    return _open(parameters)


def connect_again(connection: Connection) -> Connection:
    """Another connection to the same database, as the same role.

    Raises:
        Refused, ServerUnreachable: as ``connect`` does.
    """
    return _open({**connection.info.dsn_parameters, "password": connection.info.password})


def _open(parameters: Mapping[str, Any]) -> Connection:
    parameters = {
        **parameters,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "pgops.runbook",
        "client_encoding": CLIENT_ENCODING,
    }
    try:
        connection = psycopg2.connect(**parameters)
        if connection.info.parameter_status(STRINGS) == "off":
            connection.close()
            parameters["options"] = _with_standard_strings()
            connection = psycopg2.connect(**parameters)
        try:
            # Before anything is set, which would stay in a session that is somebody else's next. Poolers cancel for
            # their clients, and so give them a process id of their own.
            if backend_pid(connection) != connection.info.backend_pid:
                refuse_shared_session(connection, lambda: psycopg2.connect(**parameters))
            with transaction(connection) as cursor:
                take_our_turn(cursor)
        except BaseException:
            connection.close()
            raise
        return connection
    except psycopg2.OperationalError as error:
        # libpq names host, port and cause, and never the password.
        cause = one_line(error) or "no reason given"
        raise ServerUnreachable(
            "server_unreachable",
            f"Cannot connect to database {parameters['dbname']!r}: {cause.rstrip('.?')}."
            " Check db_host, db_port, db_name, db_user and db_password.",
        ) from None


def _with_standard_strings() -> str:
    """Options of a session that begins with backslashes as plain characters.

    psycopg2 looks once, at the beginning, whether a constant needs the form E'...', and libpq at each constant whether
    a backslash in it is doubled: where we changed the setting later, they would not agree.
    """
    return " ".join(
        filter(None, (os.environ.get("PGOPTIONS"), f"-c {STRINGS}=on", f"-c {STRINGS_OF_ROLE}=off"))
    )


def client_options(target: Target, database: str | None = None) -> list[str]:
    """Command-line options of PostgreSQL's client programs for ``target``; the password is never among them."""
    parameters = _parameters(target, database)
    options = ["--no-password"]
    for keyword, option in (("host", "--host"), ("port", "--port"), ("user", "--username")):
        if keyword in parameters:
            options.append(f"{option}={parameters[keyword]}")
    options.append(f"--dbname={connection_string(dbname=parameters['dbname'])}")
    return options


def connection_string(**keywords: str) -> str:
    """A libpq connection string; keeps a database name with ``=`` or spaces from being read as one."""
    return psycopg2.extensions.make_dsn(**keywords)


def client_environment(target: Target) -> dict[str, str]:
    """Environment variables for the client programs: what must not, or cannot, stand on a command line."""
    environment = {"PGAPPNAME": "pgops.runbook", "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT_SECONDS)}
    parameters = _parameters(target)
    if "password" in parameters:
        environment["PGPASSWORD"] = parameters["password"]
    if "sslmode" in parameters:
        environment["PGSSLMODE"] = parameters["sslmode"]
    return environment


def server_identity(cursor: Cursor) -> Identity:
    """Which database this is, so that a receipt of another one is not taken for ours.

    Returns:
        dict: system_identifier (str), database (str), database_oid (int), server_version (int, as
        server_version_num), in_recovery (bool).
    """
    cursor.execute(
        "SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),"
        " current_database(), (SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = current_database()),"
        " current_setting('server_version_num')::int, pg_catalog.pg_is_in_recovery()"
    )
    system_identifier, database, database_oid, server_version, in_recovery = one_row(cursor)
    return {
        "system_identifier": system_identifier,
        "database": database,
        "database_oid": database_oid,
        "server_version": server_version,
        "in_recovery": in_recovery,
    }


def read_committed(cursor: Cursor) -> None:
    """The level of a transaction that has done nothing yet, whatever a script has made of the session's default."""
    cursor.execute(f"SET TRANSACTION {READ_COMMITTED}")


@contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """``with transaction(connection) as cursor``: COMMIT at the end, ROLLBACK on any exception."""
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
