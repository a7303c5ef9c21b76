# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugins as ansible-playbook makes them for a task, and a call of theirs that reaches no server."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

__all__ = ["ARGUMENTS", "HERE", "plugin_of"]

#: Variables of a task on this machine.
HERE = {"ansible_python_interpreter": sys.executable}

ARGUMENTS: dict[str, Any] = {
    "target": {"login_host": "/nowhere", "login_user": "nobody", "login_db": "none"},
    "run": {"playbook": "status", "run_id": "20260101T000000Z-a", "migration": "all"},
    "plan": {},
}


Plugin = TypeVar("Plugin", bound=ActionBase)


def plugin_of(kind: type[Plugin], step: str) -> Plugin:
    """The plugin of a task on this machine that calls a step."""
    loader, context = DataLoader(), PlayContext()
    return kind(
        Task.load({"action": f"pgops.runbook.{step}"}, loader=loader),
        connection_loader.get("local", context, "/dev/null"),
        context,
        loader,
        Templar(loader=loader),
        None,
    )
