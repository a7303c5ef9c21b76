# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step verify_restore; its options are documented in plugins/modules/verify_restore.py."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ..activity import begin
from ..backup.after import AFTER_BACKUP_SPEC, run_after_backup
from ..backup.encryption import ENCRYPTION_SPEC, Encryption
from ..backup.engine import ENGINE_SPEC, engine_of, refuse_other_engine
from ..backup.files import BackupFiles
from ..backup.making import maker_of
from ..backup.proof import fill_and_compare, warn_of_what_lacks
from ..postgres.connection import TARGET_SPEC, psycopg2, transaction
from ..preflight.not_in_backup import NOT_IN_BACKUP_SPEC, refuse_not_brought_back
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "copy_target": {"type": "dict", "options": TARGET_SPEC},
    **ENCRYPTION_SPEC,
    **ENGINE_SPEC,
    **AFTER_BACKUP_SPEC,
    **NOT_IN_BACKUP_SPEC,
    "jobs": {"type": "int", "default": 2},
    "pg_bindir": {"type": "path", "default": ""},
}


def work(step: Step) -> Json:
    params = step.params
    engine = engine_of(params)
    maker = maker_of(engine)
    copy = engine.copy(params["target"], step.run_id)
    if step.module.check_mode:
        return {"copy": copy.name}
    files = BackupFiles(params["backup_dir"], step.run_id, encryption=Encryption.of(params))
    backup = step.outputs_of("backup")
    refuse_other_engine(params, backup)
    manifest = files.read_manifest(backup["manifest_sha256"])
    copy.drop(None if params["copy_target"] else step.connection)
    try:
        proof = fill_and_compare(
            lambda: maker.fill_copy(step.connection, files, manifest, copy),
            manifest,
            copy,
            production=step.connection,
        )
        if not params["accept_rows_not_in_backup"]:
            refuse_not_brought_back(proof.get("not_in_backup", []))
        warn_of_what_lacks(step.module.warn, proof)
        if engine.copies_on_server:
            copy.limit_owner(step.connection)
    except BaseException:
        copy.drop()
        raise
    outputs = {"copy": copy.name, **proof}
    if not params["after_command"]:
        return outputs
    with transaction(step.connection) as cursor:
        # Before the command, which may take long: the proof does not depend on it.
        step.record(cursor, "ok", outputs=outputs)
    return {**outputs, "after_backup": _hand_on(step, files)}


def _hand_on(step: Step, files: BackupFiles) -> Json:
    """Run backup_after_command; see run_after_backup."""
    params = step.params
    begin("running backup_after_command")
    ended = run_after_backup(
        params["after_command"],
        {"folder": files.folder, "run_id": step.run_id},
        params["after_timeout_seconds"],
    )
    with contextlib.suppress(psycopg2.Error), transaction(step.connection) as cursor:
        # The next step does it again, if only the connection did not wait for so long.
        step.ledger.extend_lease(cursor, step.run_id)
    if ended["failure"]:
        step.module.warn(
            f"backup_after_command: {ended['failure']}. The run goes on; the backup is proven, and in {files.folder}."
        )
    return ended


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "verify_restore").execute(work)
