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
  - Opening and closing the window for users is the role's part; this notes in the ledger that it is about to be opened,
    so that a run which is killed leaves no application out of service that nobody knows of.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.lock_waits
options:
  window:
    description:
      - When migrations are allowed, a dictionary or a list of them. Empty means always.
      - Weekly with C(start), C(end) and C(days), or by cron with C(cron) and C(minutes); C(timezone) in both.
      - Read by the action plugin on the controller; the database server's clock decides.
    type: raw
  openings:
    description: When it is open, around now. Filled in by the action plugin.
    type: list
    elements: dict
  takes_out_of_service:
    description: Whether the next task takes the application out of service.
    type: bool
    default: false
  by_command:
    description: Whether a command on the controller does it; otherwise PostgreSQL alone does, in the next call of this.
    type: bool
    default: true
  close_command:
    description:
      - The command on the controller that takes it back, a list of words.
      - Kept for people to read. What is run later is the command that is set then.
    type: list
    elements: str
    default: []
  mode:
    description:
      - Keeps the application from writing (V(read_only)) or out (V(block)), in PostgreSQL, until announce ends it.
      - With V(none) this only looks at the window, and notes.
    type: str
    choices: [none, read_only, block]
    default: none
  keep_roles:
    description: Roles whose sessions stay, and which V(block) lets in.
    type: list
    elements: str
    default: []
  grace_seconds:
    description: For how long a session of others may go on with its transaction before it is ended.
    type: float
    default: 30
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

from ..module_utils.steps.maintenance_window import main

if __name__ == "__main__":
    main()
