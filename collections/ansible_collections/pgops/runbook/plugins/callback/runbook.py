# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the person on call sees: one line a step, each failure once, and at the end the report."""

from __future__ import annotations

DOCUMENTATION = """
name: runbook
type: stdout
short_description: one line a step of the runbook
version_added: 0.2.0
description:
  - Shows one line for each step of the runbook, with what it found and how long it took, each failure once, and the
    report of the run at the end.
  - Tasks that are not steps have a line where they changed something or failed; those in which Ansible validates
    variables or sets facts have none.
  - With C(-v) it shows what the callback P(ansible.builtin.default#callback) shows.
author:
  - The pgops runbook authors (@pgops)
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - Set C(stdout_callback = pgops.runbook.runbook) in the section C([defaults]) of ansible.cfg.
"""

import atexit
import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.executor.task_result import CallbackTaskResult
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback.default import CallbackModule as DefaultCallback

from ..module_utils.sentences import visible
from ..plugin_utils import bytecode  # noqa: F401 - before all that is imported after it
from ..plugin_utils.record.typed_here import typed_here
from ..plugin_utils.report.run import short_report
from ..plugin_utils.screen.events import action_of, hosts_of, reason_of, step_of, step_of_task
from ..plugin_utils.screen.fleets import Fleets
from ..plugin_utils.screen.found import found_by
from ..plugin_utils.screen.interrupted import AtWork
from ..plugin_utils.screen.killed_workers import KilledWorkers
from ..plugin_utils.screen.lines import (
    MARKS,
    PLAIN_MARKS,
    Said,
    host_column,
    indented,
    mark_of_end,
    step_line,
)
from ..plugin_utils.screen.moving import COMPACT_FROM, Screen

# What each of several databases passes before its first step.
FLEET = "fleet"

# Their outputs are told by the report, which a task of its own prints.
REPORTED_BY_A_TASK = (
    "announce",
    "approve",
    "check",
    "cleanup",
    "history",
    "import_scripts",
    "salvage",
    "status",
)

# What they change is not the world.
SILENT_ACTIONS = (
    "set_fact",
    "validate_argument_spec",
    "assert",
    "meta",
    "add_host",
    "group_by",
    "include_vars",
)


def without_v(show: Callable[..., None]) -> Callable[..., None]:
    """Of an event: what ``show`` does; with -v instead what the callback default does."""

    @functools.wraps(show)
    def event(self: CallbackModule, *args: Any, **options: Any) -> None:
        if self._is_verbose():
            getattr(super(CallbackModule, self), show.__name__)(*args, **options)
        else:
            show(self, *args, **options)

    return event


class CallbackModule(DefaultCallback):
    """One line a step; everything else as the callback ``default`` has it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "pgops.runbook.runbook"

    def __init__(self) -> None:
        super().__init__()
        # Of each host what was said of its failures.
        self._said: dict[str, Said] = {}
        self._play_name = ""
        # Hosts that are at work together.
        self._hosts: list[str] = []
        self._fleets = Fleets()
        self._heading: str | None = None
        # Hosts whose run has a report, which is more than a recap could say.
        self._reported: set[str] = set()
        self._printed_reports: dict[str, str] = {}
        self._at_work = AtWork()
        self._killed_workers = KilledWorkers()
        # Of Ctrl-C a callback hears nothing; but then no statistics came before the end.
        atexit.register(self._say_what_was_interrupted)

    def set_options(self, *args: Any, **options: Any) -> None:
        super().set_options(*args, **options)
        # Into a file or a pipe Ansible writes when some kilobytes have come together, and a person looks there to see
        # how far it is. What somebody has put in the place of stdout may have no lines.
        with contextlib.suppress(AttributeError):
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # suppressed
        Screen.moves = sys.stdout.isatty() and not self._is_verbose()
        Screen.width = self._display.columns

    # Events ----------------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play_name = play.get_name().strip()
        self._heading = None
        self._said = {}
        self._hosts = hosts_of(play)
        Screen.databases = len(self._hosts)
        self._at_work.begin_play(play.get_vars().get("runbook_playbook"))
        self._killed_workers.begin_play(play.strategy)
        if self._is_verbose():
            super().v2_playbook_on_play_start(play)

    @without_v
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """What comes of it has a line."""

    @without_v
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Likewise."""

    @without_v
    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Its tasks have lines."""

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """What comes of it has a line."""
        self._at_work.begin_step(host.get_name(), step_of_task(task))
        if self._is_verbose():
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        if result.task.args.get("takes_out_of_service"):
            self._at_work.open_maintenance(result.host.get_name())
        if self._is_verbose():
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        content = result.result
        if "results" not in content:
            self._show_success(result, content)
        if "run_json" in content:
            self._show_report(result, content)
        elif action_of(result) == "debug":
            self._show_debug(result, content)

    @without_v
    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._handle_warnings(result.result)
        self._show_success(result, result.result)

    @without_v
    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._handle_warnings(result.result)
        # Of a loop each item has told its own.
        if "results" not in result.result:
            self._show_failure(result, ignore_errors)

    @without_v
    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        self._handle_warnings(result.result)
        self._show_failure(result)

    @without_v
    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        self._handle_warnings(result.result)
        self._show_failure(result)

    @without_v
    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        """Why a step was left out is in the record, where it matters."""

    @without_v
    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        """Likewise."""

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._at_work.end()
        self._killed_workers.end()
        if self._is_verbose():
            super().v2_playbook_on_stats(stats)
        else:
            self._show_stats(stats)
        for line in self._fleets.in_short():
            self._print(line, None)

    def _show_stats(self, stats: Any) -> None:
        for host in sorted(set(stats.processed) - self._reported):
            found = stats.summarize(host)
            counts = [f"{name}={found[name]}" for name in ("ok", "changed", "failures", "unreachable")]
            went_well = not found["failures"] and not found["unreachable"]
            colour = constants.COLOR_OK if went_well else constants.COLOR_ERROR
            self._print(f"{host}: {', '.join(counts)}", colour)
            for line in () if went_well else self._at_work.failed(host):
                self._print(line, None)

    @without_v
    def _print_task_banner(self, task: Any) -> None:
        """Of the callback default, which begins with it what it prints of a task, as its diff."""

    # What is printed -------------------------------------------------------------------------------------

    def _show_success(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        action, step = action_of(result), step_of(result)
        if step == FLEET:
            self._see_fleet(result, content)
            return
        if step in REPORTED_BY_A_TASK:
            self._reported.add(result.host.get_name())
            return
        if step:
            if result.task.check_mode and step != "preflight":
                return  # it has done nothing
            summary = found_by(step, content.get("outputs") or {})
            if "censored" in content:
                summary = "(what it found is hidden: no_log)"
            if not self._is_compact():
                self._show_line(result, "ok", step, content.get("seconds"), summary)
        elif content.get("changed") and action not in SILENT_ACTIONS and not self._is_compact():
            self._show_line(result, "ok", self._name(result), None)

    def _show_failure(self, result: CallbackTaskResult, ignored: bool = False) -> None:
        content = result.result
        reason, said = reason_of(content), self._said_of(result)
        if not said.is_new(reason) or (action_of(result) == "fail" and said.repeats(reason)):
            return
        step = step_of(result)
        name, seconds = (step, content.get("seconds")) if step else (self._name(result), None)
        mark = mark_of_end(content.get("outcome"))
        colour = constants.COLOR_CHANGED if mark == "waiting" else constants.COLOR_ERROR
        self._show_line(result, mark, name, seconds, str(content.get("reason_code") or ""))
        for line in indented(reason):
            self._print(line, colour)
        if ignored:
            self._print("    It is ignored.", constants.COLOR_SKIP)
        said.add(reason)

    def _see_fleet(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        """Whether the run of one of several databases begins, and which batch that is of how many."""
        self._fleets.see(content)
        if not content.get("goes_on"):
            self._reported.add(result.host.get_name())
            self._at_work.end_run(result.host.get_name())

    def _said_of(self, result: CallbackTaskResult) -> Said:
        return self._said.setdefault(result.host.get_name(), Said())

    def _is_compact(self) -> bool:
        """Whether so many databases are at work together that each has one line, when its run has ended."""
        return len(self._hosts) > COMPACT_FROM

    def _name(self, result: CallbackTaskResult) -> str:
        """The task's name; in a loop with what tells this item from the others."""
        name = result.task.get_name().strip()
        return f"{name} ({self._get_item_label(result.result)})" if result.task.loop else name

    def _show_report(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        """How the run ended: the short form, as the steps have been told; a task that prints the long one is not."""
        self._reported.add(result.host.get_name())
        self._at_work.end_run(result.host.get_name())
        self._printed_reports[result.host.get_name()] = "\n".join(content["report"])
        page = next(iter(content.get("report_files") or []), None)
        restores = boolean(result.task.args.get("restore_salvage", True), strict=False)
        report = short_report(content["run"], content["run_json"], restores, page)
        here = content.get("here") or ("", "")
        self._fleets.see_run(here)
        report = typed_here(report, tuple(here))
        colour = constants.COLOR_OK if content.get("succeeded") else constants.COLOR_ERROR
        first, *others = self._said_of(result).without(report)
        if len(self._hosts) > 1:
            self._show_end_among_others(result, content, others)
            return
        self._show_heading(result)
        self._print("", None)
        self._print(first, colour)
        for line in others:
            self._print(line, None)

    def _show_end_among_others(
        self, result: CallbackTaskResult, content: dict[str, Any], others: list[str]
    ) -> None:
        """One line, in which a run that went well has all that is worth reading among those of others."""
        run = content["run"]
        seconds = sum(step.get("seconds") or 0 for step in run["steps"])
        went_well = content.get("succeeded") and not run.get("rows_waiting")
        mark = "ok" if content.get("succeeded") else mark_of_end(run["outcome"])
        found = (run["reason"] or ", ".join(run["migrations"])) if went_well else run["reason_code"] or ""
        self._show_line(result, mark, run["outcome"], seconds, found)
        for line in () if went_well else others:
            self._print(f"    {line}", None)

    def _show_debug(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        """What a task of debug says: the report of a status, or something of the user's."""
        message = content.get("msg")
        if message == self._printed_reports.get(result.host.get_name(), ""):
            return
        if not isinstance(message, str):
            self._clean_results(content, result.task.action)
            message = self._dump_results(content)
        self._show_heading(result, of_host=True)
        for line in visible(message).splitlines():
            self._print(line, None)

    def _show_line(
        self, result: CallbackTaskResult, mark: str, name: str, seconds: float | None, summary: str = ""
    ) -> None:
        self._show_heading(result)
        colour = {"failed": constants.COLOR_ERROR, "waiting": constants.COLOR_CHANGED}.get(
            mark, constants.COLOR_OK
        )
        if mark == "ok" and result.result.get("changed"):
            colour = constants.COLOR_CHANGED
        host = host_column(result.host.get_name(), self._hosts) if len(self._hosts) > 1 else ""
        self._print(step_line(self._marks()[mark], name, seconds, summary, host), colour)

    def _say_what_was_interrupted(self) -> None:
        for line in (*self._killed_workers.told(), *self._at_work.interrupted()):
            self._print(line, constants.COLOR_ERROR)

    def _show_heading(self, result: CallbackTaskResult, of_host: bool = False) -> None:
        """What the lines below it are about: one host, or all that are at work together.

        Args:
            of_host: whether the lines name no host by themselves.
        """
        if of_host or len(self._hosts) < 2:
            heading = f"{self._play_name}: {result.host.get_name()}"
        else:
            heading = f"{self._play_name}: {self._fleets.place() or f'{len(self._hosts)} hosts'}"
        if heading != self._heading:
            self._heading = heading
            self._print(heading, None)

    def _print(self, line: str, colour: str | None) -> None:
        self._display.display(visible(line), color=colour)

    def _is_verbose(self) -> bool:
        return bool(self._display.verbosity)

    @staticmethod
    def _marks() -> dict[str, str]:
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        return MARKS if encoding == "utf8" else PLAIN_MARKS
