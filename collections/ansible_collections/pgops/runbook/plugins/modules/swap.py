#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swap
short_description: Put the restored database in the place of the live one
description:
  - Keeps the application out (no new connections, sessions ended), counts what the live database has more than the
    backup and, with O(carry_over), brings it over; brings the ledger over; then swaps the names of the databases in
    one transaction, with owner, privileges, settings, comment and connection limit.
  - The replaced database stays under a name of its own and can be connected to.
  - Where anything fails before that transaction has committed, the application is let in again and nothing has changed.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.lock_waits
options:
  automatic:
    description: Whether this belongs to the restore that a deploy does by itself when its emergency rollback failed.
    type: bool
    default: false
  carry_over:
    description:
      - Whether rows that were added, changed or deleted since the backup are so in the restored database too.
      - Rows that its schema does not take are left, counted and listed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Put the restored database in the place of the live one
  pgops.runbook.swap:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    carry_over: true
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

from ..module_utils.steps.swap import main

if __name__ == "__main__":
    main()
