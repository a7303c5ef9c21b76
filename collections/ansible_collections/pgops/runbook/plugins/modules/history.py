#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: history
short_description: List the runs of a database, as its ledger has them
description:
  - Reads the ledger, which is there also where the artifacts of the runs are lost. Rehearsals, and
    what preflight has refused, write nothing to production, and so are not in it.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  limit:
    description: At most so many runs, the newest.
    type: int
    default: 100
  migration:
    description: Only runs of this version; V('') means all.
    type: str
    default: ''
  outcome:
    description: Only runs that ended so, as V(rolled_back); V(not ended) means those that have not, V('') all.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: List the runs that were refused
  pgops.runbook.history:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    outcome: refused
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

from ..module_utils.steps.history import main

if __name__ == "__main__":
    main()
