#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cleanup
short_description: Remove backups and artifacts that are no longer kept
description:
  - Removes from backup_dir the backups of this database that O(backup_keep) no longer keeps, and on the controller the
    artifacts of its runs that O(artifacts_keep) no longer keeps, and the records of fleets none of whose runs has
    artifacts any more. The ledger keeps its rows, and says of which runs the
    backup was removed.
  - The newest proven backup of a database always stays, as does what a run that has not ended, a restore, rows in the
    salvage or a rollback may still need.
  - What is neither known to the ledger nor to the receipts of a rehearsal of this database is not touched, nor is a
    folder that holds something which the runbook has not written.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  backup_keep:
    description: Which backups stay. Empty means all.
    type: dict
    default: {}
    suboptions:
      count:
        description: The newest so many stay.
        type: int
      days:
        description: Those stay that are no older than so many days. With O(backup_keep.count), what either keeps stays.
        type: int
  artifacts_keep:
    description: Which artifacts stay. Empty means all. Enforced on the controller.
    type: dict
    default: {}
    suboptions:
      count:
        description: Those of the newest so many runs stay.
        type: int
      days:
        description: Those stay of runs that ended no more than so many days ago.
        type: int
  after_run:
    description:
      - Whether this is the end of a run. Then nothing fails; what could not be removed is a warning in its run.json.
        At the end of a rehearsal, which writes nothing to production, only backups of rehearsals go.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Keep the ten newest backups, and those of the last thirty days
  pgops.runbook.cleanup:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    backup_keep:
      count: 10
      days: 30
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote; it writes none.
  returned: always
  type: list
  elements: dict
outputs:
  description:
    - What was removed (C(removed), C(artifacts), C(fleets)), or in check mode would be, each with its size and age;
      what stays though it is neither new enough nor one of the newest, and why (C(kept)); what was left alone, and why
      (C(left_alone)); what could not be removed (C(warnings)).
  returned: success
  type: dict
"""

from ..module_utils.steps.cleanup import main

if __name__ == "__main__":
    main()
