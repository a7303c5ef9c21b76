# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cases in which a process dies: at the first statement of each step, at its last, and at others by chance."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from benchmarks.fault_stories.commands import STARTS
from benchmarks.fault_stories.judge import Command, Verdict, judge
from benchmarks.fault_stories.stage import Stage

__all__ = ["ACTIONS", "Case", "Kill", "MomentOfKill", "kills", "one_in_each_step"]

#: What dies -> the action of plant.Fault.
ACTIONS = {
    "controller killed": "controller:SIGKILL",
    "Ctrl-C": "controller:SIGINT",
    "controller terminated": "controller:SIGTERM",
    "terminal closed": "controller:SIGHUP",
    "module killed": "module",
    "session terminated": "terminate",
    "backend killed": "backend",
    "server stopped at once": "server",
}


@dataclass(frozen=True)
class Case:
    """Something that happens to a command.

    Attributes:
        kind: row of the table.
        command: name of the command.
        name: of the case, by which it can be played again.
    """

    kind: str
    command: str
    name: str

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        """Play it and judge it; None where nothing has happened."""
        raise NotImplementedError


@dataclass(frozen=True)
class Kill(Case):
    """At a statement of a step."""

    step: str
    at: int
    action: str

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin(STARTS[self.command])
        fault = {"step": self.step, "at": self.at, "action": self.action}
        play = stage.play(*command.arguments, fault=fault)
        say(f"{self.name}: exit {play.status}, {(play.record or {}).get('outcome')}")
        return judge(stage, command, play, say) if play.fired else None


@dataclass(frozen=True)
class MomentOfKill(Case):
    """The controller, so long after it was started."""

    after_seconds: float
    by: int

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin(STARTS[self.command])
        play = stage.play(*command.arguments, after_seconds=self.after_seconds, by=self.by)
        say(f"{self.name}: exit {play.status}, {(play.record or {}).get('outcome')}")
        return judge(stage, command, play, say) if play.fired else None


def kills(
    counts: Mapping[str, Mapping[str, int]], seconds: Mapping[str, float], chance: Random
) -> list[Case]:
    """All cases of this room.

    Args:
        counts: command -> step -> its statements.
        seconds: command -> how long it takes.
        chance: where in the steps.
    """
    found: list[Case] = []
    for command, steps in counts.items():
        for step, count in steps.items():
            for kind, action in ACTIONS.items():
                for at in (1, count, chance.randint(2, max(2, count - 1))):
                    name = f"{command}, {kind} at statement {at} of {step}"
                    found.append(Kill(kind, command, name, step, at, action))
        for number in range(6):
            by = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3]
            after = chance.uniform(0.3, seconds[command])
            name = f"{command}, {by.name} after {after:.2f} s"
            found.append(MomentOfKill("controller, at any time", command, name, after, by))
    return found


def one_in_each_step(
    case: type[Kill], kind: str, action: str, counts: Mapping[str, Mapping[str, int]], chance: Random
) -> list[Case]:
    """A case in each step of each command, at a statement by chance.

    Args:
        case, kind, action: see Kill.
        counts, chance: see kills.
    """
    found: list[Case] = []
    for command, steps in counts.items():
        for step, count in steps.items():
            at = chance.randint(1, count)
            found.append(
                case(kind, command, f"{command}, {kind} at statement {at} of {step}", step, at, action)
            )
    return found
