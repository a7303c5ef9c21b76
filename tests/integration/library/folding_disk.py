# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real file systems that take several spellings of a name for one, in a file that is mounted for a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["KINDS", "CannotMount", "mounted"]

MEGABYTES = 32
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

# How each is made and mounted; {image} and {folder} stand for the paths.
KINDS = {
    "ext4 with casefold": (
        ["mkfs.ext4", "-q", "-O", "casefold", "{image}"],
        ["mount", "-o", "loop", "{image}", "{folder}"],
    ),
    "vfat": (
        ["mkfs.vfat", "{image}"],
        ["mount", "-t", "vfat", "-o", "loop,utf8", "{image}", "{folder}"],
    ),
    # Of FUSE: it lists all names in small letters, and knows hard links, but no renameat2.
    "ntfs": (
        ["mkntfs", "-q", "-F", "{image}"],
        ["lowntfs-3g", "{image}", "{folder}", "-o", "ignore_case"],
    ),
}


class CannotMount(Exception):
    """This file system is not to be had here; says why."""


def _run(command: list[str], **places: str) -> None:
    program = shutil.which(command[0], path=PLACES)
    if program is None:
        raise CannotMount(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *(word.format(**places) for word in command[1:])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise CannotMount(f"{command[0]}: {lines[0] if lines else f'exit status {done.returncode}'}")


@contextlib.contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """An empty folder on a file system of this kind; unmounted at the end.

    Args:
        kind: of KINDS.
        folder: for the image and the mount.

    Raises:
        CannotMount: a program is missing, the kernel has no such file system, or only root may mount one.
    """
    make, mount = KINDS[kind]
    image, place = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(MEGABYTES * 2**20)
    place.mkdir()
    _run(make, image=str(image))
    _run(mount, image=str(image), folder=str(place))
    try:
        inside = place / "inside"
        inside.mkdir()
        if kind.startswith("ext4"):
            _run(["chattr", "+F", "{folder}"], folder=str(inside))
        yield inside
    finally:
        subprocess.run(["umount", str(place)], check=True)
        image.unlink()
