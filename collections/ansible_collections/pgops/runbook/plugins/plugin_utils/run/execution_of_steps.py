# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a step is executed, whatever it is for: what its module is given, what is asked before, and what is left after.

The module itself is sent by module_of_steps.py; what a task is for, and what run.json says of it, decides the action
plugin of all steps.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ...module_utils.errors import Refused, RunbookError
from ...module_utils.ledger.aftermath import AGAIN, CHANGING_STEPS
from ..record.record import RunRecord
from ..screen.moving import waiting_for
from ..sql.grammar import GRAMMAR
from ..sql.parsed_before import parsed_before
from .crash import NOT_BEGUN, explain_crash
from .health import check_urls, health_of
from .maintenance import end_maintenance, take_back
from .module_of_steps import ModuleOfSteps, failure
from .numbers import check_numbers
from .taking_over import ended_here, may_be_taken_over, still_there
from .windows import check_windows, openings
from .within import seconds_of_window

with GRAMMAR:
    from .plan import plan_of_run

__all__ = ["ExecutionOfSteps", "StepCall"]


@dataclass(frozen=True)
class StepCall:
    """A step as a task calls it.

    Attributes:
        step: its name.
        arguments: options of its module; ``run`` is one of them.
        record: of the run.
        task_vars: variables of the task.
    """

    step: str
    arguments: dict[str, Any]
    record: RunRecord
    task_vars: dict[str, Any]

    @property
    def run(self) -> dict[str, Any]:
        """The run as the module is told it; what is put in here, the module is told."""
        run: dict[str, Any] = self.arguments["run"]
        return run

    @property
    def host(self) -> str:
        """The target's name in the inventory."""
        return str(self.task_vars.get("inventory_hostname"))


class ExecutionOfSteps(ModuleOfSteps):
    """What an action plugin of a step needs to execute it."""

    def _execute_step(self, call: StepCall) -> dict[str, Any]:
        """The result of the step, with what it needs of the controller before and after its module."""
        started = time.monotonic()
        try:
            self._prepare(call)
        except RunbookError as error:
            return failure(error.code, error.reason, error.outcome, started)
        if call.step == "smoke_test" and not self._task.check_mode:
            call.arguments["health"] = self._health(call)
        try:
            result = self._taking_over(call)
        except AnsibleConnectionFailure as error:
            # As a failure, not as "unreachable": rescue and always would not run, and nobody be told.
            host = call.arguments.get("library_host") or call.host
            reason = " ".join(str(error).split()).rstrip(".")
            reason = f"Host {host} could not be reached during step {call.step}: {reason}."
            return failure("host_unreachable", reason, None, started)
        result.setdefault("seconds", round(time.monotonic() - started, 3))
        if result.get("failed") and "step" not in result:
            result["reason_code"], result["msg"] = explain_crash(call.step, result)
            if call.step in CHANGING_STEPS and result["reason_code"] in NOT_BEGUN:
                return {**result, "msg": f"{result['msg']} It did not begin. {AGAIN}", "outcome": "unchanged"}
            if call.step in CHANGING_STEPS and not self._task.check_mode:
                return self._aftermath(result, call.arguments, call.task_vars)
        left = result.pop("out_of_service", None)
        if left:
            self._end_maintenance(left, result, call)
        return result

    def _prepare(self, call: StepCall) -> None:
        """Look at what only the controller knows, and give the module what it needs of it.

        Raises:
            RunbookError: a variable, or a script, cannot be used.
        """
        step, playbook = call.step, call.run.get("playbook")
        if call.arguments.get("backup_dir") == "":
            raise Refused(
                "setting_invalid",
                "backup_dir is empty, and backups would lie in whatever folder the modules run in. Nothing was done."
                " Name a folder, and type the same command again.",
            )
        if step == "preflight":
            check_numbers(str(playbook), call.task_vars, self._templar.template)
        if step == "preflight" and playbook != "emergency_rollback":
            check_urls(self._health_settings(call))
        if step == "preflight" and playbook == "deploy":
            check_windows(self._templar.template(call.task_vars.get("runbook_windows")))
        if step == "preflight" and playbook in ("deploy", "restore"):
            self._seconds_of_window(call)
        if step == "maintenance_window":
            now = datetime.datetime.now(datetime.UTC)
            call.arguments["openings"] = openings(call.arguments.get("window"), now)
        parsed_before.folder = Path(constants.DEFAULT_LOCAL_TMP)
        call.arguments["plan"] = plan_of_run(step, call.run, call.record, call.arguments)

    def _taking_over(self, call: StepCall) -> dict[str, Any]:
        """The module's result; a second time where another run held the database, and its controller is dead.

        Raises:
            AnsibleConnectionFailure: the host is away.
        """
        result = self._with_progress(call.step, call.arguments, call.task_vars)
        holder = (result.get("details") or {}).get("holder")
        if not result.get("failed") or not holder:
            return result
        because = may_be_taken_over(holder)
        if because is None:
            result["msg"] = still_there(holder) or result["msg"]
            return result
        call.arguments["take_over"] = holder["run_id"]
        call.arguments["taken_over_because"] = because
        call.arguments["ended_elsewhere"] = ended_here(call.record.artifacts_dir, holder["run_id"])
        return self._with_progress(call.step, call.arguments, call.task_vars)

    # Whether the application is well -----------------------------------------------------------------------------

    def _health(self, call: StepCall) -> dict[str, Any] | None:
        """See health_of(); of the variables, so that no argument of a module has an address."""

        def let_in() -> str | None:
            told = self._let_in_again(call)
            return str(told.get("msg")) if told.get("failed") else None

        return health_of(self._health_settings(call), let_in)

    def _health_settings(self, call: StepCall) -> dict[str, Any]:
        return dict(self._templar.template(call.task_vars.get("runbook_health") or {}))

    def _let_in_again(self, call: StepCall) -> dict[str, Any]:
        """PostgreSQL gives the application back what the run has taken from it, before the run ends."""
        if self._task.check_mode or not call.record.steps("maintenance_window"):
            return {"changed": False, "skipped": True, "skip_reason": "nothing was taken"}
        return self._tell_the_ledger({}, {"database_in_service": True}, call.arguments, call.task_vars)

    # The maintenance that other runs have left -------------------------------------------------------------------

    def _end_maintenance(self, left: list[dict[str, Any]], result: dict[str, Any], call: StepCall) -> None:
        """See end_maintenance(); adds to ``result`` what there is to be said."""
        command = self._templar.template(call.task_vars.get("maintenance_window_close_command") or [])
        take_over = str(
            call.arguments.get("take_over") or self._templar.template(call.task_vars.get("take_over") or "")
        )

        def tell(run_id: str, options: dict[str, Any]) -> str | None:
            told = self._tell_the_ledger(
                {"run_id": run_id, "playbook": "deploy"}, options, call.arguments, call.task_vars
            )
            result.setdefault("warnings", []).extend(told.get("warnings") or [])
            result["changed"] = True
            return str(told.get("msg")) if told.get("failed") else None

        def close(words: Sequence[str]) -> str | None:
            return self._close_window(words, call)

        said = [
            end_maintenance(one, command, close, take_over, tell, writes=not self._task.check_mode)
            for one in left
        ]
        result.setdefault("warnings", []).extend(said)
        if "outputs" in result:
            result["outputs"]["maintenance"] = said

    def _close_window(self, command: Sequence[str], call: StepCall) -> str | None:
        """Run maintenance_window_close_command; returns why it failed, or None."""
        try:
            seconds = self._seconds_of_window(call)
        except RunbookError as error:
            return error.reason
        called = "maintenance_window_close_command"
        with waiting_for(called, call.step, call.host, Display().display) as meanwhile:
            return take_back(command, seconds, meanwhile)

    def _seconds_of_window(self, call: StepCall) -> float:
        """See seconds_of_window()."""
        return seconds_of_window(
            self._templar.template(call.task_vars.get("maintenance_window_timeout_seconds"))
        )
