#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify_restore
short_description: Prove the backup by restoring it into the copy
description:
  - Checks every byte of the backup, restores it into a database of its own, and compares schema and data
    of the copy with what the backup's snapshot saw in production.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
options:
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
- name: Prove the backup by restoring it into the copy
  pgops.runbook.verify_restore:
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

from ..module_utils.backup.copy import CopyDatabase
from ..module_utils.backup.files import BackupFiles
from ..module_utils.backup.proof import restore_and_compare
from ..module_utils.postgres.connection import TARGET_SPEC
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    params = step.params
    copy = CopyDatabase(params["copy_target"] or params["target"], step.run_id)
    if step.module.check_mode:
        return {"copy": copy.name}
    files = BackupFiles(params["backup_dir"], step.run_id)
    manifest = files.read_manifest(step.outputs_of("backup")["manifest_sha256"])
    copy.drop()
    try:
        proof = restore_and_compare(
            files,
            manifest,
            copy,
            bindir=params["pg_bindir"],
            jobs=params["jobs"],
            production=step.connection,
        )
    except BaseException:
        copy.drop()
        raise
    return {"copy": copy.name, **proof}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            copy_target={"type": "dict", "options": TARGET_SPEC},
            jobs={"type": "int", "default": 2},
            pg_bindir={"type": "path", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "verify_restore").execute(work)


if __name__ == "__main__":
    main()
