# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cases in which the connection over SSH is gone, while what the module does on its host goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from random import Random

from benchmarks.fault_stories.commands import STARTS
from benchmarks.fault_stories.judge import Command, Verdict, judge
from benchmarks.fault_stories.kills import Case, Kill, one_in_each_step
from benchmarks.fault_stories.stage import Stage
from tests.ssh_hosts import SshHosts, SshUnusable

__all__ = ["CutConnection", "cut_connections"]

KIND = "SSH cut off"
HOST = "shop"


class CutConnection(Kill):
    """At a statement of a step, and there again for the next command."""

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin(STARTS[self.command])
        try:
            hosts = SshHosts([HOST], stage.planted_environment)
        except SshUnusable as error:
            say(f"{self.name}: {error}")
            return None
        with contextlib.ExitStack() as stack:
            stack.callback(hosts.stop)
            stage.variables = {**stage.variables, **hosts.variables(HOST)}
            fault = {"step": self.step, "at": self.at, "action": self.action}
            play = stage.play(*command.arguments, fault=fault)
            say(f"{self.name}: exit {play.status}, {(play.record or {}).get('outcome')}")
            return judge(stage, command, play, say) if play.fired else None


def cut_connections(counts: Mapping[str, Mapping[str, int]], chance: Random) -> list[Case]:
    """See one_in_each_step."""
    return one_in_each_step(CutConnection, KIND, "connection", counts, chance)
