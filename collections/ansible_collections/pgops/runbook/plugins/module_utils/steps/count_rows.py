# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step count_rows; its options are documented in plugins/modules/count_rows.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..restore.steps import count_rows, swapped_by
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

#: Those that not every step has.
OPTIONS: Json = {
    "automatic": {"type": "bool", "default": False},
}


def work(step: Step) -> Json:
    step.changed = False
    if step.module.check_mode:
        return {}
    if swapped_by(step):
        return {"swapped_by": swapped_by(step)}
    return {"rows": count_rows(step)}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "count_rows", automatic=module.params["automatic"]).execute(work)
