#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke_test
short_description: Run the application's own queries against production
description:
  - Runs every script of C(sql_dir/smoke) in a transaction that is rolled back.
  - Before that the action plugin asks the addresses in C(health_urls), from the controller.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  health:
    description: What the application has said of itself, filled in by the action plugin, which asks C(health_urls).
    type: dict
    suboptions:
      asked:
        description: For each address host, status and attempts.
        type: list
        elements: dict
        default: []
      failure:
        description: Why the smoke tests fail for it. Empty where they do not.
        type: str
        default: ''
"""

EXAMPLES = r"""
- name: Run the application's own queries against production
  pgops.runbook.smoke_test:
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

from ..module_utils.steps.smoke_test import main

if __name__ == "__main__":
    main()
