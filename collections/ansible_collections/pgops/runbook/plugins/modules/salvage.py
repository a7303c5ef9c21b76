#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: salvage
short_description: List, export, put back or purge the rows that rollbacks kept
description:
  - Works on schema C(runbook_salvage), where a rollback keeps the rows and values that the old schema cannot hold.
  - What changes something is a run of its own in the ledger, and is refused while another run is in progress.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.locks
options:
  action:
    description:
      - V(list) names every item that has not gone back; with O(item), the rows of that one, each beside what is there
        now.
      - V(export) writes the rows of one item to a file.
      - V(put_back) puts one item back, without a deploy; V(restore) is what it was called before 0.2.0.
      - V(purge) deletes items.
    type: str
    default: list
    choices: [list, export, put_back, purge, restore]
  item:
    description: Number of the item, as V(list) shows it; 0 means none.
    type: int
    default: 0
  format:
    description: How an export is written. V(sql) is INSERT statements, or UPDATE statements for single columns.
    type: str
    default: csv
    choices: [csv, sql]
  file:
    description: Whole path of the file to write, on the host where the module runs. It must not exist.
    type: path
    default: ''
  overwrite:
    description: Whether rows that are there now may be changed or deleted by what is put back; as O(prefer=kept).
    type: bool
    default: false
  prefer:
    description:
      - Who has the last word on what was changed on both sides of the rollback.
      - V(kept) is what users wrote before it; what it overwrites is kept in its place, as an item of its own.
      - V(now) is what is there now; what was kept of it is forgotten.
      - Empty, both wait.
    type: str
    default: ''
    choices: ['', kept, now]
  older_than_days:
    description: Purge what was kept at least so many days ago; -1 means that age does not select.
    type: int
    default: -1
  of_run:
    description: Purge what the rollback with this run_id kept.
    type: str
    default: ''
  confirm:
    description:
      - The word for exactly the rows that a purge deletes, as the refusal without it gives it; empty means not
        confirmed.
    type: str
    default: ''
  limit:
    description: Inventory host that the command in a refusal is limited to; empty where there is only one.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: List what rollbacks kept
  pgops.runbook.salvage:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"

- name: Write the rows of an item to a file
  pgops.runbook.salvage:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    action: export
    item: 3
    format: csv
    file: /var/backups/favorites.csv
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: The items, or what became of them.
  returned: success
  type: dict
"""

from ..module_utils.steps.salvage import main

if __name__ == "__main__":
    main()
