# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much memory a process and all that descend from it take, seen from outside."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path

__all__ = ["MEGABYTE", "Memory", "Peaks", "below"]

MEGABYTE = 2**20
SECONDS_BETWEEN = 0.25


def below(parents: Mapping[int, int], root: int) -> set[int]:
    """A process and all that descend from it.

    Args:
        parents: process -> its parent.
    """
    found = {root}
    while new := {one for one, parent in parents.items() if parent in found} - found:
        found |= new
    return found


class Memory(threading.Thread):
    """The most memory that a process, and with it all that descend from it, have held.

    Attributes:
        controller: the most that the process itself has held, in bytes.
        together: of all of them at one moment, shared pages counted once.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.controller = self.together = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(SECONDS_BETWEEN):
            found = below(_parents(), self.root)
            self.together = max(self.together, sum(map(_proportional_bytes, found)))
            self.controller = max(self.controller, _resident_bytes(self.root))


class Peaks(threading.Thread):
    """The most memory that a process, and each one of those that descend from it, has held; shared pages and all.

    It asks only for what the kernel has noted (proc_pid_status(5), VmHWM), and only newer processes, so that what they
    do meanwhile can be timed: less than a hundredth of a core.

    Attributes:
        controller: the most of the process itself, in bytes.
        largest: the most of any one below it.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.controller = self.largest = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(SECONDS_BETWEEN):
            self.controller = max(self.controller, _most_resident_bytes(self.root))
            found = below(_parents(newer_than=self.root), self.root) - {self.root}
            self.largest = max([self.largest, *map(_most_resident_bytes, found)])


def _parents(newer_than: int = 0) -> dict[int, int]:
    """Process -> its parent, of those with a greater number: where numbers have not begun anew, those begun since."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal() and int(path.name) > newer_than:
            with contextlib.suppress(OSError):  # it has ended meanwhile
                text = (path / "stat").read_text()
                found[int(path.name)] = int(text.rpartition(")")[2].split()[1])
    return found


def _proportional_bytes(pid: int) -> int:
    """Memory of a process, of which pages that it shares with others count in part (proc_pid_smaps_rollup(5))."""
    return _kilobytes(f"/proc/{pid}/smaps_rollup", "Pss:") * 1024


def _resident_bytes(pid: int) -> int:
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:") * 1024


def _most_resident_bytes(pid: int) -> int:
    return _kilobytes(f"/proc/{pid}/status", "VmHWM:") * 1024


def _kilobytes(path: str, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
