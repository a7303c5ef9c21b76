# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command that gets a backup once it is proven, as to send it elsewhere; how it ends decides nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO

from ..shapes import Json

__all__ = ["AFTER_BACKUP_SPEC", "run_after_backup"]

AFTER_BACKUP_SPEC: Json = {
    "after_command": {"type": "list", "elements": "str", "default": []},
    "after_timeout_seconds": {"type": "int", "default": 900},
}

# How much of what it has said is told, from its end.
SAID = 500


def run_after_backup(command: Sequence[str], values: Mapping[str, str], seconds: float) -> Json:
    """Run the command, without a shell.

    Args:
        command: its words; {folder} and {run_id} in them stand for what ``values`` has of them.
        seconds: how long it may take; then it is ended with all that it has started.

    Returns:
        dict: failure (why it failed, as a sentence without its end; None where it did not) and seconds.
    """
    clock = time.monotonic()
    words = [_filled(word, values) for word in command]
    with tempfile.TemporaryFile() as output:
        failure = _failure(words, seconds, output)
    return {"failure": failure, "seconds": round(time.monotonic() - clock, 3)}


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _failure(words: Sequence[str], seconds: float, output: IO[bytes]) -> str | None:
    try:
        # Into a file: what it leaves running in the background may keep a pipe open for ever.
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, umask=0o077
        )
    except (OSError, ValueError) as error:
        return f"{words[0]} could not be started: {getattr(error, 'strerror', None) or error}"
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"{words[0]} had not ended after {seconds:g} s"
    if status == 0:
        return None
    how = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
    said = _said(output)
    return f"{words[0]} {how}{': ' if said else ''}{said}"


def _said(output: IO[bytes]) -> str:
    """The end of what it said, in one line."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - SAID))
    return " ".join(output.read().decode("utf-8", "replace").split())
