#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Apply the rehearsed migrations to production
description:
  - Each migration is one transaction with its version row and its receipt in it.
  - Before COMMIT the schema must equal the rehearsed one, and the verify and smoke scripts must hold;
    otherwise the transaction is rolled back.
  - What an earlier rollback of the migration kept goes back in the same transaction.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.locks
  - pgops.runbook.step.salvage
"""

EXAMPLES = r"""
- name: Apply the rehearsed migrations to production
  pgops.runbook.apply:
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

from ..module_utils.execution.script import LOCK_SPEC, LockPolicy
from ..module_utils.library.follow import refuse_unless_all_hosts_checked
from ..module_utils.production.apply import apply_to_production
from ..module_utils.salvage.returning.returner import SALVAGE_SPEC
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    migrations = step.plan["migrations"] if step.module.check_mode else step.selected_migrations()
    if step.module.check_mode:
        return {"migrations": [{"version": migration["version"]} for migration in migrations]}
    refuse_unless_all_hosts_checked(step.receipts)
    return {"migrations": apply_to_production(step, migrations, LockPolicy.from_params(step.params))}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**LOCK_SPEC, **SALVAGE_SPEC), supports_check_mode=True
    )
    Step(module, "apply").execute(work)


if __name__ == "__main__":
    main()
