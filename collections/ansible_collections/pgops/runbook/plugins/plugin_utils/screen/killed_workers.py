# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ends a command one of whose own processes was killed, as the kernel does where memory runs out.

Ansible has a process for each task of each host, and the strategies ``free`` and ``host_pinned`` wait for its result
without an end (ansible-core 2.19, ansible.plugins.strategy.free: has_dead_workers() is asked by ``linear`` alone).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.process import BaseProcess

__all__ = ["KilledWorkers"]

#: Strategies that do not look for it.
BLIND_STRATEGIES = ("free", "host_pinned", "ansible.builtin.free", "ansible.builtin.host_pinned")

# By these Ansible ends its processes itself.
ORDINARY_ENDS = (signal.SIGTERM, signal.SIGINT)

# Means nothing to Ansible.
INTERRUPTING = signal.SIGUSR1

# A process that was never seen alive is not missed: whatever needs much memory lives longer.
SECONDS_BETWEEN = 0.1


class KilledWorkers:
    """Looks from a thread of the controller's process, which it interrupts as Ctrl-C does."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._at_work = threading.Event()
        self._thread: threading.Thread | None = None

    def begin_play(self, strategy: object) -> None:
        """A play begins.

        Args:
            strategy: of the play.
        """
        if strategy not in BLIND_STRATEGIES:
            self._at_work.clear()
            return
        self._at_work.set()
        if self._thread is None:
            # Not by SIGINT, which a command in the background of a script ignores.
            signal.signal(INTERRUPTING, signal.default_int_handler)
            self._thread = threading.Thread(target=self._look, name="killed-workers", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """All plays have ended by themselves."""
        self._at_work.clear()

    def told(self) -> list[str]:
        """Of each that was killed a sentence."""
        return list(self._told)

    def _look(self) -> None:
        seen: set[BaseProcess] = set()
        pause = threading.Event()
        while not pause.wait(SECONDS_BETWEEN):
            self._at_work.wait()
            seen.update(multiprocessing.active_children())
            killed = []
            for worker in list(seen):
                try:
                    pid, status = worker.pid, worker.exitcode
                except ValueError:  # Ansible has its result, and has closed it.
                    pid, status = None, 0
                if status is not None:
                    seen.remove(worker)
                    killed += killed_by(pid, status)
            if killed and self._at_work.is_set():
                self._told += killed
                os.kill(os.getpid(), INTERRUPTING)
                return


def killed_by(pid: int | None, status: int) -> list[str]:
    """What is said of a process that ended.

    Args:
        pid: its number.
        status: its exit status, negative where a signal ended it (multiprocessing.Process.exitcode).

    Returns:
        list of str: a sentence; none where it ended by itself, or Ansible ended it.
    """
    if status >= 0 or -status in ORDINARY_ENDS:
        return []
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return [
        f"A process of this command was killed ({name}, pid {pid}); the kernel does that where memory runs out."
        " The command was ended."
    ]
