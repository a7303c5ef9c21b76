#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Verify production after the migration was committed
description:
  - Compares the schema with the one that was committed, and runs the verify scripts of the run's migrations.
  - Where salvage came back to a migration, its verify script ran before that, in the applying transaction, and is not
    run again on rows of users. The receipt names such scripts apart, as the one of apply does.
  - Leaves no trace in the database but its receipt.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
"""

EXAMPLES = r"""
- name: Verify production after the migration was committed
  pgops.runbook.verify:
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

from ..module_utils.steps.verify import main

if __name__ == "__main__":
    main()
