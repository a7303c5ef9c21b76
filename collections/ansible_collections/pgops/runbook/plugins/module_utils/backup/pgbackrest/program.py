# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program pgbackrest, and what it says of its repository."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence

from ...errors import Refused, StepFailed
from ...sentences import listed
from ...shapes import Json
from .owner import INSTEAD, Owner

__all__ = [
    "PgBackRest",
    "check_backup_command",
    "check_names",
    "repository_is_elsewhere",
]

#: What PostgreSQL hands to a shell with the name of each segment (restore_command) is made of these characters alone.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,60}")
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./@:+-]*")

# Its exit status where another of its commands holds the lock of the stanza (error 50, LockAcquireError).
LOCKED = 50

# Likewise where a command works on the host of the repository alone, and this is another (error 72, HostInvalidError).
ANOTHER_HOST = 72

# What it says of a repository in ``info`` where something has gone wrong with it ("other", src/command/info/info.c).
UNREADABLE = 99

#: Options of every command that is run: what it says goes to our report, and to no screen.
QUIET = ("--log-level-console=off", "--log-level-stderr=warn", "--no-log-timestamp")

# What ``pgbackrest help`` says of an option that is set.
CURRENT = re.compile(r"^current: (?P<value>\S+)$", re.MULTILINE)


def check_names(stanza: str, config: str, scratch_dir: str) -> None:
    """The three variables are there, and of characters that mean nothing to a shell.

    Raises:
        Refused: naming the variable.
    """
    for variable, value, wanted, optional in (
        ("pgbackrest_stanza", stanza, PLAIN_NAME, False),
        ("pgbackrest_config", config, PLAIN_PATH, True),
        ("pgbackrest_scratch_dir", scratch_dir, PLAIN_PATH, False),
    ):
        if not value and not optional:
            what = {
                "pgbackrest_stanza": "the stanza of this server in pgbackrest.conf",
                "pgbackrest_scratch_dir": "a folder on the database's host with room for a second data folder",
            }[variable]
            raise Refused(
                "backup_engine_unusable",
                f"backup_engine=pgbackrest needs {variable}: {what}. Nothing was changed. Type the same command with"
                f" -e {variable}=..., or: {INSTEAD}",
            )
        if value and (not wanted.fullmatch(value) or ".." in value.split("/")):
            raise Refused(
                "backup_engine_unusable",
                f"{variable} is {value!r}. It may hold letters, digits and _ . -"
                f"{' / @ : +, and begins with /' if wanted is PLAIN_PATH else ''}. Nothing was changed. Correct it.",
            )


def check_backup_command(words: Sequence[str]) -> None:
    """The words of pgbackrest_backup_command are words.

    Raises:
        Refused: one is empty, or none that a program can be given.
    """
    if any(not word.strip() or "\0" in word for word in words):
        raise Refused(
            "backup_engine_unusable",
            f"pgbackrest_backup_command is {list(words)!r}: one of its words is empty, or holds a NUL. Nothing was"
            f""" changed. Give it as a list, as: {_way("pgbackrest", "repository")}""",
        )


def _way(user: str, host: str) -> str:
    """The option that names a way to the host of the repository."""
    return f"""-e '{{"pgbackrest_backup_command": ["ssh", "{user}@{host}", "pgbackrest"]}}'"""


def repository_is_elsewhere(stanza: str, host: str = "") -> Refused:
    """The refusal where backups have to be made on another host, and how is not known.

    Args:
        host: of the repository, where it is known.
    """
    return Refused(
        "backup_engine_unusable",
        f"The repository of stanza {stanza} is on {f'host {host}' if host else 'another host'}, where alone pgbackrest"
        " makes backups, and pgbackrest_backup_command does not say how it is reached. Production is as it was. Type"
        f" the same command with {_way('pgbackrest', host or 'repository')} (the words that start pgbackrest there,"
        f" with its --config if it has one of its own). {INSTEAD}",
    )


class PgBackRest:
    """pgbackrest with one stanza.

    Args:
        owner: as whom it runs.
        stanza: name of the stanza.
        config: its configuration file; empty means where it looks by itself.
        backup_command: words that start pgbackrest on the host of the repository; empty where that is this one.
    """

    def __init__(
        self, owner: Owner, stanza: str, config: str = "", backup_command: Sequence[str] = ()
    ) -> None:
        self.owner = owner
        self.stanza = stanza
        self.config = config
        self.backup_command = list(backup_command)

    def options(self) -> list[str]:
        """Those of every command."""
        return [f"--stanza={self.stanza}", *([f"--config={self.config}"] if self.config else [])]

    def path(self) -> str:
        """
        Raises:
            Refused: the program is not there.
        """
        path = shutil.which("pgbackrest")
        if path is None:
            raise Refused(
                "backup_engine_unusable",
                "The program pgbackrest was not found on PATH of the database's host. Nothing was changed. On Debian"
                f" type: apt-get install pgbackrest. {INSTEAD}",
            )
        return path

    def run(self, command: str, *options: str, holding: Sequence[int] = ()) -> str:
        """Run a command to its end; returns what it printed.

        Args:
            holding: descriptors of locks that are held until it has ended, also where we have died before.

        Raises:
            StepFailed: with what it said last.
        """
        return self._ended(command, [self.path(), *self.options(), *QUIET, *options, command], holding)

    def run_at_repository(self, command: str, *options: str) -> str:
        """Run a command that works on the host of the repository alone; returns what it printed.

        It is the words of backup_command that lead there, perhaps by ssh, which has a shell put together there what it
        is given: our own words are of characters that mean nothing to one.

        Raises:
            StepFailed: with what it said last.
            Refused: the repository is on another host, and backup_command is empty.
        """
        words = [self.path(), *self.options()]
        if self.backup_command:
            words = [*self.backup_command, f"--stanza={self.stanza}"]
        return self._ended(command, [*words, *QUIET, *options, command])

    def _ended(self, command: str, words: Sequence[str], holding: Sequence[int] = ()) -> str:
        try:
            answer = subprocess.run(
                words,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                pass_fds=holding,
                **self.owner.process(),
            )
        except OSError as error:
            why = f"{words[0]} could not be started: {error.strerror}."
            raise StepFailed("backup_engine_failed", why) from None
        if answer.returncode == 0:
            return answer.stdout
        if answer.returncode == ANOTHER_HOST and not self.backup_command:
            raise repository_is_elsewhere(self.stanza)
        raise StepFailed("backup_engine_failed", _failure(command, answer.returncode, answer.stderr))

    def host_of_repository(self) -> str | None:
        """The host of the repository by pgbackrest's configuration; None for this one, or where that is not told.

        Where it is not told (there are several repositories), a backup is tried, and may be refused.
        """
        try:
            said = self._ended("help", [self.path(), *self.options(), "help", "restore", "repo-host"])
        except StepFailed:
            return None
        found = CURRENT.search(said)
        return found["value"] if found and "<" not in found["value"] else None

    def info_at_repository(self) -> Json:
        """What is known of the stanza where backup_command leads; {} where nothing is.

        Raises:
            StepFailed: it leads to no pgbackrest.
        """
        return self._of_stanza(self.run_at_repository("info", "--output=json"))

    def _of_stanza(self, said: str) -> Json:
        try:
            return next((one for one in json.loads(said) if one.get("name") == self.stanza), {})
        except (ValueError, TypeError, AttributeError):
            raise StepFailed("backup_engine_failed", "pgbackrest info did not answer with JSON.") from None

    def info(self) -> Json:
        """What the repository has of the stanza: status, db (a list), backup (a list, the newest last).

        Raises:
            Refused: there is no such stanza, or its repository cannot be read.
        """
        try:
            stanza = self._of_stanza(self.run("info", "--output=json"))
        except StepFailed as error:
            raise Refused(
                "backup_engine_unusable", f"{error.reason} Nothing was changed. {INSTEAD}"
            ) from None
        if not stanza.get("db"):
            self._refuse_unreadable(stanza)
            raise Refused(
                "backup_engine_unusable",
                f"The repository of pgbackrest has no stanza {self.stanza}. Nothing was changed. Check"
                f" pgbackrest_stanza and pgbackrest_config, or make it; as user {self.owner.name} type: pgbackrest"
                f" {' '.join(self.options())} stanza-create",
            )
        return stanza

    def _refuse_unreadable(self, info: Json) -> None:
        """
        Raises:
            Refused: pgbackrest could not read a repository, which for it is no error: what is there is not known.
        """
        unreadable = _unreadable(info)
        if unreadable:
            raise Refused(
                "backup_engine_unusable",
                f"The repository of stanza {self.stanza} cannot be read: {unreadable}. Nothing was changed. Correct"
                f" that, until this shows the stanza, as user {self.owner.name}: pgbackrest {' '.join(self.options())}"
                f" info. {INSTEAD}",
            )

    def backup(self, *, label: str = "", run_id: str = "") -> Json | None:
        """A backup by its label, or that of a run; None where the repository does not have it.

        Raises:
            Refused: there is no such stanza, or a repository cannot be read that may have it.
        """
        info = self.info()
        for backup in reversed(info.get("backup") or []):
            if (label and backup["label"] == label) or (
                run_id and (backup.get("annotation") or {}).get("runbook") == run_id
            ):
                return backup
        self._refuse_unreadable(info)
        return None


def _unreadable(info: Json) -> str:
    """What pgbackrest says of repositories that it could not read; empty where there are none."""
    said = [
        (one.get("status") or {}).get("message") or ""
        for one in info.get("repo") or []
        if (one.get("status") or {}).get("code") == UNREADABLE
    ]
    return listed([" ".join(message.split()).rstrip(".") for message in said], 3)


def _failure(command: str, status: int, said: str) -> str:
    """One sentence on a command that failed."""
    if status < 0:
        return f"pgbackrest {command} was killed by signal {-status}."
    lines = [line for line in said.strip().splitlines() if not line.startswith("WARN")] or ["it said nothing"]
    cause = listed(lines[-5:], 5, " / ").rstrip(".")
    hint = ""
    if status == LOCKED:
        hint = " Another backup of this stanza is running: run again when it has ended."
    return f"pgbackrest {command} failed with exit status {status}: {cause}.{hint}"
