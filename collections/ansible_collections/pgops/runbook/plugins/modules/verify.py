#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Verify production after the migration was committed
description:
  - Compares the schema with the one that was committed, and runs the verify scripts of the run's migrations.
  - Where salvage came back to a migration, its verify script ran before that, in the applying transaction, and is not
    run again on rows of users. The receipt names such scripts apart, as the one of apply does.
  - Leaves no trace in the database but its receipt.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
"""

EXAMPLES = r"""
- name: Verify production after the migration was committed
  pgops.runbook.verify:
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

from ..module_utils.catalog.application import read_schema
from ..module_utils.catalog.difference import describe, difference
from ..module_utils.errors import StepFailed
from ..module_utils.execution.script import run_checks
from ..module_utils.ledger.ledger import Ledger
from ..module_utils.ledger.versions import VersionTable
from ..module_utils.postgres.connection import transaction
from ..module_utils.sentences import listed
from ..module_utils.shapes import Json, Migration, Script
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    if step.module.check_mode:
        step.changed = False
        return {}
    migrations = step.selected_migrations()
    committed = step.outputs_of("apply", migrations[-1]["version"])["catalog_after"]
    scripts, verified_before = _scripts_to_run(step, migrations)
    with transaction(step.connection) as cursor:
        recorded = VersionTable(cursor).applied()
        missing = [migration["version"] for migration in migrations if migration["version"] not in recorded]
        if missing:
            raise StepFailed(
                "version_not_recorded",
                f"After the deploy schema_migrations does not record {', '.join(missing)}: something else writes to"
                " it.",
            )
        lines = describe(difference(Ledger().catalog(cursor, committed), read_schema(cursor)))
        if lines:
            raise StepFailed(
                "schema_changed_after_deploy",
                f"The schema was changed after the COMMIT of the deploy: {listed(lines)}. Find out who changed it.",
            )
        run_checks(cursor, scripts)
    step.changed = False
    return {
        "catalog": committed,
        "verify_scripts": [script["name"] for script in scripts],
        "verified_before_salvage_returned": verified_before,
    }


def _scripts_to_run(step: Step, migrations: list[Migration]) -> tuple[list[Script], list[str]]:
    """The verify scripts to run now, and the names of those that held before users' rows came back.

    A verify script looks at what the migration did. Only what the receipt of apply names was run.
    """
    to_run: list[Script] = []
    verified_before: list[str] = []
    for migration in migrations:
        script = migration.get("verify")
        applied = step.outputs_of("apply", migration["version"])
        if not script:
            continue
        if applied.get("salvage_returned") and script["name"] in applied.get("verified", ()):
            verified_before.append(script["name"])
        else:
            to_run.append(script)
    return to_run, verified_before


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(), supports_check_mode=True)
    Step(module, "verify").execute(work)


if __name__ == "__main__":
    main()
