# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connections to PostgreSQL: the one place that opens them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..activity import waits
from ..errors import Refused, RunbookError
from ..shapes import Connection, Cursor, Identity, Json, Target
from .answers import one_row
from .message import one_line
from .not_yet import FULL, says_not_yet
from .pooler import backend_pid, refuse_shared_session
from .script_session import STRINGS, STRINGS_OF_ROLE, take_our_turn
from .unreachable import EVERY_CONNECTION, advice, without_libpq_advice

#: Why psycopg2 cannot be used here, as a sentence's end; None where it can.
PSYCOPG2_IMPORT_ERROR: str | None = None
try:
    import psycopg2
    import psycopg2.errors
    import psycopg2.extensions
    from psycopg2 import sql
except ImportError as error:
    # The module says so with the name of the package; an import that fails here would be a traceback.
    missing = isinstance(error, ModuleNotFoundError) and error.name == "psycopg2"
    PSYCOPG2_IMPORT_ERROR = "is missing" if missing else f"cannot be loaded ({one_line(error)})"
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

#: Of libpq's keywords, what the options have where nothing is set: as libpq itself.
DEFAULTS = {"port": 5432, "sslmode": "prefer"}

# The option names are those of community.postgresql, which every user of Ansible and PostgreSQL knows.
TARGET_SPEC: Json = {
    "login_host": {"type": "str", "default": ""},
    "login_port": {"type": "int", "default": DEFAULTS["port"]},
    "login_user": {"type": "str", "default": ""},
    "login_password": {"type": "str", "default": "", "no_log": True},
    # Read on the controller, which gives the password in their place.
    "password_file": {"type": "str", "default": "", "no_log": True},
    "password_command": {"type": "raw", "default": [], "no_log": True},
    "login_db": {"type": "str", "required": True},
    "ssl_mode": {
        "type": "str",
        "default": DEFAULTS["sslmode"],
        "choices": ["allow", "disable", "prefer", "require", "verify-ca", "verify-full"],
    },
    "ca_cert": {"type": "path", "default": ""},
    "ssl_cert": {"type": "path", "default": ""},
    "ssl_key": {"type": "path", "default": ""},
    "service": {"type": "str", "default": ""},
    "options": {"type": "str", "default": ""},
}

#: Keyword of libpq -> our option, and the public variable that it comes from.
KEYWORDS = {
    "host": ("login_host", "db_host"),
    "port": ("login_port", "db_port"),
    "user": ("login_user", "db_user"),
    "password": ("login_password", "db_password"),
    "sslmode": ("ssl_mode", "db_sslmode"),
    "sslrootcert": ("ca_cert", "db_sslrootcert"),
    "sslcert": ("ssl_cert", "db_sslcert"),
    "sslkey": ("ssl_key", "db_sslkey"),
    "service": ("service", "db_service"),
    "options": ("options", "db_options"),
}

OF_EVERY_CLIENT = {"connect_timeout": 10, "application_name": "pgops.runbook"}

# A transaction of REPEATABLE READ takes its snapshot before it has its locks: rows that others commit while it waits
# for one would be in the table that it drops, and not in what it sees. So whatever database, role or server have as
# default, ours is this one; what needs one snapshot of all says so itself.
READ_COMMITTED = "ISOLATION LEVEL READ COMMITTED"

# Whatever the database or the role has: with the database's own, text that it cannot hold would be an error of ours
# before the server sees it. A database of SQL_ASCII converts nothing, and may hold any bytes.
CLIENT_ENCODING = "UTF8"

# How long a server is waited for that says that it starts or recovers: after the crash of one of its processes that
# mostly takes seconds.
PATIENCE_SECONDS: float = 60

# How long one that has said so may be away: it is started again.
AWAY_SECONDS: float = 10

PAUSE_SECONDS = 0.25


class ServerUnreachable(RunbookError):
    """No connection could be made; the message is libpq's own first line.

    ``details`` has ``waited`` (seconds) where the server was there and did not let us in for so long.
    """


def _parameters(target: Target, database: str | None = None) -> dict[str, Any]:
    """libpq keywords for ``target``; empty values are left to libpq's own defaults.

    With a service, so are those that have their default here: what its section says stands above it.

    Raises:
        Refused: a value has a NUL, which libpq cannot be given.
    """
    wanted = {keyword: target.get(option) for keyword, (option, _) in KEYWORDS.items()}
    if wanted["service"]:
        for keyword, default in DEFAULTS.items():
            wanted[keyword] = None if wanted[keyword] == default else wanted[keyword]
    wanted["dbname"] = database or target["login_db"]
    for keyword, value in wanted.items():
        if "\0" in str(value):
            _, variable = KEYWORDS.get(keyword, ("", "db_name"))
            raise Refused("setting_invalid", f"{variable} has a NUL character in it. Correct it.")
    return _nowhere_else({keyword: value for keyword, value in wanted.items() if value})


def _nowhere_else(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same, where a host is named: libpq goes to PGHOSTADDR, or to the address in a service, instead of to it.

    Empty it counts as not given, and keeps libpq from looking for another (fe-connect.c, conninfo_add_defaults).
    """
    return {"hostaddr": "", **parameters} if parameters.get("host") else parameters


def connect(target: Target, database: str | None = None, patience: float | None = None) -> Connection:
    """Open a connection; a server that starts or recovers is waited for, and whoever watches is told.

    Args:
        target: dict with the keys of TARGET_SPEC.
        database: another database of the same server; default is the target's own.
        patience: for how many seconds; PATIENCE_SECONDS.

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
    return _open(parameters, PATIENCE_SECONDS if patience is None else patience)


def connect_again(connection: Connection) -> Connection:
    """Another connection to the same database, as the same role.

    Raises:
        Refused, ServerUnreachable: as ``connect`` does.
    """
    # libpq does not tell of what is empty.
    parameters = _nowhere_else({**connection.info.dsn_parameters, "password": connection.info.password})
    return _open(parameters, PATIENCE_SECONDS)


def _open(parameters: Mapping[str, Any], patience: float) -> Connection:
    parameters = {**parameters, **OF_EVERY_CLIENT, "client_encoding": CLIENT_ENCODING}
    begun, said, when = time.monotonic(), None, 0.0
    try:
        while True:
            try:
                return _opened(parameters)
            except psycopg2.OperationalError as error:
                now = time.monotonic()
                not_yet = says_not_yet(str(error), parameters, psycopg2.connect) if patience else None
                if not_yet is not None:
                    said, when = not_yet, now
                    waits(f"the server, which says: {said}")
                waited = now - begun
                if said is None or waited >= patience or now - when > AWAY_SECONDS:
                    raise _unreachable(parameters, error, None if said is None else waited) from None
            time.sleep(PAUSE_SECONDS)
    finally:
        if said is not None:
            waits(None)


def _unreachable(
    parameters: Mapping[str, Any], error: psycopg2.Error, waited: float | None
) -> ServerUnreachable:
    """
    Args:
        waited: for how long the server was waited for, where it was.
    """
    # libpq names host, port and cause, and never the password.
    cause = without_libpq_advice(one_line(error)) or "no reason given"
    said = f"Cannot connect to database {parameters['dbname']!r}: {cause.rstrip('.?')}."
    if waited is None:
        return ServerUnreachable("server_unreachable", f"{said} {advice(cause) or EVERY_CONNECTION}")
    if FULL.search(cause):
        return ServerUnreachable(
            "server_unreachable",
            f"{said} That was so for {waited:.0f} s. End sessions that nobody needs, or let max_connections be greater;"
            " then type the same command again.",
            waited=round(waited, 1),
        )
    return ServerUnreachable(
        "server_unreachable",
        f"{said} It was waited for, for {waited:.0f} s: it was starting, recovering or shutting down. Look at the"
        " server's log; when it lets people in again, type the same command again.",
        waited=round(waited, 1),
    )


def _opened(parameters: dict[str, Any]) -> Connection:
    """
    Args:
        parameters: gets options of which the session turns out to be in need.

    Raises:
        psycopg2.OperationalError: no connection could be made, or it was lost at once.
    """
    connection = psycopg2.connect(**parameters)
    if connection.info.parameter_status(STRINGS) == "off":
        # Whoever has set them: a variable, the section of a service, or PGOPTIONS.
        options = connection.info.dsn_parameters.get("options", "")
        connection.close()
        parameters["options"] = _with_standard_strings(options)
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


def _with_standard_strings(options: str) -> str:
    """Options of a session that begins with backslashes as plain characters.

    psycopg2 looks once, at the beginning, whether a constant needs the form E'...', and libpq at each constant whether
    a backslash in it is doubled: where we changed the setting later, they would not agree.

    Args:
        options: what the session has by now.
    """
    return f"{options} -c {STRINGS}=on -c {STRINGS_OF_ROLE}=off".lstrip()


def client_options(target: Target, database: str | None = None) -> list[str]:
    """Command-line options of PostgreSQL's client programs for ``target``; the password is never among them.

    All of it is one connection string, since the section of a service stands above options and environment: a program
    must not go another way than our own connections.
    """
    parameters = {**_parameters(target, database), **OF_EVERY_CLIENT}
    parameters.pop("password", None)
    return ["--no-password", f"--dbname={connection_string(**parameters)}"]


def connection_string(**keywords: Any) -> str:
    """A libpq connection string; keeps a database name with ``=`` or spaces from being read as one."""
    return psycopg2.extensions.make_dsn(**keywords)


def client_environment(target: Target) -> dict[str, str]:
    """Environment variables for the client programs: the password, which must not stand on a command line."""
    password = _parameters(target).get("password")
    return {"PGPASSWORD": password} if password else {}


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
