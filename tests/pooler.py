# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real PgBouncer before a test's server."""

from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from demo.local_server import LocalServer
from demo.server_account import ServerAccount
from demo.server_process import free_port
from tests.streaming import until

__all__ = ["PROGRAM", "Pooler", "pooler", "truthful"]

#: Debian package pgbouncer (.ci/packages).
PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

CONFIGURATION = """
[databases]
* = host={server.host} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
logfile = {log}
ignore_startup_parameters = extra_float_digits
"""


# BackendKeyData: its kind and length, then the process id (manual, "Message Formats").
KEY_DATA_BEGINS = b"K\x00\x00\x00\x0c"
KEY_DATA = re.compile(re.escape(KEY_DATA_BEGINS) + b"....", re.DOTALL)


class Pooler:
    """What a test needs of a server: where it listens; ``connect`` goes to the server itself."""

    def __init__(self, server: LocalServer, port: int) -> None:
        self.server = server
        self.host = "127.0.0.1"
        self.port = port
        self.user = server.user
        self.bindir = server.bindir

    def connect(self, dbname: str = "postgres") -> Connection:
        return self.server.connect(dbname)

    def connect_pooled(self, dbname: str) -> Connection:
        return psycopg2.connect(host=self.host, port=self.port, user=self.user, dbname=dbname)


@contextlib.contextmanager
def pooler(server: LocalServer, **settings: str) -> Iterator[Pooler]:
    """A PgBouncer with these settings, as the user of the server, which that lets in over its socket."""
    assert PROGRAM is not None
    place, account, port = Path(server.host).parent, ServerAccount(), free_port()
    folder = place / "pgbouncer"
    folder.mkdir()
    account.own(folder)
    users, log, configuration = folder / "users.txt", folder / "pgbouncer.log", folder / "pgbouncer.ini"
    users.write_text(f'"{server.user}" ""\n')
    more = "".join(f"{name} = {value}\n" for name, value in settings.items())
    configuration.write_text(CONFIGURATION.format(server=server, port=port, users=users, log=log) + more)
    process = subprocess.Popen(
        [PROGRAM, "--quiet", configuration],
        stdin=subprocess.DEVNULL,
        **account.popen_arguments(place),
    )
    try:
        until(lambda: process.poll() is not None or _answers(server, port), "PgBouncer answers")
        assert process.poll() is None, log.read_text()
        yield Pooler(server, port)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


@contextlib.contextmanager
def truthful(pool: Pooler, pid: int) -> Iterator[Pooler]:
    """The same pool, which tells its clients the process id of the server's only session, as some poolers may."""

    answer = KEY_DATA_BEGINS + struct.pack("!i", pid)

    class Client(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((pool.host, pool.port)) as upstream:
                while True:
                    for ready in select.select([self.request, upstream], [], [])[0]:
                        chunk = ready.recv(65536)
                        if not chunk:
                            return
                        if ready is upstream:
                            self.request.sendall(KEY_DATA.sub(lambda _: answer, chunk))
                        else:
                            upstream.sendall(chunk)

    with socketserver.ThreadingTCPServer((pool.host, 0), Client) as proxy:
        proxy.daemon_threads = True
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield Pooler(pool.server, proxy.server_address[1])
        finally:
            proxy.shutdown()
            thread.join()


def _answers(server: LocalServer, port: int) -> bool:
    try:
        psycopg2.connect(host="127.0.0.1", port=port, user=server.user, dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True
