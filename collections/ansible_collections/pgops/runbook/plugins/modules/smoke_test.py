#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smoke_test
short_description: Run the application's own queries against production
description:
  - Runs every script of C(sql_dir/smoke) in a transaction that is rolled back.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
"""

EXAMPLES = r"""
- name: Run the application's own queries against production
  pgops.runbook.smoke_test:
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

from ..module_utils.execution.script import run_checks
from ..module_utils.postgres.connection import transaction
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    step.changed = False
    scripts = step.smoke_scripts()
    if not step.module.check_mode:
        with transaction(step.connection) as cursor:
            run_checks(cursor, scripts)
    return {"smoke_scripts": [script["name"] for script in scripts]}


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(), supports_check_mode=True)
    Step(module, "smoke_test").execute(work)


if __name__ == "__main__":
    main()
