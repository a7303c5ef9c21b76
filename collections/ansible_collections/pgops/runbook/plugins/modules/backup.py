#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up the database and record what the backup must hold
description:
  - Takes one snapshot for the dump, the schema's catalog and the fingerprint of the data, so that a restored
    copy can be compared with production while production goes on writing.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.encryption
  - pgops.runbook.step.client_programs
options:
  purpose:
    description: Whether this is the backup before a deploy or the one before a rollback.
    type: str
    default: deploy
    choices: [deploy, emergency]
  kind:
    description:
      - Which backup is made before a rollback. V(full) dumps the database. V(salvage) makes none besides what the
        rollback keeps of what it destroys. V(restore_point) names a point in the WAL, and is refused unless archiving
        is seen to work.
      - V(auto) is V(full) up to O(full_max_mb), and V(salvage) above it where the rollback is one transaction.
    type: str
    default: auto
    choices: [auto, full, salvage, restore_point]
  full_max_mb:
    description: Size of the database in MB up to which V(auto) makes a full backup.
    type: float
    default: 10240
  automatic:
    description: Whether this belongs to the rollback that a failed deploy does by itself.
    type: bool
    default: false
  jobs:
    description: Number of parallel jobs of pg_dump.
    type: int
    default: 2
  lock_timeout_seconds:
    description: How long to wait for the locks that keep tables from being rewritten meanwhile.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Back up the database and record what the backup must hold
  pgops.runbook.backup:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    jobs: 4
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

from ..module_utils.steps.backup import main

if __name__ == "__main__":
    main()
