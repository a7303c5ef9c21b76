# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step rehearse_from_empty; its options are documented in plugins/modules/rehearse_from_empty.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase, database_settings
from ..postgres.connection import TARGET_SPEC
from ..rehearsal.rehearsal import RESIDUE_SPEC
from ..rehearsal.rehearse_from_empty import rehearse_from_empty
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    with step.connection.cursor() as cursor:
        like = database_settings(cursor)
    step.connection.rollback()
    copy.drop()
    try:
        copy.create(like)
        connection = copy.connect()
        try:
            evidence = rehearse_from_empty(
                connection,
                step.selected_migrations(),
                step.smoke_scripts(),
                step.params["sample_files"],
                step.params["accept_data_loss"],
                step.params["accept_residue"],
            )
        finally:
            connection.close()
    finally:
        copy.drop()
    return {"migrations": evidence}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            copy_target={"type": "dict", "options": TARGET_SPEC},
            sample_files={"type": "int", "default": 200},
            accept_data_loss={"type": "bool", "default": False},
            **RESIDUE_SPEC,
        ),
        supports_check_mode=True,
    )
    Step(module, "rehearse_from_empty").execute(work)
