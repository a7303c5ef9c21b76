# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step restore; its options are documented in plugins/modules/restore.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.encryption import ENCRYPTION_SPEC
from ..backup.engine import ENGINE_SPEC
from ..ledger.ledger import Ledger
from ..postgres.connection import transaction
from ..restore.database import restore_beside
from ..restore.opening import check_replaceable
from ..restore.source import find_backup
from ..restore.steps import swapped_by
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "automatic": {"type": "bool", "default": False},
    **ENCRYPTION_SPEC,
    **ENGINE_SPEC,
    "jobs": {"type": "int", "default": 2},
    "pg_bindir": {"type": "path", "default": ""},
}


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    if swapped_by(step):
        step.changed = False
        return {"swapped_by": swapped_by(step)}
    if not step.automatic:
        return restore_beside(step, step.outputs_of("preflight")["source"])
    with transaction(step.connection) as cursor:
        # The backup of this very run; a restore by hand has checked this in its preflight.
        source = find_backup(Ledger(), cursor, step.params["backup_dir"], step.run_id, step.identity)
        check_replaceable(cursor, step.params["target"])
    return restore_beside(step, source)


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "restore", automatic=module.params["automatic"]).execute(work)
