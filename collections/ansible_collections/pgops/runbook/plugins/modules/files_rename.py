#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files_rename
short_description: Rename the files on disk to agree with the database
description:
  - Runs on a host that holds the application's files, which must be able to reach the database.
  - "For migrations whose header says C(-- Files: rename table.column). Which paths they and their rollbacks changed
    is in the ledger, written in the transaction that changed them."
  - Looks at every rename before the first one, never replaces a file, never follows a link below the folder, notes
    each rename in a journal before it happens, and compares all rows with all files at the end.
  - The paths that the rows have now are the ones that count. So the same call goes on after a kill, and takes names
    back after a rollback of the database; files that users renamed or added meanwhile keep their names.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.library
options:
  automatic:
    description: Whether this follows the rollback that a failed deploy does by itself.
    type: bool
    default: false
attributes:
  diff_mode:
    description: Returns every pair of old and new path, in check mode too.
    support: full
"""

EXAMPLES = r"""
- name: Rename the files on disk to agree with the database
  pgops.runbook.files_rename:
    target: "{{ files_rename_target }}"
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
  description: What the step found, as in its receipt; in check mode also C(pairs), every old and new path.
  returned: success
  type: dict
"""

from ..module_utils.steps.files_rename import main

if __name__ == "__main__":
    main()
