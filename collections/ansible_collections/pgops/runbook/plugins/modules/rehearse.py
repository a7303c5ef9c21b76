#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearse
short_description: Rehearse migrations and rollbacks on the copy
description:
  - Applies the migrations to the copy, rolls them back, compares schema and data with what was there before,
    and applies them again. Nothing that fails here reaches production.
  - Drops the copy at its end, however it ends.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.salvage
options:
  max_lock_seconds:
    description:
      - How long a migration may hold a lock that stops reads or writes of a large table, measured on the copy.
    type: float
    default: 5
  large_table_mb:
    description: Size in MB from which a table counts as large.
    type: float
    default: 1024
  accept_table_rewrite:
    description: Whether a large table may be rewritten.
    type: bool
    default: false
  accept_data_loss:
    description:
      - Whether a migration whose header says 'Data Loss NONE' may delete rows or drop columns or tables.
      - Whether rows that a rollback does not give back may stay so where the header declares a loss.
    type: bool
    default: false
  accept_empty_rollback:
    description: Whether a rollback may change nothing.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Rehearse migrations and rollbacks on the copy
  pgops.runbook.rehearse:
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
from ..module_utils.impact.policy import POLICY_SPEC, refuse_by_policy
from ..module_utils.ledger.upgrade import upgrade
from ..module_utils.library.follow import bring_rehearsed, library_hosts_of
from ..module_utils.postgres.connection import TARGET_SPEC, transaction
from ..module_utils.preflight.requirements import check_declared, makers_in_production, makers_of_chain
from ..module_utils.rehearsal.rehearsal import Rehearsal
from ..module_utils.salvage.returning.returner import SALVAGE_SPEC
from ..module_utils.shapes import Connection, Json, Migration
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    migrations = step.selected_migrations()
    # What preflight of a deploy found: a task that names no hosts must not leave the look at the disk out.
    hosts = (
        library_hosts_of(step.receipts) if step.playbook == "deploy" else step.params["run"]["library_hosts"]
    )
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    try:
        connection = copy.connect()
        try:
            with transaction(connection) as cursor:
                # Of a backup from before an upgrade; what a migration costs is measured without it.
                upgrade(cursor)
            rehearsal = Rehearsal(
                connection,
                step.smoke_scripts(),
                step.params["restore_salvage"],
                files_follow=bool(hosts),
                production=step.connection,
                accept_data_loss=step.params["accept_data_loss"],
            )
            result = rehearsal.rehearse(migrations)
            paths = _bring_paths(step, connection) if hosts else {}
        finally:
            connection.close()
    finally:
        copy.drop()
    _check_dependencies(step, migrations, result)
    refuse_by_policy(migrations, result["migrations"], step.params)
    with transaction(step.connection) as cursor:
        for catalog in result["catalogs"].values():
            step.ledger.keep_catalog(cursor, catalog)
    return {"migrations": result["migrations"], "paths_changed": paths}


def _bring_paths(step: Step, copy: Connection) -> Json:
    """Changed paths, for a deploy that will look whether the files on disk can follow; production is only read else."""
    if step.playbook != "deploy":
        return {}
    with transaction(copy) as copy_cursor, transaction(step.connection) as cursor:
        return bring_rehearsed(copy_cursor, cursor, step.run_id)


def _check_dependencies(step: Step, migrations: list[Migration], result: Json) -> None:
    keys = sorted({key for proof in result["migrations"] for key in proof["uses"]})
    with transaction(step.connection) as cursor:
        made = makers_in_production(cursor, keys, step.plan["facts"])
    made.update(makers_of_chain(result["migrations"], result["catalogs"]))
    check_declared(migrations, result["migrations"], made, step.plan["facts"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            copy_target={"type": "dict", "options": TARGET_SPEC}, **POLICY_SPEC, **SALVAGE_SPEC
        ),
        supports_check_mode=True,
    )
    Step(module, "rehearse").execute(work)


if __name__ == "__main__":
    main()
