# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking a migration tool: it is started as a list of words, never by a shell."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Said", "ToolFailed", "ask"]

# A tool that waits for a lock, or for a server that does not answer, would wait for ever.
SECONDS = 300

LONGEST_SAID = 300


class ToolFailed(Exception):
    """A tool could not be started, or ended with an error; its text is what it said last."""


class Said(NamedTuple):
    """What a program has printed, on standard output and on standard error."""

    text: str
    errors: str


def ask(words: Sequence[str], folder: Path) -> Said:
    """What a program prints, as UTF-8.

    Args:
        words: the program and its arguments.
        folder: in which it is started.

    Raises:
        ToolFailed: it could not be started, did not end in time, or ended with an error.
    """
    try:
        answer = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except OSError as error:
        raise ToolFailed(f"{words[0]} could not be started: {error.strerror}") from None
    except ValueError:
        raise ToolFailed("its name or an argument holds a NUL byte") from None
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"it has not ended after {SECONDS} s") from None
    said = Said(*(_text(one) for one in (answer.stdout, answer.stderr)))
    if answer.returncode:
        # Alembic prints "FAILED: ..." on standard output.
        words_of_it = last_words(said.errors) or last_words(said.text)
        raise ToolFailed(words_of_it or f"it ended with exit status {answer.returncode}")
    return said


def _text(printed: bytes) -> str:
    """What is no UTF-8 and what no script may hold, a NUL byte, is replaced, so that somebody sees it."""
    return printed.decode("utf-8", errors="replace").replace("\0", "\ufffd")


def last_words(text: str) -> str:
    """The last line, on one line and not too long; what is indented goes on with the line before."""
    lines = [line for line in text.splitlines() if line.strip() and not line[0].isspace()]
    return textwrap.shorten(lines[-1], LONGEST_SAID, placeholder=" ...") if lines else ""
