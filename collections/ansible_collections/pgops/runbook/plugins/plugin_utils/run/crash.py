# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said of a module that ended without a report of its own: it crashed, was killed, or never began."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

__all__ = ["LOOK", "NOT_BEGUN", "explain_crash"]

#: Reason codes of a module that ended before it had connected to anything.
NOT_BEGUN = ("psycopg2_missing", "step_not_begun")

LOOK = "See what is true now: ansible-playbook playbooks/status.yml"

#: Of what a module has said: a person reads it, and the rest would bury what is to be typed.
LONGEST = 2000

# A shell gives 128 and the signal's number for a program that a signal ended (POSIX, Shell Command Language, 2.8.2).
SHELL_SIGNALS = 128


def explain_crash(step: str, result: Mapping[str, Any]) -> tuple[str, str]:
    """The code and the sentence for the result of a module that did not get as far as to report.

    Args:
        step: its name.
        result: what ansible-core made of the module's end: msg, where the module or ansible-core wrote one; exception,
            an ErrorSummary; rc and module_stderr, where the output is no result.
    """
    if result.get("reason_code"):
        return result["reason_code"], f"Step {step} could not run: {_one_line(result['msg'])}"
    number = _signal_of(result.get("rc"))
    if number is not None:
        name = _name(number)
        return (
            "step_killed",
            f"The process of step {step} was killed by signal {number} ({name}) before it could report. {LOOK}",
        )
    if not result.get("msg"):
        raised = _raised(result.get("exception"))
        return "step_crashed", f"Step {step} met an unexpected error: {raised}. {LOOK}"
    return "step_could_not_run", f"Step {step} could not run: {_told(result)}. {LOOK}"


def _signal_of(status: object) -> int | None:
    """Number of the signal that ended a process; negative where no shell stands between."""
    if not isinstance(status, int) or 0 <= status <= SHELL_SIGNALS:
        return None
    number = -status if status < 0 else status - SHELL_SIGNALS
    return number if number in set(signal.valid_signals()) else None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"


def _raised(exception: object) -> str:
    """What a module raised that it did not catch: the messages of ansible-core's summary, the innermost last."""
    told = ""
    event: Any = getattr(exception, "event", None)
    while event is not None:
        message = _one_line(event.msg).rstrip(".")
        told = told if message in told else f"{told}: {message}".removeprefix(": ")
        event = event.chain.event if event.chain else None
    return told or "it said nothing"


def _told(result: Mapping[str, Any]) -> str:
    """The message, and the last line of what Python or the shell wrote where that says more."""
    message = _one_line(result["msg"]).rstrip(".")
    last = _one_line((str(result.get("module_stderr") or "").strip().splitlines() or [""])[-1]).rstrip(".")
    return message if last in message else f"{message} ({last})"


def _one_line(text: object) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ... ({len(line) - LONGEST} more characters)"
