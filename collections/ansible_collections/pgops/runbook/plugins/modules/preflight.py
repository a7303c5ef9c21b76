#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check everything that can be checked before anything is touched
description:
  - First step of every run. Selects the migrations, checks server, rights, scripts, programs and room,
    and opens the run in the ledger.
  - Writes nothing when it refuses.
version_added: 0.1.0
author:
  - The pgops runbook authors
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.copy_target
options:
  cascade:
    description: Whether a rollback also takes back the applied migrations that depend on this one.
    type: bool
    default: false
  pg_bindir:
    description: Folder of PostgreSQL's client programs; empty means those on PATH.
    type: path
    default: ''
  take_over:
    description: Run whose controller is known to be dead and which no longer holds the database.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Check everything that can be checked before anything is touched
  pgops.runbook.preflight:
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
from ansible_collections.pgops.runbook.plugins.module_utils.backup_files import check_room
from ansible_collections.pgops.runbook.plugins.module_utils.connection import TARGET_SPEC, transaction
from ansible_collections.pgops.runbook.plugins.module_utils.errors import Refused
from ansible_collections.pgops.runbook.plugins.module_utils.preflight_checks import (
    check_client_programs,
    check_rights,
    check_scripts_to_apply,
    check_scripts_to_roll_back,
    check_server,
    in_place_but_unrecorded,
    select_for_deploy,
    select_for_rollback,
)
from ansible_collections.pgops.runbook.plugins.module_utils.receipts import latest
from ansible_collections.pgops.runbook.plugins.module_utils.step import (
    Step,
    operator_name,
    step_argument_spec,
)
from ansible_collections.pgops.runbook.plugins.module_utils.version_table import VersionTable


def select(step, cursor, applied):
    """The versions that this run is about, in the order in which it goes through them."""
    index, wanted = step.plan["index"], step.params["run"]["migration"]
    if step.playbook == "emergency_rollback":
        versions = select_for_rollback(index, wanted, applied, step.params["cascade"])
        check_scripts_to_roll_back(
            index, versions, lambda version: verified_backup_before(step.ledger, cursor, version)
        )
        return versions
    if step.playbook == "rehearse" and wanted == "all":
        versions = [entry["version"] for entry in index]
        check_scripts_to_apply(index, versions)
        return versions
    check_unrecorded(cursor, index, applied)
    versions = select_for_deploy(index, wanted, applied)
    check_scripts_to_apply(index, versions)
    return versions


def check_unrecorded(cursor, index, applied):
    unrecorded = in_place_but_unrecorded(cursor, index, applied)
    if unrecorded:
        raise Refused(
            f"This database is not adopted: the objects of {', '.join(unrecorded)} are in place, but"
            " schema_migrations does not record them. Look with: ansible-playbook playbooks/status.yml;"
            " then record what is in place with: ansible-playbook playbooks/status.yml -e adopt=true"
        )


def verified_backup_before(ledger, cursor, version):
    """Folder of the verified backup that was made before ``version`` was deployed, or None."""
    applied = ledger.applied_receipt(cursor, version)
    if applied is None:
        return None
    receipts = ledger.receipts(cursor, applied["run_id"])
    backup, proof = latest(receipts, "backup"), latest(receipts, "verify_restore")
    if backup is None or proof is None or proof["status"] != "ok":
        return None
    return backup["outputs"]["folder"]


def check_nobody_else(step, cursor):
    """One run a database; a run whose lease ended or whose controller is dead is closed, and said so."""
    other = step.ledger.unfinished_run(cursor)
    if other is None or other["run_id"] == step.run_id:
        return None
    if not other["lease_expired"] and step.params["take_over"] != other["run_id"]:
        raise Refused(
            f"Another run is in progress in this database: {other['run_id']} ({other['playbook']} of"
            f" {', '.join(other['migrations'])}) by {other['operator']}, since {other['started']}."
            f" If it is known to be dead: -e take_over={other['run_id']}",
            holder=other,
        )
    if not step.module.check_mode:
        step.ledger.finish_run(cursor, other["run_id"], "failed", "interrupted: its controller was gone")
    return other


def work(step):
    check_server(step.identity)
    copy_target = step.params["copy_target"] or step.params["target"]
    with transaction(step.connection) as cursor:
        versions_of_programs = check_client_programs(step.identity, step.params["pg_bindir"])
        VersionTable(cursor).check()
        applied = VersionTable(cursor).applied()
        selected = select(step, cursor, applied)
        check_rights(cursor, copy_target)
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
        check_room(step.params["backup_dir"], size)
    if not selected and step.params["run"]["migration"] == "pending":
        step.changed = False
    outputs = {
        "migrations": selected,
        "applied_before": sorted(applied),
        "database_bytes": size,
        "client_programs": versions_of_programs,
        "server_version": step.identity["server_version"],
    }
    if step.module.check_mode or not selected:
        with transaction(step.connection) as cursor:
            check_nobody_else(step, cursor)
        return outputs
    step.take_run_lock()
    digests = step.script_digests()
    with transaction(step.connection) as cursor:
        step.ledger.create(cursor)
        interrupted = check_nobody_else(step, cursor)
        if interrupted is not None:
            outputs["interrupted_run"] = {
                key: interrupted[key] for key in ("run_id", "playbook", "migrations")
            }
        run = step.params["run"]
        step.ledger.open_run(
            cursor, step.run_id, step.playbook, selected, operator_name(run["operator"]), run["controller"]
        )
        inputs = {"scripts": {version: digests[version] for version in selected if version in digests}}
        step.record(cursor, "ok", inputs=inputs, outputs=outputs)
    return outputs


def main():
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            cascade={"type": "bool", "default": False},
            copy_target={"type": "dict", "options": TARGET_SPEC},
            pg_bindir={"type": "path", "default": ""},
            take_over={"type": "str", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "preflight").execute(work)


if __name__ == "__main__":
    main()
