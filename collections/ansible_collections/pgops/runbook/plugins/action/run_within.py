# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command of the user's on the controller, with an end, and a line on the screen that says who is waited for."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from ..plugin_utils.run.controller_action import ControllerAction
from ..plugin_utils.run.within import OPTIONS, run_within
from ..plugin_utils.screen.moving import waiting_for

__all__ = ["ActionModule"]


class ActionModule(ControllerAction):
    """Runs a command; its options are documented in plugins/modules/run_within.py."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        if self._task.check_mode:
            return {"changed": False, "skipped": True, "msg": "Command would have run if not in check mode"}
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        host = str((task_vars or {}).get("inventory_hostname"))
        with waiting_for(options["called"], options["step"], host, Display().display) as meanwhile:
            ended = run_within(options["argv"], options["seconds"], options["stdin"], meanwhile, environment)
        result: dict[str, Any] = {
            "changed": True,
            "rc": ended.status,
            "stdout": ended.stdout.rstrip("\r\n"),
            "stderr": "\n".join(filter(None, (ended.stderr.rstrip("\r\n"), ended.failure))),
        }
        if ended.status != 0:
            result.update(failed=True, msg=f"{options['called']}: {ended.failure or 'non-zero return code'}")
        return result
