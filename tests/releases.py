# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers of other releases of PostgreSQL than the one that the tests install, where the machine has any.

Those of Debian and Ubuntu are found by themselves; further folders of programs are named in the environment variable
PGOPS_POSTGRESQL_PROGRAMS, with a colon between two, as PATH is written. What ``make versions`` has downloaded is there
as well.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from demo.local_server import PROJECT, SHARED_ROOT

__all__ = [
    "DOWNLOADED_PROGRAMS",
    "VARIABLE",
    "downloads",
    "programs_by_release",
    "programs_of_other_releases",
]

VARIABLE = "PGOPS_POSTGRESQL_PROGRAMS"
DEBIANS = Path("/usr/lib/postgresql")
#: In the folder of one release, as packages have it.
DOWNLOADED_PROGRAMS = "*/pginstall/bin"


def programs_of_other_releases() -> list[Path]:
    """Folders with initdb and postgres, sorted."""
    named = [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    return sorted(_that_serve([*DEBIANS.glob("*/bin"), *named]))


def programs_by_release() -> dict[int, Path]:
    """Release -> folder, the oldest first; of two folders of one release the machine's own rather than a download."""
    folders = [*_downloaded(), *programs_of_other_releases()]
    found = {release: folder for folder in folders if (release := _release(folder))}
    return dict(sorted(found.items()))


def downloads() -> Path:
    """Where ``make versions`` keeps the programs that it downloads, reachable for the user that a server runs as.

    That user of root's can often not enter the checkout.
    """
    if os.geteuid():
        return PROJECT / ".local" / "releases"
    digest = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:10]
    return SHARED_ROOT / f"pgops-runbook-releases-{digest}"


def _downloaded() -> list[Path]:
    """None where somebody else has put a folder of that name into one that everybody may write to."""
    if not downloads().exists() or downloads().lstat().st_uid != os.geteuid():
        return []
    return _that_serve(downloads().glob(f"[0-9]*/{DOWNLOADED_PROGRAMS}"))


def _that_serve(folders: Iterable[Path]) -> list[Path]:
    return [path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()]


def _release(folder: Path) -> int | None:
    """By what its server says; None where that does not run here."""
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(said.stdout.split()[2].partition(".")[0])
