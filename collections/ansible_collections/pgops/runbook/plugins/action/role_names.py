# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether names can be used is seen on the controller; no host is asked."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.errors import Refused
from ..plugin_utils import bytecode  # noqa: F401 - before all that is imported after it
from ..plugin_utils.run.role_names import OPTIONS, check_names


class ActionModule(ActionBase):
    """Refuses names; its options are documented in plugins/modules/role_names.py."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            check_names(options["names"])
        except Refused as refusal:
            return {"failed": True, "changed": False, "reason_code": refusal.code, "msg": refusal.reason}
        return {"changed": False}
