#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: approve
short_description: Say yes to a deploy that somebody else has started
description:
  - Binds the yes of the person who types it to the receipts of a run that waits for approval, and writes it into the
    ledger. Approving twice changes nothing.
  - In check mode only shows what would be approved.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  approved_run_id:
    description: Name of the run that is approved.
    type: str
    default: ''
  comment:
    description: What is noted with the approval.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Approve a run
  pgops.runbook.approve:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    approved_run_id: 20261127T210000Z-midi_library-a0eb
    comment: read with the author
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: What was approved, and which approvals the run needs and has.
  returned: success
  type: dict
"""

from ..module_utils.steps.approve import main

if __name__ == "__main__":
    main()
