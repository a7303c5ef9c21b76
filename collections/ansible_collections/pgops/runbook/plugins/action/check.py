# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The step check, all of which is done on the controller: it needs no server, and no host is asked for anything."""

from __future__ import annotations

import time
from typing import Any

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from ..plugin_utils.run.controller_action import ControllerAction, failed_action, result_of
from ..plugin_utils.sql.grammar import GRAMMAR

with GRAMMAR:
    from ..plugin_utils.check.checking import OPTIONS, check


class ActionModule(ControllerAction):
    """Checks a folder of SQL; its options are documented in plugins/modules/check.py."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        started = time.monotonic()
        if GRAMMAR.is_missing:
            result = failed_action("pglast_missing", GRAMMAR.how_to_install("Nothing was checked."))
        else:
            result = self._check()
        return {**result, "seconds": round(time.monotonic() - started, 3)}

    def _check(self) -> dict[str, Any]:
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        return result_of(
            lambda: check(options, writes=not self._task.check_mode),
            "The check met an unexpected error, so that nothing is known of the scripts: {}",
        )
