# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lines of the screen: one a step, and a failure told once."""

from __future__ import annotations

from collections.abc import Iterable

from ...module_utils.ledger.approvals import AWAITING
from ...module_utils.sentences import visible

__all__ = ["MARKS", "PLAIN_MARKS", "Said", "host_column", "indented", "mark_of_end", "step_line"]

#: How a line begins, where the terminal has the characters and where it does not.
MARKS = {"ok": "✓", "failed": "✗", "waiting": "…"}
PLAIN_MARKS = {"ok": "ok    ", "failed": "FAILED", "waiting": "WAITS "}

NAME_WIDTH = len("emergency_rollback")
SECONDS_WIDTH = len("1,234.5 s")

# A longer name is shown whole, and only its line is out of step.
LONGEST_HOST = 30


def mark_of_end(outcome: object) -> str:
    """How the line of a step begins with which a run has ended: a run that waits for others has not failed."""
    return "waiting" if outcome == AWAITING else "failed"


def host_column(host: str, hosts: Iterable[str]) -> str:
    """The name of a host as the lines of several have it, which are about others in between: ``books   ``.

    Args:
        hosts: all that have lines.
    """
    width = min(max((len(one) for one in hosts), default=0), LONGEST_HOST)
    return f"{host:<{width}}  "


def step_line(mark: str, name: str, seconds: float | None, summary: str = "", host: str = "") -> str:
    """``  ✓ backup               0.4 s  27 tables with 1,204 rows``.

    Args:
        mark: one of MARKS or PLAIN_MARKS.
        name: of the step, or of another task.
        seconds: how long it took; None where that is not known.
        summary: what it found or did.
        host: see host_column; empty where a heading names it.
    """
    took = "" if seconds is None else f"{seconds:,.1f} s"
    return f"  {mark} {host}{name:<{NAME_WIDTH}} {took:>{SECONDS_WIDTH}}  {summary}".rstrip()


def indented(text: str) -> list[str]:
    """A text of sentences below the line of its step.

    Lines are left as long as they are: a terminal shows a long one on several of its own, and what is copied from it,
    as a command, is still one.
    """
    return [f"    {line}".rstrip() for line in visible(text).splitlines()]


class Said:
    """What was said of failures, so that no task says it again."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def add(self, reason: str) -> None:
        """Remember a reason that was printed."""
        if reason.strip():
            self._reasons.append(_plain(reason))

    def is_new(self, text: str) -> bool:
        """Whether a text says anything that was not said."""
        rest = _plain(text)
        for reason in self._reasons:
            rest = rest.replace(reason, "")
        return any(character.isalnum() for character in rest)

    def without(self, lines: Iterable[str]) -> list[str]:
        """The lines of a report but for a reason that was printed as such."""
        return [
            line
            for line in lines
            if not line.startswith("Reason: ") or self.is_new(line.removeprefix("Reason: "))
        ]

    def repeats(self, text: str) -> bool:
        """Whether a text only wraps what was said, as the last task of a run does that fails because the run did."""
        return any(reason in _plain(text) for reason in self._reasons)


def _plain(text: str) -> str:
    return " ".join(text.split())
