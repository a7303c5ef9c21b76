# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who runs this: the operator, the controller's process, and the name of a new run."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import secrets
import socket
import time
from pathlib import Path
from typing import Any

__all__ = ["controller_pid", "lives", "new_run_id", "operator", "process_start", "this_controller"]


def new_run_id(target: str) -> str:
    """A name that sorts by time and that two operators do not share."""
    safe = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in target)[:40]
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{safe}-{secrets.token_hex(4)}"


def operator() -> str:
    """Who has typed the command: USER@HOST."""
    for name in ("SUDO_USER", "LOGNAME", "USER"):
        if os.environ.get(name):
            return f"{os.environ[name]}@{socket.gethostname()}"
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def controller_pid() -> int:
    """The process of ansible-playbook, which forks one for each task.

    Not the parent of this process: where ansible-playbook was killed meanwhile, that is init, which lives for ever.
    """
    parent = multiprocessing.parent_process()
    return os.getpid() if parent is None or parent.pid is None else parent.pid


def this_controller() -> dict[str, Any]:
    """This ansible-playbook: enough to tell later, on the same machine, whether it still runs."""
    pid = controller_pid()
    return {
        "host": socket.gethostname(),
        "boot_id": _read("/proc/sys/kernel/random/boot_id"),
        "pid_namespace": _pid_namespace(),
        "pid": pid,
        "process_start": process_start(pid),
    }


def lives(controller: dict[str, Any]) -> bool | None:
    """Whether a controller's process (see this_controller) still runs; None where that cannot be seen from here.

    Two containers on one kernel do not see each other's processes, and use the same numbers for them. And some systems
    tell nothing of a process, not even of this one.
    """
    ours = this_controller()
    if not controller or process_start(os.getpid()) is None:
        return None
    if any(controller.get(key) != ours[key] for key in ("boot_id", "pid_namespace")):
        return None
    start = controller.get("process_start")
    if start is None:
        return False  # it was gone already when its task wrote this down
    pid = controller.get("pid", 0)
    return None if _is_hidden(pid) else process_start(pid) == start


def _pid_namespace() -> str | None:
    """Which processes this one sees (pid_namespaces(7)); None where the system has no such thing."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _is_hidden(pid: int) -> bool:
    """Whether there is a process of which another user's is told nothing (proc(5), "hidepid")."""
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return _read(f"/proc/{int(pid)}/stat") is None
    except (OSError, OverflowError):
        pass
    return False


def process_start(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, which its successor under the same pid does not have.

    None where there is none, or none that will do anything any more: one that was killed keeps its entry until its
    parent has asked for it, which in a container may be never (proc(5), "state").
    """
    stat = _read(f"/proc/{int(pid)}/stat")
    fields = stat.rsplit(")", 1)[-1].split() if stat else []
    return fields[19] if fields and fields[0] not in ("Z", "X") else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return None
