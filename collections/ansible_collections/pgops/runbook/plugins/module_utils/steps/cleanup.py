# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step cleanup; its options are documented in plugins/modules/cleanup.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..retention.cleanup import clean_up
from ..retention.policy import KEEP_SPEC, checked_keep
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    step.changed = False
    keep = checked_keep("backup_keep", step.params["backup_keep"])
    keep_artifacts = checked_keep("artifacts_keep", step.params["artifacts_keep"])
    return {
        "check_mode": step.module.check_mode,
        "backup_keep": keep,
        # Whoever enforces it has to know which runs somebody still needs: it is the controller, which has them.
        "artifacts_keep": keep_artifacts,
        **clean_up(step, keep),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            backup_keep={**KEEP_SPEC, "default": {}},
            artifacts_keep={**KEEP_SPEC, "default": {}},
            after_run={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    Step(module, "cleanup").execute(work)
