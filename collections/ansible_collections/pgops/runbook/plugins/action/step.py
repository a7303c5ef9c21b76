# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of every step: what a task is for, what run.json says of it already, and how it ended."""

from __future__ import annotations

import signal
import time
import traceback
from typing import Any

from ansible import constants, context
from ansible.module_utils.parsing.convert_bool import boolean

from ..module_utils.errors import RunbookError
from ..module_utils.ledger.signatures import signatures_of
from ..plugin_utils.fleet.ending import concluded_in_fleet
from ..plugin_utils.fleet.gate import registered_fleet
from ..plugin_utils.record.controller import new_run_id, operator, this_controller
from ..plugin_utils.record.record import RUN_ID, RunRecord
from ..plugin_utils.record.typed_here import options_of_here, typed_here
from ..plugin_utils.run.cleaning import clean_after_run
from ..plugin_utils.run.consents import consents_of
from ..plugin_utils.run.crash import LOOK
from ..plugin_utils.run.ending import end_run, note_unannounced
from ..plugin_utils.run.execution_of_steps import ExecutionOfSteps, StepCall
from ..plugin_utils.run.going_on import refuse_to_go_on, resumed_migration, told_of_waiting, waits
from ..plugin_utils.run.handing_on import carried, hand_on
from ..plugin_utils.run.module_of_steps import STEP_MODULE, failure
from ..plugin_utils.run.outside_runs import OUTSIDE_RUNS, tell_outside_runs
from ..plugin_utils.run.skipping import reason_to_skip, told_of_the_end
from ..plugin_utils.run.taking_over import at_work_elsewhere
from ..plugin_utils.sql.commit import commit_of
from ..plugin_utils.sql.grammar import GRAMMAR

with GRAMMAR:
    from ..plugin_utils.report.documents import write_documents
    from ..plugin_utils.report.planned import planned_of_run


class ActionModule(ExecutionOfSteps):
    """One action plugin for the modules of all steps (meta/runtime.yml routes them here)."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._here = options_of_here(
            str((task_vars or {}).get("inventory_hostname")),
            (task_vars or {}).get("groups", {}).get("databases", []),
            context.CLIARGS,
            constants.DEFAULT_HOST_LIST,
        )
        return dict(typed_here(self._result_of_step(task_vars or {}), self._here))

    def _execute_step(self, call: StepCall) -> dict[str, Any]:
        return dict(typed_here(super()._execute_step(call), self._here))

    def _result_of_step(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        # Ansible's task_timeout would end the task and not the step, which goes on and commits. What a step waits for
        # has limits of its own.
        signal.alarm(0)
        arguments = dict(self._task.args)
        step = self._step_name(arguments)
        unfit = _not_executable(step)
        if unfit is not None:
            return unfit
        run = dict(arguments.get("run") or {})
        run["run_id"] = self._run_id(run, task_vars)
        run["operator"] = run.get("operator") or operator()
        run["controller"] = this_controller()
        arguments["run"] = run
        try:
            record = self._open_record(arguments, task_vars)
        except RunbookError as error:
            return failure(error.code, error.reason, error.outcome, time.monotonic())
        record.here = self._here
        if record.key:
            # In place of the key, which never leaves this machine.
            run["signed"] = record.signed(record.key)
        run["last_receipt"] = record.last_receipt()
        call = StepCall(step, arguments, record, task_vars)
        if step == "cleanup" and boolean(arguments.get("after_run", False)):
            return clean_after_run(record, lambda: self._execute_step(call))
        if step in OUTSIDE_RUNS:
            return self._outside_runs(call)
        elsewhere = at_work_elsewhere(record.content, run["controller"])
        if elsewhere:
            return self._none_of_ours("another_run_in_progress", elsewhere, task_vars)
        return self._of_a_run(call)

    def _none_of_ours(self, code: str, reason: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """A failure by which nothing becomes of the run that was named: what this command does then is another one."""
        refused = failure(code, reason, "refused", time.monotonic())
        return {**refused, "changed": False, "run_id": self._new_run_id(task_vars)}

    def _open_record(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> RunRecord:
        """
        Raises:
            RunbookError: run.json, or what stands in for it, cannot be read.
        """
        run = arguments["run"]
        return RunRecord(
            run.get("artifacts_dir") or "artifacts",
            run["run_id"],
            {
                "playbook": run.get("playbook"),
                "target": task_vars.get("inventory_hostname"),
                "database": (arguments.get("target") or {}).get("login_db"),
                "operator": run["operator"],
                "controller": run["controller"],
                "fleet": registered_fleet(task_vars) or None,
            },
            writes=not self._task.check_mode,
            carried=carried(task_vars),
            key=self._receipt_key(task_vars),
        )

    def _outside_runs(self, call: StepCall) -> dict[str, Any]:
        """A step by which nothing is deployed, rolled back or rehearsed, so that there is no run.json."""
        result = self._execute_step(call)
        if not result.get("failed"):
            signed = self._sign(result, call)
            tell_outside_runs(call.step, result, call.record, signed, call.host)
        return result

    def _of_a_run(self, call: StepCall) -> dict[str, Any]:
        """A step of a run: what the record says of it already, or what comes of it."""
        step, arguments, run, record = call.step, call.arguments, call.run, call.record
        ended = record.content.get("ended")
        automatic = boolean(arguments.get("automatic", False))
        if step == "announce" and boolean(arguments.get("database_in_service", False)):
            return self._let_in_again(call)
        if step == "approval" and boolean(arguments.get("goes_on", False)):
            unfit = refuse_to_go_on(record, str(run.get("migration") or ""))
            if unfit is not None and unfit.get("failed"):
                return self._none_of_ours(unfit["reason_code"], unfit["msg"], call.task_vars)
            if unfit is not None:
                return unfit
            if not ended or waits(record.content):
                return self._go_on(call)
        if not run.get("migration") and record.needs_approval():
            # With run_id alone the record tells what the run is about.
            run["migration"] = resumed_migration(record.content)
        if waits(record.content):
            told = told_of_waiting(step, record, arguments, self._task.check_mode)
            if told is not None:
                return told
        if step == "announce":
            return self._announced(call)
        if ended:
            return told_of_the_end(record, run["run_id"], automatic)
        skipped = reason_to_skip(step, record, automatic)
        if skipped:
            return {"changed": False, "skipped": True, "skip_reason": skipped}
        result = self._recorded_step(call)
        result["run_id"] = run["run_id"]
        return result

    def _announced(self, call: StepCall) -> dict[str, Any]:
        """The end of a run; or, where it has ended, that nobody could be told, or how another attempt at it ended."""
        record = call.record
        ended = record.content.get("ended")
        if ended and call.arguments.get("unannounced"):
            return note_unannounced(record, call.arguments["unannounced"])
        return concluded_in_fleet(
            end_run(
                record.successor(self._new_run_id(call.task_vars)) if ended else record,
                call.arguments,
                lambda options: self._run_if_reached(options, call.task_vars, "announce"),
            ),
            record,
            registered_fleet(call.task_vars) or record.content.get("fleet") or "",
            call.host,
        )

    def _go_on(self, call: StepCall) -> dict[str, Any]:
        """Resume a run that has stopped; where that is refused, its record stays as it is."""
        record = call.record
        call.run["migration"] = resumed_migration(record.content)
        result = self._execute_step(call)
        waits_on = not result.get("failed") or result["reason_code"] == "approvals_missing"
        result["run_id"] = call.run["run_id"]
        if not result.get("goes_on"):
            # What it has by now is told, and not written.
            record.take_approval(result)
            result.pop("receipts", None)
            # Somebody else may be at work in it by now.
            return result if waits_on else {**result, "run_id": self._new_run_id(call.task_vars)}
        record.go_on()
        try:
            record.end(call.step, result)
        except OSError as error:
            hand_on(record, error, result)
        if result.get("failed"):
            result.pop("receipts", None)
            result["outcome"] = record.content["steps"][-1]["outcome"]
        return result

    def _receipt_key(self, task_vars: dict[str, Any]) -> str:
        """The key of the receipts; of the variables, so that no argument of a module has it."""
        return str(self._templar.template(task_vars.get("runbook_receipt_key") or ""))

    def _sign(self, result: dict[str, Any], call: StepCall) -> dict[str, str]:
        """Sign the receipts of a step that nothing comes after; returns digest -> signature of what is in the ledger.

        Adds a warning to ``result`` where the ledger cannot be told: what was done stands.
        """
        key, receipts = call.record.key, result.get("receipts")
        if not key or not receipts:
            return {}
        signed = signatures_of(receipts, key)
        told = self._tell_the_ledger({"signed": signed}, {}, call.arguments, call.task_vars)
        if not told.get("failed"):
            return signed
        result.setdefault("warnings", []).append(
            f"It is done, and its receipts are not signed: the ledger could not be told: {told.get('msg')}"
        )
        return {}

    def _recorded_step(self, call: StepCall) -> dict[str, Any]:
        """Execute the step, and have it in run.json before and after."""
        step, run, record = call.step, call.run, call.record
        record.agree(consents_of(call.arguments), call.arguments.get("consent_reason"))
        if step == "preflight":
            record.content["sql_commit"] = commit_of(run.get("sql_dir") or "sql")
        try:
            record.begin(step)
        except OSError as error:
            # What follows a change of production must not be left out because nobody can read of it.
            if not record.has_begun_to_change():
                return {
                    "failed": True,
                    "reason_code": "artifacts_dir_unwritable",
                    "msg": f"artifacts_dir {record.artifacts_dir} cannot be written: {error.strerror}."
                    f" {_NOT_RECORDED[bool(record.content['steps'])]} Make room there, or type the same command with"
                    " -e artifacts_dir=<another folder>.",
                }
        started = time.monotonic()
        try:
            result = self._execute_step(call)
            if step == "rehearse_from_empty" and not result.get("failed") and record.writes:
                result["documents"] = write_documents(
                    run.get("sql_dir") or "sql",
                    result["outputs"]["migrations"],
                    run.get("sql_layout") or "auto",
                )
        except Exception as error:
            # A defect of ours: the record must not look as if the step had never been, and rescue must run.
            reason = f"Step {step} met an unexpected error: {error!r}"
            result = failure("step_crashed", reason, None, started)
            result["exception"] = traceback.format_exc()
        try:
            record.end(step, result)
        except OSError as error:
            hand_on(record, error, result)
        except Exception as error:
            # A defect of ours as well, after the step: what it has done stands, and the record has it as begun.
            reason = f"Step {step} had ended, and its record met an unexpected error: {error!r}. {LOOK}"
            result = failure("step_crashed", reason, None, started)
            result["exception"] = traceback.format_exc()
            return result
        if result.get("failed"):
            # They are in the artifacts; on the screen of the person on call they would bury the reason.
            result.pop("receipts", None)
            # A module does not know its place in the chain, and whether production was changed by then.
            result["outcome"] = record.content["steps"][-1].get("outcome") or result["outcome"]
        elif step == "preflight" and self._task.diff:
            result["diff"] = planned_of_run(run, result["outputs"].get("migrations", []))
        return result

    def _step_name(self, arguments: dict[str, Any]) -> str:
        name = self._task.action.rsplit(".", 1)[-1]
        if name == "backup" and arguments.get("purpose") == "emergency":
            return "emergency_backup"
        return name

    def _run_id(self, run: dict[str, Any], task_vars: dict[str, Any]) -> str:
        """The run's name; a step that was given none gets a new run, which its gate then refuses."""
        given = str(run.get("run_id") or "")
        if given and RUN_ID.fullmatch(given):
            return given
        return self._new_run_id(task_vars)

    @staticmethod
    def _new_run_id(task_vars: dict[str, Any]) -> str:
        return new_run_id(str(task_vars.get("inventory_hostname", "target")))


_NOT_RECORDED = {
    False: "Nothing was done: a run that cannot be recorded does not start.",
    True: "Production was not touched: a step that cannot be recorded does not begin.",
}


def _not_executable(step: str) -> dict[str, Any] | None:
    """Why no step is executed here, or not by this name."""
    if GRAMMAR.is_missing:
        sentence = GRAMMAR.how_to_install("Production was not touched.")
        return failure("pglast_missing", sentence, "refused", time.monotonic())
    if step == "step":
        return failure(
            "step_could_not_run",
            f"{STEP_MODULE} executes a step and is none itself. Production was not touched. Call the step, as"
            " pgops.runbook.apply.",
            "refused",
            time.monotonic(),
        )
    return None
