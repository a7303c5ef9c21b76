#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearse_from_empty
short_description: Prove every migration's rollback from an empty database upwards
description:
  - Builds a database of its own, applies each migration in order, proves its rollback on the rows that are
    there by then, applies it again and loads its sample rows, if the SQL folder has any.
  - At the end takes everything back, newest first, with all those rows in place.
  - Then does so once more with rows that are made from nothing but the catalog.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.residue
options:
  sample_files:
    description: Value of the setting C(sample.files) while sample scripts run.
    type: int
    default: 200
  accept_data_loss:
    description: Whether rows that a rollback does not give back may stay so where the header declares a loss.
    type: raw
    default: false
  generated_rows:
    description:
      - To how many rows tables without any are filled, so that each rollback is rehearsed on rows. 0 means none.
    type: int
    default: 20
  generated_rows_seed:
    description: With the same number and the same schema the rows are the same.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Prove every migration's rollback from an empty database upwards
  pgops.runbook.rehearse_from_empty:
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

from ..module_utils.steps.rehearse_from_empty import main

if __name__ == "__main__":
    main()
