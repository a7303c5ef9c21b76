# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step apply; its options are documented in plugins/modules/apply.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..execution.script import LOCK_SPEC, LockPolicy
from ..library.follow import refuse_unless_all_hosts_checked
from ..production.apply import apply_to_production
from ..salvage.returning.returner import SALVAGE_SPEC
from ..shapes import Json
from ..step import Step, step_argument_spec


def work(step: Step) -> Json:
    migrations = step.plan["migrations"] if step.module.check_mode else step.selected_migrations()
    if step.module.check_mode:
        return {"migrations": [{"version": migration["version"]} for migration in migrations]}
    refuse_unless_all_hosts_checked(step.receipts)
    return {"migrations": apply_to_production(step, migrations, LockPolicy.from_params(step.params))}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**LOCK_SPEC, **SALVAGE_SPEC), supports_check_mode=True
    )
    Step(module, "apply").execute(work)
