# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step rehearse_from_empty; its options are documented in plugins/modules/rehearse_from_empty.py."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase, database_settings
from ..backup.empty_databases import EmptyDatabases
from ..consent import CONSENT_SPEC
from ..errors import Refused
from ..postgres.connection import TARGET_SPEC
from ..rehearsal.failures import refusal_of_all
from ..rehearsal.generated_rows import generated_spec, refuse_too_many_rows, rehearse_on_generated_rows
from ..rehearsal.rehearsal import RESIDUE_SPEC
from ..rehearsal.rehearse_from_empty import FromEmpty
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    refuse_too_many_rows(step.params)
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    with step.connection.cursor() as cursor:
        like = database_settings(cursor)
    step.connection.rollback()
    with contextlib.closing(EmptyDatabases(copy, like)) as databases:
        return _rehearse(step, databases)


def _rehearse(step: Step, databases: EmptyDatabases) -> Json:
    migrations = step.selected_migrations()
    consents = {name: step.params[name] for name in ("accept_data_loss", "accept_residue")}
    rehearsal = FromEmpty(
        databases.anew(),
        migrations,
        step.smoke_scripts(),
        step.params["sample_files"],
        databases.anew,
        faulty={
            version: Refused(one["reason_code"], one["reason"])
            for version, one in (step.outputs_of("preflight").get("faulty") or {}).items()
        },
        **consents,
    )
    rehearsal.rehearse()
    evidence = list(rehearsal.evidence.values())
    generated = rehearse_on_generated_rows(
        # All of it has been taken back by now, unless something failed.
        databases.anew() if rehearsal.failures else rehearsal.connection,
        databases.copy.name,
        [one for one in migrations if one["version"] in rehearsal.applicable],
        evidence,
        step.params,
        from_empty=True,
        anew=databases.anew,
        failures=rehearsal.failures,
        untried=rehearsal.untried,
    )
    if rehearsal.failures:
        raise refusal_of_all(rehearsal.failures, rehearsal.untried, rehearsal.evidence)
    return {"migrations": evidence, "generated_rows": generated}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            copy_target={"type": "dict", "options": TARGET_SPEC},
            sample_files={"type": "int", "default": 200},
            accept_data_loss=CONSENT_SPEC,
            **RESIDUE_SPEC,
            **generated_spec(rows=20),
        ),
        supports_check_mode=True,
    )
    Step(module, "rehearse_from_empty").execute(work)
