# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""An application that a run has taken out of service, and was killed before it took it back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from ..record.controller import lives
from .within import run_within

__all__ = ["end_maintenance", "is_left_over", "out_of_service_sentence", "take_back"]

STATUS = "ansible-playbook playbooks/status.yml"


def end_maintenance(
    run: dict[str, Any],
    command: Sequence[str],
    take_back: Callable[[Sequence[str]], str | None],
    take_over: str,
    tell: Callable[[str, dict[str, Any]], str | None],
    writes: bool,
) -> str:
    """Take the application back that a run has left out of service, where nobody else will; what there is to be said.

    Args:
        run: see module_utils/ledger/maintenance.py, out_of_service.
        command: maintenance_window_close_command, as it is set now.
        take_back: runs it; returns why it failed, or None (see take_back).
        take_over: run_id of a run that is known to be dead.
        tell: has the step announce do one thing in the name of a run, by its options; returns why it could not.
        writes: false in check mode.
    """
    left_over = is_left_over(run, take_over)
    out = f"OUT OF SERVICE: {out_of_service_sentence(run, left_over, command)}"
    if not (left_over and writes):
        return out
    done = []
    if run["mode"] is not None:
        # Before the command, which may have a load balancer ask the application how it is.
        failure = tell(run["run_id"], {"database_in_service": True})
        if failure is not None:
            return f"{out}. It was tried: maintenance_mode {run['mode']} could not be ended: {failure}"
        done.append(f"maintenance_mode {run['mode']} was ended")
    if run["close_command"] is not None:
        if not command:
            return "; ".join((out, *done))
        by = f"maintenance_window_close_command ({shlex.join(map(str, command))})"
        failure = take_back(command)
        if failure is not None:
            return f"{'; '.join((out, *done))}. It was tried: {by} failed: {failure}"
        done.append(f"{by} has done so now")
    return _in_service_again(run, done, tell(run["run_id"], {"maintenance_ended": True}))


def _in_service_again(run: dict[str, Any], done: Sequence[str], failure: str | None) -> str:
    """That the application was taken back and by what, and where the ledger could not be told, that too."""
    untold = (
        ""
        if failure is None
        else f" The ledger could not be told, so that the next command does it once more: {failure}"
    )
    return (
        f"IN SERVICE AGAIN: run {run['run_id']} had taken the application out of service at {run['since']} and did not"
        f" take it back; {'; '.join(done) or 'nothing keeps it out any more'}.{untold}"
    )


def is_left_over(run: dict[str, Any], take_over: str = "") -> bool:
    """Whether nobody but us will take the application back.

    Args:
        run: see module_utils/ledger/maintenance.py, out_of_service.
        take_over: run_id of a run that is known to be dead.
    """
    if run["ended"]:
        return True
    if run["at_work"]:
        return False  # its process works on, and needs the application out of the way
    alive = lives(run["controller"] or {})
    if alive is None:
        return bool(run["lease_expired"]) or run["run_id"] == take_over
    return not alive


def out_of_service_sentence(run: dict[str, Any], left_over: bool, command: Sequence[str]) -> str:
    """That the application is out of service, since when and by whom, and the one command that takes it back.

    Args:
        command: maintenance_window_close_command, as it is set now.
    """
    mode = "" if run["mode"] is None else f" with maintenance_mode {run['mode']}"
    since = (
        f"The application is out of service since {run['since']},"
        f" by run {run['run_id']} ({run['playbook']}{mode})"
    )
    if not left_over and run["at_work"]:
        return f"{since}, of which a step is at work. If it is not back when that has ended: {STATUS}"
    if not left_over and lives(run["controller"] or {}):
        return f"{since}, which is in progress. It takes the application back when it ends"
    if not left_over:
        return (
            f"{since}, which was started on another machine and may be in progress. If it is known to be dead, this"
            f" takes the application back: {STATUS} -e take_over={run['run_id']}"
        )
    if command or run["close_command"] is None:
        return f"{since}, which has ended or was interrupted. This takes the application back: {STATUS}"
    value = json.dumps({"maintenance_window_close_command": run["close_command"] or ["..."]})
    return (
        f"{since}, which has ended or was interrupted; maintenance_window_close_command is not set here. This takes"
        f" the application back: {STATUS} -e {shlex.quote(value)}"
    )


def take_back(command: Sequence[str], seconds: float, meanwhile: Callable[[], None]) -> str | None:
    """Run the command, on the controller; returns why it failed, or None.

    Args:
        seconds: how long it may take: one that does not end must not keep anybody from looking.
        meanwhile: called now and then while it works.
    """
    ended = run_within(command, seconds, meanwhile=meanwhile)
    if ended.status == 0:
        return None
    said = ended.failure or ended.stderr or ended.stdout
    return " ".join(said.split()) or f"it ended with {ended.status}"
