#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill
short_description: Play a deploy, users' writes, an emergency rollback and a restore on the copy
description:
  - Plays the steps of production on the copy, which stands in its place, and measures each phase. First what is applied
    already is taken back there; at the end the migrations are deployed again, so that what the rollback kept goes back.
  - Only reads production, but for one line in the ledger that says that there was a drill.
  - Drops the copy and all that it has made at its end, however it ends.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.encryption
  - pgops.runbook.step.policy
  - pgops.runbook.step.residue
  - pgops.runbook.step.salvage
  - pgops.runbook.step.slots
  - pgops.runbook.step.not_in_backup
  - pgops.runbook.step.client_programs
options:
  jobs:
    description: How many jobs pg_dump and pg_restore use.
    type: int
    default: 2
  rows:
    description:
      - How many rows a table users write between deploy and rollback; so many are made up, and so many that are there
        get other values. 0 means none.
    type: int
    default: 20
  seed:
    description: With the same number and the same schema the rows are the same.
    type: int
    default: 1
  emergency_backup:
    description:
      - The backup before the rollback. In place of a restore point, which would be one of production's server, a full
        one is made.
    type: str
    default: auto
    choices: [auto, full, salvage, restore_point]
  full_max_mb:
    description: Up to how many MB V(auto) makes a full backup.
    type: float
    default: 10240
  statement_timeout_seconds:
    description: Greatest time of one statement on the copy, which is that in production; 0 means none.
    type: float
    default: 900
  together:
    description:
      - Whether a deploy, and its rehearsal, apply all of several pending migrations in one transaction.
    type: bool
    default: false
  accept_drift:
    description: As of M(pgops.runbook.preflight), for the runs on the copy.
    type: bool
    default: false
  accept_edited_scripts:
    description: As of M(pgops.runbook.preflight), for the runs on the copy.
    type: raw
    default: false
  accept_applied_again:
    description: As of M(pgops.runbook.preflight), for the runs on the copy.
    type: raw
    default: false
  accept_broken_chain:
    description: As of M(pgops.runbook.preflight), for the runs on the copy.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Play a night on the copy
  pgops.runbook.drill:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    rows: 100
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

from ..module_utils.steps.drill import main

if __name__ == "__main__":
    main()
