# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Live progress: the lines that a module writes into a file on its host, shown here while it works."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["shown_progress"]

SECONDS_BETWEEN = 1


@contextlib.contextmanager
def shown_progress(
    path: str, execute: Callable[[str], dict[str, Any]], show: Callable[[str], None]
) -> Iterator[None]:
    """Show each line that is added to a file, and remove the file at the end.

    Args:
        path: of the file, on the host of the task.
        execute: runs a shell command there; ActionBase._low_level_execute_command.
        show: Display.display, which a worker process of Ansible may call at any time.
    """
    ended = threading.Event()
    quoted = shlex.quote(path)

    def follow() -> None:
        shown = 0
        while not ended.wait(SECONDS_BETWEEN):
            text = execute(f"tail -c +{shown + 1} {quoted} 2>/dev/null || true")["stdout"]
            whole = text[: text.rfind("\n") + 1]
            shown += len(whole.encode())
            for line in whole.splitlines():
                show(line)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        execute(f"rm -f {quoted}")
