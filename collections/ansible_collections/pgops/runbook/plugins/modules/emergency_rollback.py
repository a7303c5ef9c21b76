#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: emergency_rollback
short_description: Roll migrations back in production
description:
  - Begins only where a full backup that the run has made before it is still there and unaltered.
  - All in one transaction with the receipts in it. Before COMMIT the schema must equal the one recorded before
    the deploy, and the smoke scripts must hold.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.locks
  - pgops.runbook.step.abort
  - pgops.runbook.step.replica_lag
options:
  automatic:
    description:
      - Whether this is the rollback that a failed deploy does by itself.
      - It then takes back what the run has committed according to the ledger, and does nothing where that is nothing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Roll migrations back in production
  pgops.runbook.emergency_rollback:
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

from ..module_utils.steps.emergency_rollback import main

if __name__ == "__main__":
    main()
