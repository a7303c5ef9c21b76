# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step maintenance_window; its options are documented in plugins/modules/maintenance_window.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import Refused
from ..ledger.maintenance import note_out_of_service
from ..ledger.maintenance_mode import begin_mode
from ..postgres.answers import one_row
from ..postgres.connection import transaction
from ..postgres.maintenance_mode import MODES, check_holds
from ..preflight.hours import is_open, parse_window
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

WINDOW_SPEC = {
    "start": {"type": "str", "required": True},
    "end": {"type": "str", "required": True},
    "timezone": {"type": "str", "default": "UTC"},
    "days": {"type": "list", "elements": "str", "default": []},
}


#: Those that not every step has.
OPTIONS: Json = {
    "window": {"type": "dict", "options": WINDOW_SPEC},
    "takes_out_of_service": {"type": "bool", "default": False},
    "by_command": {"type": "bool", "default": True},
    "close_command": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "str", "default": "none", "choices": list(MODES)},
    "keep_roles": {"type": "list", "elements": "str", "default": []},
    "grace_seconds": {"type": "float", "default": 30},
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
    step.changed = True
    return begin_mode(step.connection, step.run_id, mode, keep, step.params["grace_seconds"])


def _check_hours(step: Step) -> Json:
    """
    Returns:
        dict for the receipt: window, and entered, the time there, where there is a window.

    Raises:
        Refused: it is outside of the window.
    """
    given = step.params["window"]
    if not given:
        return {"window": None}
    window = parse_window(given)
    with transaction(step.connection) as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_timezone_names WHERE name = %s)", (given["timezone"],)
        )
        if not one_row(cursor)[0]:
            raise Refused(
                "setting_invalid",
                f"maintenance_window_hours: the server knows no time zone {given['timezone']!r}.",
            )
        cursor.execute(
            "SELECT extract(isodow FROM t)::int, extract(hour FROM t)::int * 60 + extract(minute FROM t)::int,"
            " to_char(t, 'FMDay HH24:MI') FROM (SELECT clock_timestamp() AT TIME ZONE %s AS t) now",
            (given["timezone"],),
        )
        weekday, minute, shown = one_row(cursor)
    if not is_open(window, weekday, minute):
        days = f" on {', '.join(given['days'])}" if given["days"] else ""
        raise Refused(
            "outside_maintenance_window",
            f"Checklist item 'maintenance window': it is {shown} in {given['timezone']}, and the window is from"
            f" {given['start']} to {given['end']}{days}. Run again then, or change maintenance_window_hours.",
        )
    return {"window": given, "entered": shown}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "maintenance_window").execute(work)
