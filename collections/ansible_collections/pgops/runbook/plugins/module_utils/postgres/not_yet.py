# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a server that refuses a connection may let us in a moment later: it starts, recovers, shuts down or is full.

One killed process of a server has all of it recover, and for some seconds nobody is let in. libpq hands on the
server's words, which are in the server's language, and not the SQLSTATE. So where the words are not known the server is
asked once more, by hand: it says this before anything else, to whoever comes, with and without TLS (manual, "Start-up",
and ProcessStartupPacket).
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from .unreachable import advice

__all__ = ["FULL", "NOT_YET", "says_not_yet"]

#: SQLSTATE cannot_connect_now.
NOT_YET = "57P03"

# postmaster.c and backend_startup.c, PostgreSQL 13 to 18.
WORDS = re.compile(
    r"the database system is (starting up|shutting down|in recovery mode|not (yet )?accepting connections)"
)

# proc.c and postinit.c, PostgreSQL 13 to 18: others have every connection, of which one may end at any moment. What a
# role or a database alone has too many of is no such thing: those may be ours.
FULL = re.compile(r"sorry, too many clients already|remaining connection slots are reserved")

# It says so for as long as it is a standby; likewise.
NEVER = "Hot standby mode is disabled"

# Nobody is there who could be asked: of the operating system or of libpq, in English (see unreachable.py).
NOBODY_THERE = re.compile(
    r"Connection refused|No such file or directory|timeout expired|could not translate host name|No route to host"
    r"|Network is unreachable|Permission denied"
)

ASKING_SECONDS = 3

PROTOCOL = 196608  # 3.0
LONGEST_ANSWER = 65536


def says_not_yet(said: str, parameters: Mapping[str, Any], connect: Any) -> str | None:
    """What a server says that will let us in when it has started, recovered or been started again; else None.

    Args:
        said: libpq's message of the attempt.
        parameters: libpq's keywords of the attempt.
        connect: psycopg2.connect.
    """
    if NEVER in said:
        return None
    found = WORDS.search(said) or FULL.search(said)
    if found is not None:
        return found.group()
    if advice(said) or NOBODY_THERE.search(said):
        return None
    for host, port in _addresses(parameters, connect):
        answer = _first_answer(host, port)
        if answer.get("C") == NOT_YET and NEVER not in answer.get("D", ""):
            return answer.get("M", "")
    return None


def _addresses(parameters: Mapping[str, Any], connect: Any) -> Iterator[tuple[str, int]]:
    """Where libpq would go, by all that decides it: arguments, the section of a service, the environment, defaults."""
    try:
        begun = connect(**parameters, async_=1)  # it does not wait for anybody
    except Exception:
        return
    with contextlib.closing(begun):
        found = begun.info.dsn_parameters
        hosts = (found.get("hostaddr") or found.get("host") or begun.info.host or "").split(",")
        ports = (found.get("port") or str(begun.info.port)).split(",")
    for number, host in enumerate(hosts):
        port = ports[number if number < len(ports) else 0]
        if host and port.isdigit():
            yield host, int(port)


def _first_answer(host: str, port: int) -> dict[str, str]:
    """Fields of the error with which a server answers who says hello (manual, "Error and Notice Message Fields")."""
    hello = struct.pack("!I", PROTOCOL) + b"user\0pgops.runbook\0database\0pgops.runbook\0\0"
    try:
        with _reached(host, port) as connection:
            connection.settimeout(ASKING_SECONDS)
            connection.sendall(struct.pack("!I", len(hello) + 4) + hello)
            return _fields(_message(connection))
    except (OSError, struct.error):
        return {}


def _reached(host: str, port: int) -> socket.socket:
    if not host.startswith(("/", "@")):
        return socket.create_connection((host, port), ASKING_SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(ASKING_SECONDS)
        path = f"{host}/.s.PGSQL.{port}"
        connection.connect(f"\0{path[1:]}" if host.startswith("@") else path)
    except OSError:
        connection.close()
        raise
    return connection


def _message(connection: socket.socket) -> bytes:
    """The body of the first message where that is an error; else nothing."""
    head = _exactly(connection, 5)
    kind, length = struct.unpack("!cI", head)
    return _exactly(connection, length - 4) if kind == b"E" and 4 < length < LONGEST_ANSWER else b""


def _exactly(connection: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            return b""
        read += more
    return read


def _fields(body: bytes) -> dict[str, str]:
    parts = [part.decode("utf-8", "replace") for part in body.split(b"\0") if part]
    return {part[0]: part[1:] for part in parts}
