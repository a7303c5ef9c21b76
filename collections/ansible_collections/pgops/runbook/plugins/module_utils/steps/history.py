# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step history; its options are documented in plugins/modules/history.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import Refused
from ..ledger.history import read_history
from ..postgres.connection import transaction
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    step.changed = False
    if step.params["limit"] < 1:
        raise Refused("setting_invalid", "history_limit must be 1 or more. Nothing was done.")
    with transaction(step.connection) as cursor:
        return {
            "runs": read_history(
                cursor, step.params["limit"], step.params["migration"], step.params["outcome"]
            )
        }


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            limit={"type": "int", "default": 100},
            migration={"type": "str", "default": ""},
            outcome={"type": "str", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "history").execute(work)
