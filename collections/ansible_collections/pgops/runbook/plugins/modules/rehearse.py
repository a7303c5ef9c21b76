#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearse
short_description: Rehearse migrations and rollbacks on the copy
description:
  - Applies the migrations to the copy, rolls them back, compares schema and data with what was there before,
    and applies them again. Nothing that fails here reaches production.
  - Drops the copy at its end, however it ends.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.policy
  - pgops.runbook.step.residue
  - pgops.runbook.step.salvage
  - pgops.runbook.step.slots
options:
  statement_timeout_seconds:
    description: Greatest time of one statement on the copy, which is that in production; 0 means none.
    type: float
    default: 900
  generated_rows:
    description:
      - To how many rows tables that have fewer are filled for a second rehearsal, of which only loss or failure of a
        rollback counts. 0 means that there is none.
    type: int
    default: 0
  generated_rows_seed:
    description: With the same number and the same schema the rows are the same.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Rehearse migrations and rollbacks on the copy
  pgops.runbook.rehearse:
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

from ..module_utils.steps.rehearse import main

if __name__ == "__main__":
    main()
