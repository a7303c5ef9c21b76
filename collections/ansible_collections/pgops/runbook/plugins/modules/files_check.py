#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files_check
short_description: Look whether the files on disk can follow what a migration does to their paths
description:
  - Runs on a host that holds the application's files, which must be able to reach the database, after the rehearsal
    and before production is changed.
  - "For migrations whose header says C(-- Files: rename table.column). Which paths they change is known from the
    rehearsal."
  - Looks at every rename that M(pgops.runbook.files_rename) will do, and refuses the run where one is in the way. It
    makes and removes files of its own, to ask the file system, and touches no other.
  - Rows and files may change between this and the renaming, which looks again.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.library
attributes:
  diff_mode:
    description: Returns every pair of old and new path.
    support: full
"""

EXAMPLES = r"""
- name: Look whether the files on disk can follow
  pgops.runbook.files_check:
    target: "{{ files_check_target }}"
    run: "{{ runbook_run }}"
    library_host: media1
    library_root: /srv/library
  delegate_to: media1
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

from ..module_utils.steps.files_check import main

if __name__ == "__main__":
    main()
