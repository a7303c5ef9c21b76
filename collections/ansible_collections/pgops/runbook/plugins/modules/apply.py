#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Apply the rehearsed migrations to production
description:
  - Begins only where the backup of the run is still there and unaltered, as far as a second's look can tell.
  - Each migration is one transaction with its version row and its receipt in it.
  - Before COMMIT the schema must equal the rehearsed one, and the verify and smoke scripts must hold;
    otherwise the transaction is rolled back.
  - What an earlier rollback of the migration kept goes back in the same transaction.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.locks
  - pgops.runbook.step.abort
  - pgops.runbook.step.salvage
  - pgops.runbook.step.replica_lag
  - pgops.runbook.step.slots
options:
  replica_wait_seconds:
    description:
      - How long to wait after COMMIT until the standbys that are connected have replayed it. 0 does not wait, and does
        not look.
      - What is not there then is said in the report, and is no failure.
    type: float
    default: 0
  batch_pause_seconds:
    description: How long a script whose header says C(-- Batches) pauses after each batch.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Apply the rehearsed migrations to production
  pgops.runbook.apply:
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

from ..module_utils.steps.apply import main

if __name__ == "__main__":
    main()
