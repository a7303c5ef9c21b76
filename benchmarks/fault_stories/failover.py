# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cases in which the server dies for good, and a synchronous standby has its address a moment later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from benchmarks.fault_stories.commands import STARTS
from benchmarks.fault_stories.judge import Command, Verdict, judge
from benchmarks.fault_stories.kills import Case, Kill, one_in_each_step
from benchmarks.fault_stories.stage import Stage
from tests.streaming import Standby, execute

__all__ = ["Failover", "failovers"]

KIND = "failover to a standby"
NAME = "successor"


class Failover(Kill):
    """At a statement of a step."""

    def play(self, stage: Stage, command: Command, say: Callable[[str], None]) -> Verdict | None:
        stage.begin(STARTS[self.command])
        with Standby(stage.server, NAME) as standby:
            # What was confirmed is there as well; whoever fails over then waits for no standby any more.
            execute(
                stage.server,
                f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'",
                "SELECT pg_reload_conf()",
            )
            fault = {"step": self.step, "at": self.at, "action": self.action}
            play = stage.play(*command.arguments, fault=fault, start_again=standby.take_over)
            if not play.fired:
                execute(
                    stage.server, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"
                )
        say(f"{self.name}: exit {play.status}, {(play.record or {}).get('outcome')}")
        return judge(stage, command, play, say) if play.fired else None


def failovers(counts: Mapping[str, Mapping[str, int]], chance: Random) -> list[Case]:
    """See one_in_each_step."""
    return one_in_each_step(Failover, KIND, "server", counts, chance)
