#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: approval
short_description: Stop a deploy until others have approved it, and let it go on
description:
  - Where the receipt of preflight says that a run needs approvals, fails until the ledger has them. The run then waits,
    and holds nothing.
  - With O(goes_on) opens such a run again, where its approvals are there, its backup is young enough and nothing has
    changed production since it was rehearsed.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  goes_on:
    description: Whether the run has stopped and is to go on.
    type: bool
    default: false
  take_over:
    description: Name of a run that holds the database and is known to be dead.
    type: str
    default: ''
  taken_over_because:
    description:
      - What is known of the controller of the run named by O(take_over), for the ledger. Filled in by the action
        plugin.
      - With V(named) only its name was given; with V(gone) its process was on the same machine and is there no more;
        with V(unseen) it cannot be looked at from here, and the lease of the run was over.
    type: str
    choices: [named, gone, unseen]
    default: named
  ended_elsewhere:
    description:
      - How that run ended by its run.json, where its end could not be written to the ledger. Filled in by the action
        plugin.
    type: dict
    suboptions:
      run_id:
        description: Its name.
        type: str
      outcome:
        description: Its outcome.
        type: str
      reason:
        description: Why it ended so.
        type: str
      record_sha256:
        description: Digest of its run.json.
        type: str
"""

EXAMPLES = r"""
- name: Stop until others have approved the run
  pgops.runbook.approval:
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

from ..module_utils.steps.approval import main

if __name__ == "__main__":
    main()
