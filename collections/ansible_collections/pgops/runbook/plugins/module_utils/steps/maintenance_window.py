# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step maintenance_window; its options are documented in plugins/modules/maintenance_window.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import Refused, StepFailed
from ..ledger.maintenance import note_out_of_service
from ..ledger.maintenance_mode import begin_mode
from ..postgres.connection import transaction
from ..postgres.lock_waits import LOCK_WAIT_SPEC, LockPolicy, waiting_at_most
from ..postgres.maintenance_mode import MODES, NOTHING_DONE, check_holds
from ..preflight.hours import open_now, server_now
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "window": {"type": "raw"},
    "openings": {"type": "list", "elements": "dict"},
    "takes_out_of_service": {"type": "bool", "default": False},
    "by_command": {"type": "bool", "default": True},
    "close_command": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "default": "none", "choices": list(MODES)},
    "keep_roles": {"type": "list", "elements": "str", "default": []},
    "grace_seconds": {"type": "float", "default": 30},
    **LOCK_WAIT_SPEC,
}


def work(step: Step) -> Json:
    step.changed = False
    if step.params["mode"] != "none":
        return _enter_mode(step)
    entered = _check_hours(step)
    if step.params["takes_out_of_service"] and not step.module.check_mode:
        with transaction(step.connection) as cursor:
            note_out_of_service(
                cursor, step.run_id, step.params["close_command"] if step.params["by_command"] else None
            )
        step.changed = True
    return {**entered, "takes_out_of_service": step.params["takes_out_of_service"]}


def _enter_mode(step: Step) -> Json:
    """After the hours were looked at, and after the command that tells a load balancer."""
    mode, keep = step.params["mode"], step.params["keep_roles"]
    if step.module.check_mode:
        with transaction(step.connection) as cursor:
            check_holds(cursor, mode, keep)
        return {"mode": mode}
    policy = LockPolicy.from_params(step.params)
    step.changed = True
    try:
        return waiting_at_most(
            step.connection,
            step.params["target"],
            policy,
            lambda: begin_mode(step.connection, step.run_id, mode, keep, step.params["grace_seconds"]),
            f"{NOTHING_DONE} Run again when that session has ended.",
            step.module.warn,
        )
    except StepFailed as error:
        raise Refused(error.code, f"maintenance_mode {mode}: {error.reason}", **error.details) from None


def _check_hours(step: Step) -> Json:
    """
    Returns:
        dict for the receipt: window, and opening (see open_now), where there is a window.

    Raises:
        Refused: it is outside of the window.
    """
    openings = step.params["openings"]
    if openings is None:
        if step.params["window"]:
            raise Refused(
                "setting_invalid",
                "The window was not read: that is done on the controller, by the action plugin of this module, through"
                " which it has to be called. Production was not touched.",
            )
        return {"window": None}
    with transaction(step.connection) as cursor:
        now = server_now(cursor)
    return {"window": step.params["window"], "opening": open_now(openings, now)}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "maintenance_window").execute(work)
