# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a database of several passes before its run begins; all of it happens on the controller.

ansible-playbook itself loads this file, as it loads each action plugin that has the name of its task, before it forks
the processes of tasks: what is worked out here once is the same in all of them.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from ..plugin_utils.fleet.gate import OPTIONS, fleet_id_of, pass_gate, pass_take_back, registered_fleet
from ..plugin_utils.fleet.record import FleetRecord
from ..plugin_utils.record.controller import controller_pid, new_run_id, operator
from ..plugin_utils.run.controller_action import ControllerAction

__all__ = ["ActionModule"]

BEGUN = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
TOKEN = secrets.token_hex(8)


class ActionModule(ControllerAction):
    """Lets the run of a database begin, or leaves the database untouched."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        variables = task_vars or {}
        target = str(variables.get("inventory_hostname"))
        if options["takes_back"]:
            fleet_id = registered_fleet(variables)
            record = FleetRecord(options["artifacts_dir"], fleet_id)
            return {**pass_take_back(record, target), "fleet_id": fleet_id, "run_id": new_run_id(target)}
        return pass_gate(
            fleet_id_of(BEGUN, (TOKEN, controller_pid()), options),
            options,
            target,
            list(variables.get("ansible_play_hosts_all") or [target]),
            operator(),
            writes=not self._task.check_mode,
        )
