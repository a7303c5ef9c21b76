# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible's events say to its callbacks: of which task and step they are, on which hosts, and why one failed."""

from __future__ import annotations

from typing import Any

from ansible.executor.task_result import CallbackTaskResult

from ..record.settings import in_one_sentence

__all__ = ["action_of", "hosts_of", "reason_of", "step_of", "step_of_task"]

STEPS = "pgops.runbook."
# Of a step, or before any, and none themselves.
NO_STEPS = (f"{STEPS}role_names", f"{STEPS}run_within")

# Of a command, and of a module that died.
WHAT_WAS_SAID = ("stdout", "stderr", "module_stdout", "module_stderr")

# How much of what a command has said is shown where it failed.
LONGEST_OUTPUT = 2000


def hosts_of(play: Any) -> list[str]:
    """Names of the hosts of a play, or of the batch of it that begins."""
    return list(play.get_variable_manager().get_vars(play=play).get("ansible_play_batch") or [])


def action_of(result: CallbackTaskResult) -> str:
    return str(result.task.action).rsplit(".", 1)[-1]


def reason_of(content: dict[str, Any]) -> str:
    """Why a task failed; of one whose command or module has said something also that, at its end."""
    said = [str(content.get(name) or "").strip() for name in WHAT_WAS_SAID]
    message = str(content.get("msg") or "").strip()
    words = [in_one_sentence(message) or message, *(text[-LONGEST_OUTPUT:] for text in said)]
    return "\n".join(filter(None, words)) or str(content.get("censored") or "it failed without a message")


def step_of(result: CallbackTaskResult) -> str:
    return step_of_task(result.task)


def step_of_task(task: Any) -> str:
    """Name of the step that the task calls; empty where it calls none."""
    action = str(task.action)
    if not action.startswith(STEPS) or action in NO_STEPS:
        return ""
    emergency = task.args.get("purpose") == "emergency"
    return "emergency_backup" if emergency else action.removeprefix(STEPS)
