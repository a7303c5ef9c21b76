#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: approval
short_description: Stop a deploy until others have approved it, and let it go on
description:
  - Where the receipt of preflight says that a run needs approvals, fails until the ledger has them. The run then waits,
    and holds nothing.
  - With O(goes_on) opens such a run again, where its approvals are there, its backup is young enough and nothing has
    changed production since it was rehearsed.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.take_over
options:
  goes_on:
    description: Whether the run has stopped and is to go on.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Stop until others have approved the run
  pgops.runbook.approval:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
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

from ..module_utils.steps.approval import main

if __name__ == "__main__":
    main()
