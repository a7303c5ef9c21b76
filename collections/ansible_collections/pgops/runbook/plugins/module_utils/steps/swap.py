# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step swap; its options are documented in plugins/modules/swap.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..postgres.lock_waits import LOCK_WAIT_SPEC
from ..restore.steps import record_earlier_swap, swap_databases, swapped_by
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "automatic": {"type": "bool", "default": False},
    "carry_over": {"type": "bool", "default": False},
    **LOCK_WAIT_SPEC,
}


def work(step: Step) -> Json:
    if step.module.check_mode:
        return {}
    earlier = swapped_by(step)
    if earlier:
        return record_earlier_swap(step, earlier)
    return swap_databases(step)


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "swap", automatic=module.params["automatic"]).execute(work)
