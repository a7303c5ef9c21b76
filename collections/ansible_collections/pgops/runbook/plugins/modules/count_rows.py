#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: count_rows
short_description: Count what the live database has more than the restored backup
description:
  - Compares both in one snapshot, table by table, by primary key where there is one, and counts rows that were added,
    changed and deleted since the backup.
  - Nobody is kept out, so the numbers of the swap itself may be higher.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  automatic:
    description: Whether this belongs to the restore that a deploy does by itself when its emergency rollback failed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Count what the live database has more than the restored backup
  pgops.runbook.count_rows:
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

from ..module_utils.steps.count_rows import main

if __name__ == "__main__":
    main()
