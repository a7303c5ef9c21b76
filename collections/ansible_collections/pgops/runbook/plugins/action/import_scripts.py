# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Importing migrations runs on the controller alone: it has the project, sql_dir and the parser. No host is asked."""

from __future__ import annotations

from typing import Any

from ..plugin_utils import bytecode  # noqa: F401 - before all that is imported after it
from ..plugin_utils.run.controller_action import ControllerAction, failed_action, result_of
from ..plugin_utils.sql.grammar import GRAMMAR

with GRAMMAR:
    from ..plugin_utils.importing.report import import_report, outputs_of
    from ..plugin_utils.importing.work import OPTIONS, import_migrations, tool_for


class ActionModule(ControllerAction):
    """Imports migrations; its options are documented in plugins/modules/import_scripts.py."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        if GRAMMAR.is_missing:
            return failed_action("pglast_missing", GRAMMAR.how_to_install("Nothing was written."))
        _, options = self.validate_argument_spec(argument_spec=OPTIONS)
        return result_of(
            lambda: self._import(options),
            "The import met an unexpected error: {}. What it has written before stays.",
        )

    def _import(self, options: dict[str, Any]) -> dict[str, Any]:
        writes = not self._task.check_mode
        tool = tool_for(options["source"], options["project"], options["python"])
        imported = import_migrations(tool, options["sql_dir"], options["sql_layout"], writes)
        return {
            "changed": bool(imported.new),
            "outputs": outputs_of(imported),
            "report": import_report(imported, options["version_table"], writes),
        }
