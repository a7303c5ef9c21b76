# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said where a run has no report: somebody has interrupted it, or it failed before there was a run."""

from __future__ import annotations

from ...module_utils.ledger.aftermath import FIRST_STEP_THAT_CHANGES
from ...module_utils.sentences import listed

__all__ = ["AtWork"]

NOT_TOUCHED = "State: Production was not touched. Type the same command again."
CORRECT = "State: Production was not touched. Correct what is wrong above, and type the same command again."
OUT = (
    "The application on {} may be out of service, as this run was to keep it. The next command gives it back, and says"
    " so: ansible-playbook playbooks/status.yml"
)
LOOK = "State: What production has is in its ledger. Look: ansible-playbook playbooks/status.yml"


class AtWork:
    """The databases that are at work, each with its steps in this play."""

    def __init__(self) -> None:
        self._playbook = ""
        self._steps: dict[str, list[str]] = {}
        # Of the whole command: whether a play of it is ours, and hosts on which production may have been changed.
        self._is_ours = False
        self._touched: set[str] = set()
        # Where the application is out of service until the run has ended.
        self._out_of_service: set[str] = set()

    def begin_play(self, playbook: object) -> None:
        """A play begins.

        Args:
            playbook: its runbook_playbook; of a play that is none of the runbook's, None.
        """
        self._playbook = str(playbook or "")
        self._is_ours = self._is_ours or self._playbook in FIRST_STEP_THAT_CHANGES
        self._steps = {}

    def begin_step(self, host: str, step: str) -> None:
        """A task of the play begins on a host; ``step`` is empty where it calls none."""
        if step:
            self._steps.setdefault(host, []).append(step)
            if step == FIRST_STEP_THAT_CHANGES.get(self._playbook):
                self._touched.add(host)

    def open_maintenance(self, host: str) -> None:
        """The ledger has noted that the application is about to be taken out of service."""
        self._out_of_service.add(host)

    def end_run(self, host: str) -> None:
        """The run on a host has ended, or none has begun."""
        self._steps.pop(host, None)
        self._out_of_service.discard(host)

    def end(self) -> None:
        """All plays have ended by themselves."""
        self._steps = {}

    def interrupted(self) -> list[str]:
        """What is to be said now, if nothing comes any more; nothing, where no run was at work."""
        if not self._steps or self._playbook not in FIRST_STEP_THAT_CHANGES:
            return []
        where = listed([f"step {steps[-1]} on {host}" for host, steps in self._steps.items()], separator=", ")
        changes = FIRST_STEP_THAT_CHANGES[self._playbook]
        touched = any(changes in steps for steps in self._steps.values())
        out = sorted(self._out_of_service & {*self._steps})
        said = [OUT.format(listed(out, separator=", "))] if out else []
        return ["", f"Interrupted in {where}.", LOOK if touched else NOT_TOUCHED, *said]

    def failed(self, host: str) -> list[str]:
        """What is to be said at the end of a host that failed and has no report; nothing, where no run was wanted."""
        if not self._is_ours:
            return []
        return [LOOK if host in self._touched else CORRECT]
