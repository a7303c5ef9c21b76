# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL of one's own for the length of a rehearsal: an empty cluster in a temporary folder, gone afterwards.

It listens on a socket in that folder, which only its own user may enter, and on no address. PostgreSQL refuses to run
as root: for root it runs as the user postgres or nobody.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ...module_utils.errors import Refused
from ...module_utils.shapes import Target

__all__ = ["scratch_server"]

USER = "runbook"
PORT = 5432  # of a socket, in a folder that nobody else has

SECONDS_TO_START = 60
SECONDS_TO_STOP = 30

# Sorts and folds Unicode alike on every machine (manual, "Locale Providers").
BUILTIN_SINCE = 17
UNICODE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")

# It is thrown away: nothing of it has to survive a loss of power.
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "timezone": "UTC"}

# prctl(2)
PR_SET_PDEATHSIG = 1


@contextmanager
def scratch_server(bindir: str) -> Iterator[Target]:
    """A server that runs until this ends; gives how to connect to its empty database.

    Args:
        bindir: folder of PostgreSQL's server programs; empty means PATH.

    Raises:
        Refused: the programs are missing, or it does not start.
    """
    programs = _programs(bindir)
    # Not TMPDIR: the path of a socket has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pgops-check-", dir="/tmp"))
    try:
        account = _account(folder)
        _make_cluster(programs, folder, account)
        server = _start(programs, folder, account)
        try:
            yield {"login_host": str(folder), "login_port": PORT, "login_user": USER, "login_db": "postgres"}
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unusable(why: str) -> Refused:
    return Refused(
        "scratch_server_unusable",
        f"{why.rstrip('.')}. Nothing was rehearsed, and nothing is left behind. check_rehearse needs PostgreSQL's"
        " server programs: install them, and set pg_bindir to their folder; or leave check_rehearse out.",
    )


def _programs(bindir: str) -> dict[str, str]:
    programs = {}
    for name in ("initdb", "postgres"):
        path = os.path.join(os.path.expanduser(bindir), name) if bindir else shutil.which(name)  # noqa: PTH111, PTH118 - as it was typed
        if not path or not os.access(path, os.X_OK):
            where = f"in {bindir} (pg_bindir)" if bindir else "on PATH"
            raise _unusable(f"The program {name} was not found {where}")
        programs[name] = os.path.abspath(path)  # noqa: PTH100 - a link stays a link: Debian's lead to its own programs
    return programs


def _account(folder: Path) -> dict[str, Any]:
    """As whom its processes run, as arguments of Popen; the folder becomes that user's."""
    arguments: dict[str, Any] = {
        # Nothing of the caller's environment: PG*, LC_* and LD_LIBRARY_PATH would change the server.
        "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder)},
        "cwd": folder,
        "umask": 0o077,
        "stdin": subprocess.DEVNULL,
    }
    if os.geteuid() != 0:
        return arguments
    account = _unprivileged()
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {**arguments, "user": account.pw_name, "group": account.pw_gid, "extra_groups": []}


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        if account.pw_uid != 0:
            return account
    raise _unusable("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _make_cluster(programs: dict[str, str], folder: Path, account: dict[str, Any]) -> None:
    version = re.search(r"\(PostgreSQL\) (\d+)", _run([programs["postgres"], "--version"], account))
    if version is None:
        raise _unusable(f"{programs['postgres']} does not tell its version")
    _run(
        [
            programs["initdb"],
            f"--pgdata={folder / 'data'}",
            f"--username={USER}",
            *("--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync", "--no-instructions"),
            *(UNICODE if int(version[1]) >= BUILTIN_SINCE else ()),
        ],
        account,
    )


def _run(command: list[str], account: dict[str, Any]) -> str:
    """What a program says.

    Raises:
        Refused: it cannot be started, or fails.
    """
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=SECONDS_TO_START,
            check=False,
            **account,
        )
    except OSError as error:
        # Of root's: its folder is one that the user postgres may not enter.
        user = f" as user {account['user']}" if "user" in account else ""
        raise _unusable(f"{command[0]} cannot be run{user}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise _unusable(f"{command[0]} did not end within {SECONDS_TO_START} s") from None
    if done.returncode != 0:
        raise _unusable(f"{command[0]} failed: {_last_lines(done.stdout)}")
    return done.stdout


def _start(programs: dict[str, str], folder: Path, account: dict[str, Any]) -> subprocess.Popen[bytes]:
    settings = {**SETTINGS, "port": PORT, "unix_socket_directories": f'"{folder}"'}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [programs["postgres"], "-D", str(folder / "data"), *options],
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C at the terminal is for the check, which then stops it
            preexec_fn=partial(_end_with_parent, os.getpid()),
            **account,
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while server.poll() is None and time.monotonic() < deadline:
        if _is_ready(folder / "data" / "postmaster.pid"):
            return server
        time.sleep(0.05)
    _stop(server)
    raise _unusable(f"PostgreSQL did not start: {_last_lines(log.read_text(errors='replace'))}")


def _end_with_parent(parent: int) -> None:
    """In the new process: be stopped when the check is killed, which then cannot do it."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:
        os._exit(1)


def _is_ready(state: Path) -> bool:
    """The eighth line of postmaster.pid (manual, "postmaster.pid"; miscadmin.h) says so."""
    try:
        lines = state.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def _stop(server: subprocess.Popen[bytes]) -> None:
    """At once, without writing anything any more (manual, "Shutting Down the Server")."""
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(SECONDS_TO_STOP)


def _last_lines(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-4:])
