# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a command of the user's on the controller, for as long as it may take and no longer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any, NamedTuple

from ...module_utils.errors import Refused

__all__ = ["OPTIONS", "Ended", "run_within", "seconds_of_window"]

#: Options of the action run_within, as plugins/modules/run_within.py documents them.
OPTIONS: dict[str, dict[str, Any]] = {
    "argv": {"type": "list", "elements": "str", "required": True},
    "seconds": {"type": "float", "required": True},
    "stdin": {"type": "str", "default": ""},
    "step": {"type": "str", "required": True},
    "called": {"type": "str", "required": True},
}

# The run says nothing to the ledger while such a command works, and its lease (15 minutes) must not end meanwhile.
LONGEST_SECONDS = 600
WINDOW_SECONDS = 300

# Between two looks whether it has ended.
LOOK_SECONDS = 0.5


class Ended(NamedTuple):
    """How a command ended.

    Attributes:
        status: its exit status; 124 when time was over, as of timeout(1); 127 when it could not be started.
        stdout, stderr: what it has said until then.
        failure: why it has no exit status of its own, as a sentence without its end; else None.
    """

    status: int
    stdout: str
    stderr: str
    failure: str | None


def run_within(
    command: Sequence[object],
    seconds: float,
    stdin: str = "",
    meanwhile: Callable[[], None] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command, and end it with all that it has started when time is over.

    Args:
        command: words; ~ and $VARIABLE are replaced in them, as ansible.builtin.command does. No shell sees them.
        stdin: what it is given to read.
        meanwhile: called now and then while it works.
        environment: variables that it has besides ours.
    """
    words = [_expanded(str(word)) for word in command]
    if not words:
        return Ended(127, "", "", "no command was given")
    # Files, since a pipe stays open as long as anything has it that the command leaves behind.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode("utf-8"))
        given.seek(0)
        failure = None
        with _ends_with_us() as started:
            try:
                process = subprocess.Popen(
                    words,
                    stdin=given,
                    stdout=out,
                    stderr=err,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
                return Ended(127, "", "", f"{words[0]} could not be started: {reason}")
            started(process)
            ended = _has_ended(process, seconds, meanwhile)
        if not ended:
            _end(process)
            failure = f"{words[0]} had not ended after {seconds:g} s"
        return Ended(124 if failure else process.returncode, _said(out), _said(err), failure)


@contextmanager
def _ends_with_us() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Inside, who interrupts or ends this process ends the command too, which has a session of its own.

    Yields:
        what is to be told of the command as soon as it is started; a signal that comes before that waits for it.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    commands: list[subprocess.Popen[bytes]] = []
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if commands:
            _pass_on()

    def started(command: subprocess.Popen[bytes]) -> None:
        commands.append(command)
        if came:
            _pass_on()

    def _pass_on() -> None:
        _end(commands[0])
        number = signal.Signals(came[0])
        signal.signal(number, before[number])
        came.clear()
        os.kill(os.getpid(), number)

    for number in before:
        signal.signal(number, end)
    try:
        yield started
    except BaseException:
        for command in commands:
            _end(command)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for one in came:  # of a command that could not be started
            os.kill(os.getpid(), one)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _expanded(word: str) -> str:
    return os.path.expanduser(os.path.expandvars(word))  # noqa: PTH111 - any word, which a path would change


def _has_ended(process: subprocess.Popen[bytes], seconds: float, meanwhile: Callable[[], None]) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            process.wait(max(0.0, min(left, LOOK_SECONDS)))
        except subprocess.TimeoutExpired:
            if left <= LOOK_SECONDS:
                return False
            meanwhile()
        else:
            return True


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")


def seconds_of_window(value: object) -> float:
    """maintenance_window_timeout_seconds, which is a text where it was given with -e; None or empty is its default.

    Raises:
        Refused: it is no number of seconds for which a run may be silent.
    """
    if value is None or value == "":
        return WINDOW_SECONDS
    try:
        seconds = 0 if isinstance(value, bool) else int(str(value))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise Refused(
            "setting_invalid",
            f"maintenance_window_timeout_seconds is {value!r}, and has to be a number from 1 to {LONGEST_SECONDS}: a"
            " run holds the database for 15 minutes without a word. Production was not touched.",
        )
    return seconds
