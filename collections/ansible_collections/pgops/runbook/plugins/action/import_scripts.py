# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Importing migrations runs on the controller alone: it has the project, sql_dir and the parser. No host is asked."""

from __future__ import annotations

import traceback
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils.errors import RunbookError
from ..plugin_utils import bytecode  # noqa: F401 - before all that is imported after it
from ..plugin_utils.sql.grammar import GRAMMAR

with GRAMMAR:
    from ..plugin_utils.importing.report import import_report, outputs_of
    from ..plugin_utils.importing.work import OPTIONS, import_migrations, tool_for


class ActionModule(ActionBase):
    """Imports migrations; its options are documented in plugins/modules/import_scripts.py."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if GRAMMAR.is_missing:
            return _failed("pglast_missing", GRAMMAR.how_to_install("Nothing was written."))
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        try:
            return self._import(options)
        except RunbookError as error:
            return _failed(error.code, error.reason)
        except Exception as error:
            # A defect of ours: a sentence for whoever reads it, and what happened for whoever corrects it.
            reason = (
                f"The import met an error that nobody foresaw: {error!r}. What it has written before stays."
            )
            return {**_failed("step_crashed", reason), "exception": traceback.format_exc()}

    def _import(self, options: dict[str, Any]) -> dict[str, Any]:
        writes = not self._task.check_mode
        tool = tool_for(options["source"], options["project"], options["python"])
        found = import_migrations(tool, options["sql_dir"], options["sql_layout"], writes)
        return {
            "changed": bool(found.new),
            "outputs": outputs_of(found),
            "report": import_report(found, options["version_table"], writes),
        }


def _failed(code: str, reason: str) -> dict[str, Any]:
    return {"failed": True, "changed": False, "reason_code": code, "msg": reason}
