# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said where somebody has interrupted a run: what production is in, and what to type next."""

from __future__ import annotations

from ...module_utils.ledger.aftermath import FIRST_STEP_THAT_CHANGES

__all__ = ["AtWork"]

NOT_TOUCHED = "State: Production was not touched. Type the same command again."
LOOK = "State: What production has is in its ledger. Look: ansible-playbook playbooks/status.yml"


class AtWork:
    """The step that is at work, and those before it in its play."""

    def __init__(self) -> None:
        self._playbook = ""
        self._begun: list[tuple[str, str]] = []

    def begin_play(self, playbook: object) -> None:
        """A play begins.

        Args:
            playbook: its runbook_playbook; of a play that is none of the runbook's, None.
        """
        self._playbook = str(playbook or "")
        self._begun = []

    def begin_step(self, host: str, step: str) -> None:
        """A task of the play begins on a host; ``step`` is empty where it calls none."""
        if step:
            self._begun.append((host, step))

    def end(self) -> None:
        """All plays have ended by themselves."""
        self._begun = []

    def interrupted(self) -> list[str]:
        """What is to be said now, if nothing comes any more; nothing, where no run was at work."""
        if not self._begun or self._playbook not in FIRST_STEP_THAT_CHANGES:
            return []
        host, step = self._begun[-1]
        changes = FIRST_STEP_THAT_CHANGES[self._playbook]
        touched = changes is not None and (host, changes) in self._begun
        return ["", f"Interrupted in step {step} on {host}.", LOOK if touched else NOT_TOUCHED]
