#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: announce
short_description: Close the run
description:
  - Writes the outcome to the ledger, lets the next run in, and drops the copy if a killed step has left it.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
options:
  outcome:
    description: How the run ended, filled in by the action plugin.
    type: str
    default: failed
  reason:
    description: One sentence for a person, filled in by the action plugin.
    type: str
    default: ''
  reason_code:
    description: The reason's short name for programs; docs/reasons.md lists them.
    type: str
    default: ''
  fail_on_held_back:
    description: Whether a deploy after which rows wait that a rollback had kept ends as a failure does.
    type: bool
    default: false
  restore_salvage:
    description: Whether deploys put back what a rollback keeps, which the report says only then.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Close the run
  pgops.runbook.announce:
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
from ..module_utils.library.follow import forget_rehearsed
from ..module_utils.postgres.connection import TARGET_SPEC, transaction
from ..module_utils.restore.restored import drop_restored
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    params = step.params
    step.changed = False
    if step.module.check_mode:
        return {}
    dropped = CopyDatabase(params["copy_target"] or params["target"], step.run_id).drop()
    restored_dropped = drop_restored(params["target"], step.run_id, step.params["backup_dir"])
    with transaction(step.connection) as cursor:
        forget_rehearsed(cursor)
        closed = step.ledger.finish_run(cursor, step.run_id, params["outcome"], params["reason"])
    return {"copy_dropped": dropped, "restored_dropped": restored_dropped, "run_closed": closed}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            outcome={"type": "str", "default": "failed"},
            reason={"type": "str", "default": ""},
            reason_code={"type": "str", "default": ""},
            fail_on_held_back={"type": "bool", "default": False},
            restore_salvage={"type": "bool", "default": True},
            copy_target={"type": "dict", "options": TARGET_SPEC},
        ),
        supports_check_mode=True,
    )
    Step(module, "announce").execute(work)


if __name__ == "__main__":
    main()
