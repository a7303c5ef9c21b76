# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The line that moves while a step works; without a terminal, a line now and then."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from ...module_utils.sentences import visible
from .found import megabytes
from .lines import NAME_WIDTH, SECONDS_WIDTH

__all__ = ["CLEARED", "COMPACT_FROM", "MovingLine", "Screen", "progress_in_words", "waiting_for"]

#: Back to the beginning of the line, and nothing on it any more.
CLEARED = "\r\x1b[K"

# Of a few databases as of one: a lock that is held for long has to be seen while it is held.
A_FEW = 3
SECONDS_BETWEEN_LINES = 10
SECONDS_BETWEEN_LINES_OF_MANY = 30

#: With more databases at work together than so many, each has one line, when its run has ended.
COMPACT_FROM = 10


class Screen:
    """How the screen is; set by the stdout callback, and known to the processes of tasks, which are forked later.

    Attributes:
        moves: whether a line may be written over again and again.
        width: of the terminal, in characters.
        databases: how many are at work together, so that a line says of which it is.
    """

    moves = False
    width = 80
    databases = 1


def progress_in_words(told: dict[str, Any]) -> str:
    """``restoring: 120 MB of 400 MB, 28 s left; 2 sessions wait behind it``.

    Args:
        told: a line of the module: what, done, total, unit, seconds, server, percent, rows_copied, waiting, waits_for;
            each may be missing.
    """
    waits_for = told.get("waits_for")
    parts = [f"waits for {waits_for}" if waits_for else "", _counted(told), _of_server(told)]
    waiting = told.get("waiting")
    if waiting:
        parts.append(
            f"{waiting} session{'' if waiting == 1 else 's'} wait{'s' if waiting == 1 else ''} behind it"
        )
    return "; ".join(filter(None, parts))


def _counted(told: dict[str, Any]) -> str:
    what, done, total = told.get("what", ""), told.get("done") or 0, told.get("total")
    if not what or total is None:
        return what
    counted = megabytes if told.get("unit") == "bytes" else "{:,}".format
    if done > total:
        # A restored database may be larger than the one of the backup was, and rows come while others are counted.
        return f"{what}: {counted(done)}"
    words = f"{what}: {counted(done)} of {counted(total)}"
    left = _seconds_left(done, total, told.get("seconds") or 0)
    return f"{words}, {left:,.0f} s left" if left else words


def _seconds_left(done: float, total: float, seconds: float) -> float:
    """At the rate until now; 0 where there is none yet."""
    return (total - done) * seconds / done if 0 < done < total and seconds >= 2 else 0


def _of_server(told: dict[str, Any]) -> str:
    if told.get("server"):
        percent = told.get("percent")
        return told["server"] if percent is None else f"{told['server']} {percent} %"
    rows = told.get("rows_copied")
    return f"{rows:,} rows of the tables at work" if rows else ""


class MovingLine:
    """One step on the screen while it works.

    Args:
        step: its name.
        host: on whose database it works.
        display: Display.display, which the process of a task may call at any time.
    """

    def __init__(self, step: str, host: str, display: Callable[..., None]) -> None:
        several = Screen.databases > 1
        self._step = f"{host}  {step}" if several else step
        self._display = display
        # One line can be written over by one step at a time.
        self._moves = Screen.moves and not several
        many = Screen.databases > A_FEW
        self._seconds_between = SECONDS_BETWEEN_LINES_OF_MANY if many else SECONDS_BETWEEN_LINES
        self._started = time.monotonic()
        self._next_line = self._started + self._seconds_between
        self._is_shown = False

    def show(self, line: str, at_once: bool = False) -> None:
        """Show how far the step is.

        Args:
            line: of JSON, as the module wrote it; empty where it has written none.
            at_once: whether to show it even if there was a line just now, or none is due yet.
        """
        now = time.monotonic()
        if Screen.databases > COMPACT_FROM or not (self._moves or at_once or now >= self._next_line):
            return
        self._next_line = now + self._seconds_between
        try:
            words = progress_in_words(json.loads(line)) if line else ""
        except ValueError:  # half of a line
            words = ""
        text = f"  · {self._step:<{NAME_WIDTH}} {f'{now - self._started:,.0f} s':>{SECONDS_WIDTH}}  {visible(words)}"
        text = text.rstrip()
        if self._moves:
            self._display(f"{CLEARED}{text[: Screen.width - 1]}", newline=False, screen_only=True)
            self._is_shown = True
        else:
            self._display(text)

    def clear(self) -> None:
        """Leave an empty line for what comes next."""
        if self._is_shown:
            self._display(CLEARED, newline=False, screen_only=True)


@contextlib.contextmanager
def waiting_for(
    called: str, step: str, host: str, display: Callable[..., None]
) -> Iterator[Callable[[], None]]:
    """Inside, the screen says what is waited for: at once, and again when the function that is given is called.

    Args:
        called: what that is, as a person knows it.
        step, host, display: see MovingLine.
    """
    line, told = MovingLine(step, host, display), json.dumps({"what": f"waits for {called}"})
    try:
        line.show(told, at_once=True)
        yield lambda: line.show(told)
    finally:
        line.clear()
