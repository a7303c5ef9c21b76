#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: new_migration
short_description: Begin a migration, or draft the rollback and the verify script of one
description:
  - With O(name) the action plugin writes a migration with the next number, its rollback and its verify script into
    C(sql_dir), each marked as unfinished, so that nobody deploys them before somebody has written them.
  - With O(run.migration) it drafts what is missing of a migration that is written. What the migration changes is read
    from the database, which must not have it yet; the module answers O(questions) about it, and writes nothing.
  - Never overwrites a file.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  name:
    description: Of the new migration, without its number.
    type: str
    default: ''
  author:
    description: Who writes it. Empty means who has typed the command.
    type: str
    default: ''
  questions:
    description:
      - Objects of the database to describe. Filled in by the action plugin.
    type: list
    elements: dict
    default: []
  pg_bindir:
    description: Folder of PostgreSQL's client programs. Empty means PATH.
    type: path
    default: ''
"""

EXAMPLES = r"""
- name: Begin a migration
  pgops.runbook.new_migration:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    name: add_tags
"""

RETURN = r"""
files:
  description: Paths of the files that were written.
  returned: success
  type: list
  elements: str
unfinished:
  description: What a person has to see to in a drafted rollback, each with the line of the migration.
  returned: success, with O(run.migration)
  type: list
  elements: dict
receipts:
  description: None, for nothing is done to the database.
  returned: never
  type: list
  elements: dict
outputs:
  description: What the module answers to the action plugin.
  returned: never, to a task
  type: dict
"""

from ..module_utils.steps.new_migration import main

if __name__ == "__main__":
    main()
