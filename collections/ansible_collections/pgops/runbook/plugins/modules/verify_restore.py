#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_restore
short_description: Prove the backup by restoring it into the copy
description:
  - Checks every byte of the backup, restores it into a database of its own, and compares schema and data
    of the copy with what the backup's snapshot saw in production.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.encryption
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.not_in_backup
  - pgops.runbook.step.client_programs
options:
  jobs:
    description: Number of parallel jobs of pg_restore.
    type: int
    default: 2
  after_command:
    description:
      - Command that gets the backup once it is proven, a list of words; no shell runs it. In its words C({folder})
        stands for the backup's folder and C({run_id}) for the run. It runs on the host that made the backup. Where it
        fails there is a warning, and the run goes on.
    type: list
    elements: str
    default: []
  after_timeout_seconds:
    description: How long it may take; then it is ended, and that is its failure.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Prove the backup by restoring it into the copy
  pgops.runbook.verify_restore:
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
  description: What the step found, as in its receipt, and C(after_backup), how O(after_command) ended.
  returned: success
  type: dict
"""

from ..module_utils.steps.verify_restore import main

if __name__ == "__main__":
    main()
