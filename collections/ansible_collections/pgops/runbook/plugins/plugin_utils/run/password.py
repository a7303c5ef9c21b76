# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The password of the database, from where it is kept: read on the controller, and shown nowhere.

Neither a sentence nor an exception of this file quotes what was read, what a command has printed or its arguments.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping
from typing import Any

from ...module_utils.errors import RunbookError
from ...module_utils.sentences import listed

__all__ = ["PasswordUnavailable", "Passwords", "password_of"]

# A command that waits for somebody's answer must not hold up a run without an end.
COMMAND_SECONDS: float = 60

# What a server takes of a password (libpq-be.h, PG_MAX_AUTH_TOKEN_LENGTH, 65535).
MAX_BYTES = 65535

EXAMPLE = """-e '{"db_password_command": ["pass", "show", "database"]}'"""


class PasswordUnavailable(RunbookError):
    """There is no password where it is said to be; nothing was connected to."""


class Passwords:
    """Those of one task, each read once: a command may take its time, or ask for a finger on a key."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def put_into(self, target: Mapping[str, Any], whose: str = "") -> dict[str, Any]:
        """The option ``target`` of a step with its password, in place of where that is kept.

        Args:
            target: as in module_utils/postgres/connection.py, TARGET_SPEC.
            whose: words that say in an error which server is meant.

        Raises:
            PasswordUnavailable: see password_of.
        """
        given = {**target}
        kept = [given.pop(name, None) for name in ("login_password", "password_file", "password_command")]
        key = repr(kept)
        try:
            if key not in self._known:
                self._known[key] = password_of(*kept)
        except PasswordUnavailable as error:
            raise _unavailable(f"{whose}{error.reason}") from None
        return {**given, "login_password": self._known[key]}


def _unavailable(reason: str) -> PasswordUnavailable:
    return PasswordUnavailable("password_unavailable", reason)


def password_of(password: Any, file: Any, command: Any) -> str:
    """The password; empty where nothing is set, so that libpq looks where it does by itself.

    Args:
        password: db_password.
        file: db_password_file.
        command: db_password_command.

    Raises:
        PasswordUnavailable: more than one of them is set, or what is set gives no password.
    """
    given = {"db_password": password, "db_password_file": file, "db_password_command": command}
    found = [name for name, value in given.items() if value]
    if len(found) > 1:
        raise _unavailable(
            f"{listed(found, 3, ' and ')} are set, and at most one of them may be. Set the others to nothing where this"
            " host or its groups have them."
        )
    if file:
        return _of_file(str(file))
    if command:
        return _of_command(command)
    return str(password or "")


def _of_file(path: str) -> str:
    name = f"db_password_file {path}"
    path = os.path.expanduser(path)  # noqa: PTH111 - leaves a ~ that names nobody, where pathlib raises
    try:
        # Not to wait for who writes into a named pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            _check_mode(name, path, os.fstat(descriptor).st_mode)
            content = os.read(descriptor, MAX_BYTES + 2)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise _unavailable(f"{name} cannot be read on the controller: {why}. Correct it.") from None
    lines = content.splitlines()
    if len(lines) > 1:
        raise _unavailable(f"{name} has more than one line, and should have the password and nothing else.")
    return _text(name, lines)


def _check_mode(name: str, path: str, mode: int) -> None:
    """As libpq does with .pgpass (fe-connect.c, passwordFromFile)."""
    if not stat.S_ISREG(mode):
        raise _unavailable(
            f"{name} is no plain file. A program that gives the password is set as db_password_command."
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unavailable(
            f"{name} has mode {stat.S_IMODE(mode):04o}, so that others than its owner may use it. Type:"
            f" chmod 600 {shlex.quote(path)}. If others may have read it, give the role another password."
        )


def _of_command(command: Any) -> str:
    if not isinstance(command, (list, tuple)) or not all(isinstance(word, (str, int)) for word in command):
        raise _unavailable(
            f"db_password_command is no list of words; it goes through no shell. Set it as in: {EXAMPLE}"
        )
    words = [str(word) for word in command]
    name = f"db_password_command ({words[0]} ...)"
    return _text(name, _output(name, words).splitlines()[:1])


def _output(name: str, words: list[str]) -> bytes:
    """What the command prints; to its standard error nobody listens, since it may quote the password.

    Raises:
        PasswordUnavailable: it did not end with 0.
    """
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"had not ended after {COMMAND_SECONDS:g} s"
    except (OSError, ValueError) as error:
        why = f"could not be started: {getattr(error, 'strerror', None) or error}"
    else:
        if done.returncode == 0:
            return done.stdout
        why = (
            f"failed with exit status {done.returncode}"
            if done.returncode > 0
            else f"was killed by signal {-done.returncode}"
        )
    raise _unavailable(
        f"{name} {why}. What it prints may be the password, and is not shown: run it yourself on the controller.",
    )


def _text(name: str, lines: list[bytes]) -> str:
    """The first line as text.

    Raises:
        PasswordUnavailable: there is none, or PostgreSQL takes no such password.
    """
    line = lines[0] if lines else b""
    if not line:
        raise _unavailable(f"{name} gave no password: the first line is empty.")
    if len(line) > MAX_BYTES or b"\0" in line:
        raise _unavailable(f"{name} gave what is no password: it is too long, or has a NUL in it.")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise _unavailable(f"{name} gave a password that is not UTF-8.") from None
