# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The step check, all of which is done on the controller: it needs no server, and no host is asked for anything."""

from __future__ import annotations

import time
import traceback
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.errors import RunbookError

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from ..plugin_utils.sql.grammar import GRAMMAR

with GRAMMAR:
    from ..plugin_utils.check.checking import OPTIONS, check


class ActionModule(ActionBase):
    """Checks a folder of SQL; its options are documented in plugins/modules/check.py."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        started = time.monotonic()
        if GRAMMAR.is_missing:
            result = _failed("pglast_missing", GRAMMAR.how_to_install("Nothing was checked."))
        else:
            result = self._check()
        return {**result, "seconds": round(time.monotonic() - started, 3)}

    def _check(self) -> dict[str, Any]:
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            return check(options, writes=not self._task.check_mode)
        except RunbookError as error:
            return _failed(error.code, error.reason)
        except Exception as error:
            # A defect of ours: a sentence for whoever reads a log, and what happened for whoever corrects it.
            reason = f"The check met an error that nobody foresaw, so that nothing is known of the scripts: {error!r}"
            return {**_failed("step_crashed", reason), "exception": traceback.format_exc()}


def _failed(code: str, reason: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "reason_code": code, "msg": reason}
