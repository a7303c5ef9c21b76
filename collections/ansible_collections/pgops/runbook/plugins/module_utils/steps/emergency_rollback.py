# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step emergency_rollback; its options are documented in plugins/modules/emergency_rollback.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.still_there import gone_at_failure, refuse_without_emergency_backup
from ..execution.script import LOCK_SPEC, LockPolicy
from ..postgres.abort import ABORT_SPEC
from ..preflight.replication import LAG_SPEC
from ..production.committed import to_take_back
from ..production.replicas import look_before_rollback
from ..production.rollback import roll_back_production
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "automatic": {"type": "bool", "default": False},
    **LOCK_SPEC,
    **ABORT_SPEC,
    **LAG_SPEC,
}


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {"migrations": step.plan.get("versions", [])}
    migrations = step.selected_migrations()
    if step.automatic:
        migrations = to_take_back(step, migrations)
    if not migrations:
        step.changed = False
        return {"migrations": []}
    policy = LockPolicy.from_params(step.params)
    step.replication += look_before_rollback(step)
    refuse_without_emergency_backup(step, [migration["version"] for migration in migrations])
    taken_back = roll_back_production(step, migrations, policy)
    return {"migrations": taken_back, "replication": step.replication}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    step = Step(module, "emergency_rollback", automatic=module.params["automatic"])
    step.backup_gone = gone_at_failure
    step.execute(work)
