#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up the database and record what the backup must hold
description:
  - Takes one snapshot for the dump, the schema's catalog and the fingerprint of the data, so that a restored
    copy can be compared with production while production goes on writing.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
options:
  purpose:
    description: Whether this is the backup before a deploy or the one before a rollback.
    type: str
    default: deploy
    choices: [deploy, emergency]
  kind:
    description:
      - Which backup is made before a rollback. V(full) dumps the database. V(salvage) makes none besides what the
        rollback keeps of what it destroys. V(restore_point) names a point in the WAL, and is refused unless archiving
        is seen to work.
      - V(auto) is V(full) up to O(full_max_mb), and V(salvage) above it where the rollback is one transaction.
    type: str
    default: auto
    choices: [auto, full, salvage, restore_point]
  full_max_mb:
    description: Size of the database in MB up to which V(auto) makes a full backup.
    type: float
    default: 10240
  automatic:
    description: Whether this belongs to the rollback that a failed deploy does by itself.
    type: bool
    default: false
  jobs:
    description: Number of parallel jobs of pg_dump.
    type: int
    default: 2
  pg_bindir:
    description: Folder of PostgreSQL's client programs; empty means those on PATH.
    type: path
    default: ''
  lock_timeout_seconds:
    description: How long to wait for the locks that keep tables from being rewritten meanwhile.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Back up the database and record what the backup must hold
  pgops.runbook.backup:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
    jobs: 4
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

from ..module_utils.backup.emergency import (
    EMERGENCY_BACKUP_SPEC,
    FULL,
    RESTORE_POINT,
    SALVAGE,
    choose_kind,
    set_restore_point,
)
from ..module_utils.backup.files import BackupFiles, check_room
from ..module_utils.backup.snapshot import back_up
from ..module_utils.execution.parts import commits_one_by_one
from ..module_utils.postgres.answers import one_row
from ..module_utils.postgres.connection import transaction
from ..module_utils.production.committed import committed_by_this_run
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    params = step.params
    name = "backup" if params["purpose"] == "deploy" else "emergency_backup"
    files = BackupFiles(params["backup_dir"], step.run_id, name)
    if step.module.check_mode:
        return {"folder": files.folder}
    if step.automatic and not committed_by_this_run(step, step.selected_migrations()):
        # Its locks could be refused too, and the run would end as failed although production is as it was.
        step.changed = False
        return {"folder": None, "reason": "this run has committed nothing that could be rolled back"}
    chosen = {}
    if params["purpose"] == "emergency":
        chosen = _choose(step)
        if chosen["kind"] == RESTORE_POINT:
            return {"folder": None, **chosen, **set_restore_point(step.connection, step.run_id)}
        if chosen["kind"] == SALVAGE:
            return {"folder": None, **chosen}
    manifest = back_up(
        step.connection,
        params["target"],
        files,
        bindir=params["pg_bindir"],
        jobs=params["jobs"],
        lock_timeout_seconds=params["lock_timeout_seconds"],
    )
    manifest.update({"run_id": step.run_id, "identity": step.identity})
    return {
        "folder": files.folder,
        **chosen,
        "manifest_sha256": files.write_manifest(manifest),
        "catalog": manifest["catalog_digest"],
        "tables": len(manifest["content"]["tables"]),
        "rows": sum(table["rows"] for table in manifest["content"]["tables"].values()),
        "bytes": sum(file["bytes"] for file in manifest["files"].values()),
        "dead_column_slots": manifest["dead_column_slots"],
        "rows_written": manifest["rows_written"],
    }


def _choose(step: Step) -> Json:
    """Kind of the backup before a rollback, and why."""
    migrations = step.selected_migrations()
    if step.automatic:
        migrations = committed_by_this_run(step, migrations)
    one_by_one = [
        migration["version"]
        for migration in migrations
        if migration.get("rollback") and commits_one_by_one(migration["rollback"])
    ]
    with transaction(step.connection) as cursor:
        cursor.execute("SELECT pg_catalog.pg_database_size(current_database())")
        size = one_row(cursor)[0]
    kind, why = choose_kind(step.params["kind"], size / 2**20, step.params["full_max_mb"], one_by_one)
    if kind == FULL:
        check_room(step.params["backup_dir"], size)
    return {"kind": kind, "why": why}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            purpose={"type": "str", "default": "deploy", "choices": ["deploy", "emergency"]},
            **EMERGENCY_BACKUP_SPEC,
            automatic={"type": "bool", "default": False},
            jobs={"type": "int", "default": 2},
            pg_bindir={"type": "path", "default": ""},
            lock_timeout_seconds={"type": "float", "default": 10},
        ),
        supports_check_mode=True,
    )
    name = "backup" if module.params["purpose"] == "deploy" else "emergency_backup"
    Step(module, name, automatic=module.params["automatic"]).execute(work)


if __name__ == "__main__":
    main()
