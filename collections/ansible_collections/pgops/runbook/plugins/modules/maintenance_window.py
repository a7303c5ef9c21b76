#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_window
short_description: Check that the migration happens inside the maintenance window
description:
  - Refuses outside of the configured window; without one there is nothing to check.
  - Opening and closing the window for users is the role's part; this records that it was opened.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  window:
    description:
      - When migrations are allowed. Empty means always.
      - The database server's clock decides.
    type: dict
    suboptions:
      start:
        description: Begin of the window, as HH:MM.
        type: str
        required: true
      end:
        description: End of the window, as HH:MM; earlier than O(window.start) means the next day.
        type: str
        required: true
      timezone:
        description: Name of the time zone of both, as PostgreSQL knows it.
        type: str
        default: UTC
      days:
        description: English names of the days on which the window begins; empty means every day.
        type: list
        elements: str
        default: []
"""

EXAMPLES = r"""
- name: Check that the migration happens inside the maintenance window
  pgops.runbook.maintenance_window:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    window:
      start: '22:00'
      end: '05:00'
      timezone: Europe/Berlin
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: What the step found, as in its receipt.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.errors import Refused
from ..module_utils.postgres.answers import one_row
from ..module_utils.postgres.connection import transaction
from ..module_utils.preflight.hours import is_open, parse_window
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec

WINDOW_SPEC = {
    "start": {"type": "str", "required": True},
    "end": {"type": "str", "required": True},
    "timezone": {"type": "str", "default": "UTC"},
    "days": {"type": "list", "elements": "str", "default": []},
}


def work(step: Step) -> Json:
    step.changed = False
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
        argument_spec=step_argument_spec(window={"type": "dict", "options": WINDOW_SPEC}),
        supports_check_mode=True,
    )
    Step(module, "maintenance_window").execute(work)


if __name__ == "__main__":
    main()
