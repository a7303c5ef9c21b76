#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Say what is applied, pending, edited, drifted and proven
description:
  - Reads the ledger, C(schema_migrations) and the catalog.
  - With O(adopt) it finds out from the catalog which migrations are in place without being recorded, by applying
    all of them to an empty database of its own, and records those that are.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
options:
  adopt:
    description: Whether migrations that are in place are recorded.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what is applied, pending, edited, drifted and proven
  pgops.runbook.status:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    adopt: true
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
from ..module_utils.ledger.ledger import Ledger
from ..module_utils.postgres.connection import TARGET_SPEC
from ..module_utils.shapes import Json
from ..module_utils.status.adoption import find_in_place, record_in_place
from ..module_utils.status.reading import read_status
from ..module_utils.step import Step, step_argument_spec


def adopt(step: Step) -> dict[str, Json]:
    """Record what is in place; returns the placement of every unrecorded migration."""
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    found = find_in_place(step.connection, copy, step.plan["migrations"])
    in_place = [version for version, facts in found.items() if facts["state"] == "in place"]
    step.changed = bool(in_place)
    if in_place and not step.module.check_mode:
        record_in_place(step, [one for one in step.plan["migrations"] if one["version"] in in_place])
    return found


def work(step: Step) -> Json:
    step.changed = False
    adoption = adopt(step) if step.params["adopt"] else {}
    return {
        **read_status(step.connection, step.params["target"], Ledger(), step.plan["index"]),
        "adoption": adoption,
        "unusable": step.plan["unusable"],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            adopt={"type": "bool", "default": False},
            copy_target={"type": "dict", "options": TARGET_SPEC},
        ),
        supports_check_mode=True,
    )
    Step(module, "status").execute(work)


if __name__ == "__main__":
    main()
