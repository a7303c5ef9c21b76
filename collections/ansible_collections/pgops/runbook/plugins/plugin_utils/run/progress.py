# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Live progress: what a module writes into a file on its host, read here while it works."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure

__all__ = ["SECONDS_BETWEEN", "followed", "newest_line"]

SECONDS_BETWEEN: float = 1


def newest_line(path: str) -> str:
    """The last whole line of a file on this machine; empty where there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return lines[-2] if len(lines) > 1 else ""


@contextlib.contextmanager
def followed(
    path: str, execute: Callable[[str], dict[str, Any]], show: Callable[[str], None]
) -> Iterator[None]:
    """Show the newest line of a file on another host, again and again, and remove the file at the end.

    Args:
        path: of the file, on the host of the task.
        execute: runs a shell command there; ActionBase._low_level_execute_command.
        show: is given the line, or an empty one where there is none; called by another thread.
    """
    ended = threading.Event()
    quoted = shlex.quote(path)
    looked = False

    def follow() -> None:
        nonlocal looked
        while not ended.wait(SECONDS_BETWEEN):
            looked = True
            # A host that is away is named by the step itself.
            with contextlib.suppress(AnsibleConnectionFailure):
                show(execute(f"tail -n 1 {quoted} 2>/dev/null || true")["stdout"].strip())

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        # The module has removed it, unless it was killed; one that ended sooner is not asked.
        if looked:
            with contextlib.suppress(AnsibleConnectionFailure):
                execute(f"rm -f {quoted}")
