# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The user of the operating system that the server runs as, as whom pgbackrest runs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from typing import Any, NamedTuple

from ...errors import Refused

__all__ = ["INSTEAD", "Owner", "owner_of"]

INSTEAD = "Another engine: -e backup_engine=pg_dump"


class Owner(NamedTuple):
    """The operating system user that a server's data belong to."""

    uid: int
    gid: int
    name: str
    home: str

    def process(self) -> dict[str, Any]:
        """Arguments of subprocess.run and Popen: as this user, with nothing of our environment but its own options."""
        own = {name: value for name, value in os.environ.items() if name.startswith("PGBACKREST_")}
        arguments: dict[str, Any] = {
            "env": {**own, "PATH": os.environ.get("PATH") or os.defpath, "LC_ALL": "C", "HOME": self.home},
            "cwd": "/",
            "umask": 0o077,
            "stdin": subprocess.DEVNULL,
        }
        if os.geteuid() == 0:
            groups = os.getgrouplist(self.name, self.gid)
            arguments.update({"user": self.uid, "group": self.gid, "extra_groups": groups})
        return arguments

    def succeeds(self, program: str, *arguments: str) -> bool:
        """Whether a program of the system, run as this user, ends with 0."""
        path = shutil.which(program)
        return (
            path is not None
            and not subprocess.run([path, *arguments], check=False, **self.process()).returncode
        )


def owner_of(data: str) -> Owner:
    """Whose a data folder is, as whom we can run programs.

    Args:
        data: data_directory of the server.

    Raises:
        Refused: it is not on this host, or this user cannot become its owner.
    """
    try:
        folder = os.stat(data)
        account = pwd.getpwuid(folder.st_uid)
    except (OSError, KeyError) as error:
        why = getattr(error, "strerror", None) or "its owner is no user of this host"
        raise Refused(
            "backup_engine_unusable",
            f"backup_engine=pgbackrest works on the database's own host, but its data folder {data} cannot be used"
            f" here: {why}. Nothing was changed. Name the database's host as the inventory host. {INSTEAD}",
        ) from None
    if os.geteuid() not in (0, folder.st_uid):
        raise Refused(
            "backup_engine_unusable",
            f"pgbackrest has to run as {account.pw_name}, who owns {data}, and this task runs as user"
            f" {os.geteuid()}, who cannot become that one. Nothing was changed. Type the same command with -b"
            f" --become-user {account.pw_name}, or: {INSTEAD}",
        )
    return Owner(folder.st_uid, account.pw_gid, account.pw_name, account.pw_dir)
