#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore a proven backup into a database beside the live one
description:
  - Checks every byte of the backup, restores it into a new database on the same server, and compares schema and
    data with what the backup must hold.
  - Replaces the ledger in it by the live one, of which it has to be the beginning.
  - The live database is only read.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.encryption
  - pgops.runbook.step.client_programs
options:
  automatic:
    description: Whether this belongs to the restore that a deploy does by itself when its emergency rollback failed.
    type: bool
    default: false
  jobs:
    description: Number of parallel jobs of pg_restore.
    type: int
    default: 2
"""

EXAMPLES = r"""
- name: Restore a proven backup into a database beside the live one
  pgops.runbook.restore:
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

from ..module_utils.steps.restore import main

if __name__ == "__main__":
    main()
