# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step backup; its options are documented in plugins/modules/backup.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.emergency import (
    EMERGENCY_BACKUP_SPEC,
    FULL,
    RESTORE_POINT,
    SALVAGE,
    choose_kind,
    set_restore_point,
)
from ..backup.encryption import ENCRYPTION_SPEC, Encryption
from ..backup.engine import ENGINE_SPEC, BackupEngine, engine_of
from ..backup.files import BackupFiles, check_room
from ..backup.making import maker_of
from ..backup.still_there import gone_at_failure
from ..errors import StepFailed
from ..execution.parts import commits_one_by_one
from ..ledger.aftermath import begun_by
from ..ledger.journal import open_journal
from ..ledger.versions import VersionTable
from ..postgres.answers import one_row
from ..postgres.connection import transaction
from ..production.committed import to_take_back
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "purpose": {"type": "str", "default": "deploy", "choices": ["deploy", "emergency"]},
    **EMERGENCY_BACKUP_SPEC,
    **ENCRYPTION_SPEC,
    **ENGINE_SPEC,
    "automatic": {"type": "bool", "default": False},
    "jobs": {"type": "int", "default": 2},
    "pg_bindir": {"type": "path", "default": ""},
    "lock_timeout_seconds": {"type": "float", "default": 10},
}


def work(step: Step) -> Json:
    params = step.params
    name = "backup" if params["purpose"] == "deploy" else "emergency_backup"
    engine = engine_of(params)
    files = BackupFiles(params["backup_dir"], step.run_id, name, Encryption.of(params))
    if step.module.check_mode:
        return {"folder": files.folder}
    if step.automatic and not to_take_back(step, step.selected_migrations()):
        # Its locks could be refused too, and the run would end as failed although production is as it was.
        step.changed = False
        return {"folder": None, "reason": "there is nothing of this run that could be rolled back now"}
    chosen: Json = {}
    without_dump = ""
    if params["purpose"] == "emergency":
        chosen, without_dump = _choose(step, engine)
        if chosen["kind"] == RESTORE_POINT:
            point = set_restore_point(step.connection, step.run_id)
            return {"folder": None, **chosen, "engine": engine.name, **point}
        if chosen["kind"] == SALVAGE:
            return {"folder": None, **chosen}
        # Also where archived WAL, which pgbackrest needs, is what does not work.
        engine = engine_of({**params, "engine": None})
    with transaction(step.connection) as cursor:
        # All rows are read next, and between preflight and this somebody may have waited for the window.
        VersionTable(cursor).check()
        half_done = open_journal(cursor)
    try:
        manifest = maker_of(engine).back_up(
            step.connection, params["target"], files, step.run_id, params["lock_timeout_seconds"]
        )
    except StepFailed as error:
        raise StepFailed(error.code, f"{error.reason}{without_dump}", **error.details) from None
    manifest.update({"run_id": step.run_id, "identity": step.identity})
    return {
        "folder": files.folder,
        **chosen,
        "engine": engine.name,
        **_in_repository(manifest),
        "encryption": manifest["encryption"],
        "manifest_sha256": files.write_manifest(manifest),
        "catalog": manifest["catalog_digest"],
        "tables": len(manifest["content"]["tables"]),
        "rows": sum(table["rows"] for table in manifest["content"]["tables"].values()),
        "bytes": manifest["bytes"],
        "dead_column_slots": manifest["dead_column_slots"],
        "rows_written": manifest["rows_written"],
        # Nobody can move it on meanwhile: the run has the database for itself.
        "half_done": half_done and begun_by(half_done),
    }


def _in_repository(manifest: Json) -> Json:
    """Of a backup that is in a repository: by which names it is found there, and to which point it is recovered."""
    engine = manifest.get("engine") or {}
    return {
        name: engine[name] for name in ("stanza", "label", "type", "restore_point", "lsn") if name in engine
    }


WITHOUT_DUMP = (
    " Or roll back without a dump: what the rollback takes away is kept in the database, and nothing else."
    " -e emergency_backup=salvage"
)


def _choose(step: Step, engine: BackupEngine) -> tuple[Json, str]:
    """Kind of the backup before a rollback, and why; and what else there is where it cannot be made, as a sentence."""
    migrations = step.selected_migrations()
    if step.automatic:
        migrations = to_take_back(step, migrations)
    one_by_one = [
        migration["version"]
        for migration in migrations
        if migration.get("rollback") and commits_one_by_one(migration["rollback"])
    ]
    with transaction(step.connection) as cursor:
        cursor.execute("SELECT pg_catalog.pg_database_size(current_database())")
        size = one_row(cursor)[0]
    kind, why = choose_kind(
        engine.emergency_kind(step.params["kind"]), size / 2**20, step.params["full_max_mb"], one_by_one
    )
    without_dump = WITHOUT_DUMP if kind == FULL and not one_by_one else ""
    if kind == FULL:
        check_room(step.params["backup_dir"], size, without_dump)
    if engine.emergency_kind(step.params["kind"]) != step.params["kind"]:
        why = f"backup_engine is {engine.name}"
    return {"kind": kind, "why": why}, without_dump


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    name = "backup" if module.params["purpose"] == "deploy" else "emergency_backup"
    step = Step(module, name, automatic=module.params["automatic"])
    if name == "emergency_backup":
        step.backup_gone = gone_at_failure
    step.execute(work)
