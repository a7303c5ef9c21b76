# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module of all steps, as the action plugin executes it: sent to the target, or forked on this machine."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.vars.clean import remove_internal_keys

from ..screen.moving import MovingLine
from .crash import LOOK, explain_crash
from .own_machine import PROFILE, execute, is_own_machine
from .password import Passwords, PasswordUnavailable
from .progress import followed, newest_line

__all__ = ["STEP_MODULE", "ModuleOfSteps", "failure"]

# What is sent to the target, whichever the step is: ansible-core packs a module once in a run of a playbook.
STEP_MODULE = "pgops.runbook.step"

# Options that say how a server is reached, and how a sentence names it.
SERVERS = {"target": "", "copy_target": "Of the server of the copy: "}


def failure(code: str, reason: str, outcome: str | None, started: float) -> dict[str, Any]:
    """The result of a step that failed before its module could say so.

    Args:
        started: time.monotonic() of its beginning.
    """
    return {
        "failed": True,
        "reason_code": code,
        "msg": reason,
        "outcome": outcome,
        "step": None,
        "seconds": round(time.monotonic() - started, 3),
        "receipts": [],
    }


class ModuleOfSteps(ActionBase):
    """What an action plugin of a step needs to execute its module."""

    # Name of another step than the task's, while that is executed.
    _executes = ""
    _passwords: Passwords | None = None

    def _with_progress(
        self, step: str, arguments: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """See _run_module(); how far the module is stands on the screen while it works."""
        if self._task.check_mode:
            return self._run_module(arguments, task_vars)
        path = f"/tmp/.pgops-runbook-progress-{secrets.token_hex(16)}"  # noqa: S108 - nobody can guess it
        line = MovingLine(step, str(task_vars.get("inventory_hostname")), Display().display)
        try:
            return self._run_module({**arguments, "progress_file": path}, task_vars, line)
        finally:
            line.clear()

    def _run_module(
        self, arguments: dict[str, Any], task_vars: dict[str, Any], line: MovingLine | None = None
    ) -> dict[str, Any]:
        """The result of the module of all steps, sent to where the task runs or forked where that is here.

        The plan goes there as one text, which Ansible hands on as it is: a script that fills a table has as many
        thousand statements, and each part of an argument is looked at, copied and written several times.

        Args:
            line: shows how far the module is, while it works.
        """
        try:
            arguments = self._with_passwords(arguments)
        except PasswordUnavailable as error:
            return failure(error.code, error.reason, None, time.monotonic())
        if "plan" in arguments:
            arguments = {**arguments, "plan": json.dumps(arguments["plan"])}
        return self._result_of_module(arguments, task_vars, line)

    def _result_of_module(
        self, arguments: dict[str, Any], task_vars: dict[str, Any], line: MovingLine | None
    ) -> dict[str, Any]:
        host_vars = task_vars
        if self._task.delegate_to:
            host_vars = task_vars["ansible_delegated_vars"][self._task.delegate_to]
        interpreter = self._templar.template(host_vars.get("ansible_python_interpreter"))
        path = str(arguments.get("progress_file") or "")
        if not is_own_machine(self._connection, interpreter, self._compute_environment_string()):
            if line is None:
                return self._execute_module(STEP_MODULE, arguments, task_vars=task_vars)
            with followed(path, self._low_level_execute_command, line.show):
                return self._execute_module(STEP_MODULE, arguments, task_vars=task_vars)
        Display().vvv(f"Step {self._task.action} runs in a process of its own on this machine")
        self._update_module_args(STEP_MODULE, arguments, task_vars)
        meanwhile = (lambda: None) if line is None else (lambda: line.show(newest_line(path)))
        try:
            ended = execute(arguments, meanwhile)
        finally:
            if path:
                # The module has removed it, unless it was killed.
                Path(path).unlink(missing_ok=True)
        result = self._parse_returned_data(ended, PROFILE)
        remove_internal_keys(result)
        return dict(result)

    def _with_passwords(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Options of a module with the passwords themselves, each read once in a task.

        Raises:
            PasswordUnavailable: see plugin_utils/run/password.py.
        """
        self._passwords = self._passwords or Passwords()
        with_passwords = {
            option: self._passwords.put_into(arguments[option], whose)
            for option, whose in SERVERS.items()
            if isinstance(arguments.get(option), Mapping)
        }
        return {**arguments, **with_passwords}

    def _run_if_reached(
        self, options: dict[str, Any], task_vars: dict[str, Any], step: str = ""
    ) -> dict[str, Any]:
        """The module's result; where its host is away, that of one that failed: what the run has come to stands.

        Args:
            step: under which name the screen says what it waits for; without one it says nothing.
        """
        try:
            return (
                self._with_progress(step, options, task_vars)
                if step
                else self._run_module(options, task_vars)
            )
        except AnsibleConnectionFailure as error:
            reason = f"its host could not be reached: {' '.join(str(error).split())}"
            return {"failed": True, "reason_code": "host_unreachable", "msg": reason}

    def _tell_the_ledger(
        self,
        run: dict[str, Any],
        options: dict[str, Any],
        arguments: dict[str, Any],
        task_vars: dict[str, Any],
    ) -> dict[str, Any]:
        """Have the step announce write down one thing, and leave the run as it is; returns its result.

        Args:
            run: what its option ``run`` has other than that of ``arguments``.
            options: its other options.
        """
        self._executes = "pgops.runbook.announce"
        try:
            result = self._run_if_reached(
                {
                    "target": arguments["target"],
                    "run": {**arguments["run"], **run},
                    "backup_dir": arguments.get("backup_dir"),
                    "outcome": "",
                    **options,
                },
                task_vars,
            )
        finally:
            self._executes = ""
        if result.get("failed") and not result.get("msg"):
            result["reason_code"], result["msg"] = explain_crash("announce", result)
        return result

    def _aftermath(
        self, result: dict[str, Any], arguments: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """What the ledger says of a step whose process did not report; ``result`` where nobody can be asked."""
        died = {"code": result["reason_code"], "reason": result["msg"].removesuffix(LOOK).rstrip()}
        aftermath = self._run_if_reached({**arguments, "run": {**arguments["run"], "died": died}}, task_vars)
        if "step" not in aftermath:
            return result
        # When it began and how long it took are those of the process that is gone, and not of the question.
        return {**result, **aftermath, "started": result.get("started"), "seconds": result.get("seconds")}

    def _update_module_args(
        self, module_name: str, module_args: dict[str, Any], *args: Any, **options: Any
    ) -> None:
        """What ansible-core adds to the options of a module; its name is the step's, by which STEP_MODULE knows it.

        So what the target says of an unknown option names the module that the task calls. The target's system log gets
        nothing, as with no_target_syslog: a module writes all of its arguments there, and among these are scripts,
        which may hold passwords and people's data. What a step did is in the ledger.
        """
        super()._update_module_args(module_name, module_args, *args, **options)
        if module_name == STEP_MODULE:
            module_args["_ansible_module_name"] = self._executes or self._task.action
            module_args["_ansible_no_log"] = True
