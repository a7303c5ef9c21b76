# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step drill; its options are documented in plugins/modules/drill.py.

The copy stands in the place of production, and the runs of a night are played on it: the same steps in the same order,
with the same gates and receipts, which go into the ledger of the copy.
"""

from __future__ import annotations

from typing import Optional

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase
from ..backup.emergency import EMERGENCY_BACKUP_SPEC
from ..backup.encryption import ENCRYPTION_SPEC
from ..consent import CONSENT_SPEC
from ..drill.night import Night, Steps
from ..drill.phases import Phases
from ..drill.remains import forget_dead_drills, remove_remains
from ..drill.writes import ROWS_SPEC, refuse_number_of_rows
from ..errors import RunbookError
from ..execution.script import LOCK_SPEC
from ..impact.policy import POLICY_SPEC
from ..ledger.drills import note_drill
from ..postgres.connection import TARGET_SPEC, psycopg2, transaction
from ..postgres.message import one_line
from ..postgres.standbys import commit_without_standbys
from ..preflight.not_in_backup import NOT_IN_BACKUP_SPEC
from ..preflight.replication import SLOT_SPEC
from ..preflight.together import TOGETHER_SPEC
from ..rehearsal.rehearsal import RESIDUE_SPEC
from ..salvage.returning.returner import SALVAGE_SPEC
from ..shapes import Json
from ..step.options import operator_name, step_argument_spec
from ..step.step import Step
from . import (
    apply,
    backup,
    emergency_rollback,
    maintenance_window,
    preflight,
    rehearse,
    restore,
    smoke_test,
    swap,
    verify,
    verify_restore,
)
from . import count_rows as counting

#: Those that not every step has.
OPTIONS: Json = {
    "copy_target": {"type": "dict", "options": TARGET_SPEC},
    **ENCRYPTION_SPEC,
    "pg_bindir": {"type": "path", "default": ""},
    "jobs": {"type": "int", "default": 2},
    **ROWS_SPEC,
    "emergency_backup": EMERGENCY_BACKUP_SPEC["kind"],
    "full_max_mb": EMERGENCY_BACKUP_SPEC["full_max_mb"],
    "statement_timeout_seconds": LOCK_SPEC["statement_timeout_seconds"],
    "accept_drift": {"type": "bool", "default": False},
    "accept_edited_scripts": CONSENT_SPEC,
    "accept_applied_again": CONSENT_SPEC,
    "accept_broken_chain": {"type": "bool", "default": False},
    **POLICY_SPEC,
    **RESIDUE_SPEC,
    **SLOT_SPEC,
    **NOT_IN_BACKUP_SPEC,
    **SALVAGE_SPEC,
    **TOGETHER_SPEC,
}

#: Step -> its options, and its work: those of production.
STEPS: Steps = {
    "preflight": (preflight.OPTIONS, preflight.work),
    "maintenance_window": (maintenance_window.OPTIONS, maintenance_window.work),
    "backup": (backup.OPTIONS, backup.work),
    "verify_restore": (verify_restore.OPTIONS, verify_restore.work),
    "rehearse": (rehearse.OPTIONS, rehearse.work),
    "apply": (apply.OPTIONS, apply.work),
    "verify": ({}, verify.work),
    "smoke_test": (smoke_test.OPTIONS, smoke_test.work),
    "emergency_backup": (backup.OPTIONS, backup.work),
    "emergency_rollback": (emergency_rollback.OPTIONS, emergency_rollback.work),
    "restore": (restore.OPTIONS, restore.work),
    "count_rows": (counting.OPTIONS, counting.work),
    "swap": (swap.OPTIONS, swap.work),
}


def work(step: Step) -> Json:
    refuse_number_of_rows(step.params["rows"])
    if step.module.check_mode:
        return {}
    step.changed = True
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    forgotten = forget_dead_drills(copy.target, step.params["backup_dir"])
    migrations = step.selected_migrations()
    versions = [one["version"] for one in migrations]
    phases = Phases(step, Night(step, copy, versions, STEPS), migrations)
    try:
        phases.play_all()
    except (RunbookError, psycopg2.Error) as error:
        if isinstance(error, RunbookError):
            error.details["phases"] = phases.done
        _end_failed(step, copy, phases, error.reason if isinstance(error, RunbookError) else one_line(error))
        raise
    except BaseException:
        remove_remains(copy.target, step.run_id, step.params["backup_dir"])
        raise
    remove_remains(copy.target, step.run_id, step.params["backup_dir"])
    _note(step, phases)
    return {"migrations": versions, "phases": phases.done, "forgotten": forgotten}


def _end_failed(step: Step, copy: CopyDatabase, phases: Phases, reason: str) -> None:
    """Take away what there is, and note the drill; what cannot be done is said beside why the drill failed."""
    try:
        remove_remains(copy.target, step.run_id, step.params["backup_dir"])
        _note(step, phases, reason)
    except (RunbookError, psycopg2.Error) as error:
        said = error.reason if isinstance(error, RunbookError) else one_line(error)
        step.module.warn(f"The end of the drill is not in order: {said}")


def _note(step: Step, phases: Phases, reason: Optional[str] = None) -> None:
    """The one line in production: that there was a drill, and what came of it."""
    # Hours may have passed, in which nobody has used the session.
    step.take_new_session()
    operator = operator_name(step.params["run"]["operator"])
    versions = [one["version"] for one in phases.migrations]
    with transaction(step.connection) as cursor:
        commit_without_standbys(cursor, local=True)
        note_drill(cursor, step.run_id, versions, operator, step.started, phases.done, reason)


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(**OPTIONS), supports_check_mode=True)
    Step(module, "drill").execute(work)
