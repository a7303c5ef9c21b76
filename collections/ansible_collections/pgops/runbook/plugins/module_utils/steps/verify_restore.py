# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step verify_restore; its options are documented in plugins/modules/verify_restore.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase
from ..backup.encryption import ENCRYPTION_SPEC, Encryption
from ..backup.files import BackupFiles
from ..backup.proof import restore_and_compare
from ..postgres.connection import TARGET_SPEC
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    params = step.params
    copy = CopyDatabase(params["copy_target"] or params["target"], step.run_id)
    if step.module.check_mode:
        return {"copy": copy.name}
    files = BackupFiles(params["backup_dir"], step.run_id, encryption=Encryption.of(params))
    manifest = files.read_manifest(step.outputs_of("backup")["manifest_sha256"])
    copy.drop()
    try:
        proof = restore_and_compare(
            files,
            manifest,
            copy,
            bindir=params["pg_bindir"],
            jobs=params["jobs"],
            production=step.connection,
        )
    except BaseException:
        copy.drop()
        raise
    return {"copy": copy.name, **proof}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            copy_target={"type": "dict", "options": TARGET_SPEC},
            **ENCRYPTION_SPEC,
            jobs={"type": "int", "default": 2},
            pg_bindir={"type": "path", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "verify_restore").execute(work)
