#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Say what is applied, pending, edited, drifted and proven
description:
  - Reads the ledger, C(schema_migrations) and the catalog, and looks whether the newest proven backup is there.
  - Says of which runs the ledger has an outcome that their receipts or their run.json contradict.
  - With O(adopt) it finds out from the catalog which migrations are in place without being recorded, by applying
    all of them to an empty database of its own, and records those that are. Of one that cannot be applied there
    nothing is decided, nor recorded; the others are.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
options:
  adopt:
    description: Whether migrations that are in place are recorded.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what is applied, pending, edited, drifted and proven
  pgops.runbook.status:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    adopt: true
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

from ..module_utils.steps.status import main

if __name__ == "__main__":
    main()
