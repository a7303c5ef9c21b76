# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step apply; its options are documented in plugins/modules/apply.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.still_there import refuse_without_backup
from ..execution.script import LOCK_SPEC, LockPolicy
from ..library.follow import refuse_unless_all_hosts_checked
from ..postgres.abort import ABORT_SPEC
from ..postgres.connection import transaction
from ..preflight.hours import refuse_too_little_time, server_now
from ..preflight.replication import LAG_SPEC, SLOT_SPEC
from ..production.apply import apply_to_production
from ..production.replicas import BATCH_SPEC, REPLICA_WAIT_SPEC, look_before_apply, wait_for_standbys
from ..salvage.returning.returner import SALVAGE_SPEC
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    **LOCK_SPEC,
    **ABORT_SPEC,
    **SALVAGE_SPEC,
    **LAG_SPEC,
    **SLOT_SPEC,
    **REPLICA_WAIT_SPEC,
    **BATCH_SPEC,
}


def work(step: Step) -> Json:
    migrations = step.plan["migrations"] if step.module.check_mode else step.selected_migrations()
    if step.module.check_mode:
        return {"migrations": [{"version": migration["version"]} for migration in migrations]}
    refuse_unless_all_hosts_checked(step.receipts)
    policy = LockPolicy.from_params(step.params)
    evidence = step.outputs_of("rehearse")["migrations"]
    with transaction(step.connection) as cursor:
        refuse_too_little_time(step.receipts, server_now(cursor), evidence)
    step.replication += look_before_apply(step, evidence)
    refuse_without_backup(step)
    applied = apply_to_production(step, migrations, policy)
    step.replication += wait_for_standbys(step.connection, step.params["replica_wait_seconds"])
    return {"migrations": applied, "replication": step.replication}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "apply").execute(work)
