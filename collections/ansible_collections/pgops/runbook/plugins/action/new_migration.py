# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of new_migration: it reads and writes sql_dir, and has the module ask the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..module_utils.errors import Refused, RunbookError

# Before all that is imported after it.
from ..plugin_utils import bytecode  # noqa: F401
from ..plugin_utils.sql.grammar import GRAMMAR
from .step import ActionModule as StepAction

with GRAMMAR:
    from ..plugin_utils.drafting.new import Order, begun, drafted

__all__ = ["ActionModule"]


class ActionModule(StepAction):
    """Begins a migration, or drafts what is missing of one that is written."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if GRAMMAR.is_missing:
            return super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        run = dict(arguments.get("run") or {})
        try:
            order = Order.of(arguments, run, datetime.now(UTC), not self._task.check_mode)
            if order.migration:
                return drafted(order, lambda questions: self._asked(questions, arguments, task_vars or {}))
            return begun(order)
        except RunbookError as error:
            return {
                "failed": True,
                "changed": False,
                "msg": error.reason,
                "reason_code": error.code,
                "outcome": error.outcome,
            }

    def _asked(
        self, questions: list[dict[str, Any]], arguments: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """What the module answers.

        Raises:
            Refused: the database cannot be asked.
        """
        run = {**arguments["run"], "run_id": self._run_id(arguments["run"], task_vars)}
        result = self._run_module({**arguments, "run": run, "questions": questions}, task_vars)
        if result.get("failed") or "outputs" not in result:
            result.setdefault("reason_code", "step_could_not_run")
            raise Refused(
                result["reason_code"],
                f"{result.get('msg') or 'The database could not be asked.'} Nothing was written.",
            )
        answers: dict[str, Any] = result["outputs"]
        return answers
