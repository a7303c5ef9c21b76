#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION. What it does is in plugins/action/run_within.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_within
short_description: Run a command on the controller, and end it when time is over
description:
  - Runs the commands of the user's that stand around a run. One that has not ended in time is ended with all that it
    has started, and the task fails.
  - While it works the screen says who is waited for.
  - Runs on the controller, as who has started ansible-playbook; no host and no database of the inventory is asked.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: Runs nothing; the task is skipped.
    support: full
options:
  argv:
    description: The command, a list of words. No shell sees it.
    type: list
    elements: str
    required: true
  seconds:
    description: How long it may take.
    type: float
    required: true
  stdin:
    description: What it is given to read.
    type: str
    default: ''
  step:
    description: Of which step the line on the screen is.
    type: str
    required: true
  called:
    description: What is waited for, as the line on the screen names it. Best the variable that has the command.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Take the application out of service
  pgops.runbook.run_within:
    argv: [/usr/local/bin/maintenance, "on"]
    seconds: 300
    step: maintenance_window
    called: maintenance_window_open_command
"""

RETURN = r"""
rc:
  description: Exit status; 124 when time was over, 127 when it could not be started.
  returned: outside of check mode
  type: int
stdout:
  description: What it said.
  returned: outside of check mode
  type: str
stderr:
  description: What it said of errors; at its end why it was ended, or could not be started.
  returned: outside of check mode
  type: str
"""
