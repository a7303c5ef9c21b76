# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another user plants where something of ours is to be: for the tests of all that writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def make_victim(folder: Path) -> Path:
    """Somebody's folder, in which nothing may be written, and which nobody may read through a link."""
    victim = folder / "victim"
    victim.mkdir()
    (victim / "run.json").write_text("precious")
    return victim


def untouched(victim: Path) -> bool:
    return [(one.name, one.read_text()) for one in victim.iterdir()] == [("run.json", "precious")]


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def link_to_file(path: Path, victim: Path) -> None:
    path.symlink_to(victim / "run.json")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def folder_of_another(path: Path, victim: Path) -> None:
    path.mkdir(mode=0o777)
    os.chown(path, NOBODY, NOBODY)


def fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)
    os.chown(path, NOBODY, NOBODY)


def file(path: Path, victim: Path) -> None:
    os.link(victim / "run.json", path)


def file_of_another(path: Path, victim: Path) -> None:
    path.write_text("")
    path.chmod(0o666)
    os.chown(path, NOBODY, NOBODY)


Plant = Callable[[Path, Path], None]

#: In the place of a folder.
PLANTS: list[Plant] = [link, folder_of_another, fifo, file]

#: In the place of a file.
PLANTED_FILES: list[Plant] = [link_to_file, folder_of_another, fifo, file]
