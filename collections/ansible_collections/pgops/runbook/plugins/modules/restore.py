#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore a proven backup into a database beside the live one
description:
  - Checks every byte of the backup, restores it into a new database on the same server, and compares schema and
    data with what the backup must hold.
  - Replaces the ledger in it by the live one, of which it has to be the beginning.
  - The live database is only read.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  automatic:
    description: Whether this belongs to the restore that a deploy does by itself when its emergency rollback failed.
    type: bool
    default: false
  jobs:
    description: Number of parallel jobs of pg_restore.
    type: int
    default: 2
  pg_bindir:
    description: Folder of PostgreSQL's client programs; empty means those on PATH.
    type: path
    default: ''
"""

EXAMPLES = r"""
- name: Restore a proven backup into a database beside the live one
  pgops.runbook.restore:
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

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.ledger.ledger import Ledger
from ..module_utils.postgres.connection import transaction
from ..module_utils.restore.database import restore_beside
from ..module_utils.restore.opening import check_replaceable
from ..module_utils.restore.source import find_backup
from ..module_utils.restore.steps import swapped_by
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    if swapped_by(step):
        step.changed = False
        return {"swapped_by": swapped_by(step)}
    if not step.automatic:
        return restore_beside(step, step.outputs_of("preflight")["source"])
    with transaction(step.connection) as cursor:
        # The backup of this very run; a restore by hand has checked this in its preflight.
        source = find_backup(Ledger(), cursor, step.params["backup_dir"], step.run_id, step.identity)
        check_replaceable(cursor, step.params["target"])
    return restore_beside(step, source)


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            automatic={"type": "bool", "default": False},
            jobs={"type": "int", "default": 2},
            pg_bindir={"type": "path", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "restore", automatic=module.params["automatic"]).execute(work)


if __name__ == "__main__":
    main()
