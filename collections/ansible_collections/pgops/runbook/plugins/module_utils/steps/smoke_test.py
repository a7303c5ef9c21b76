# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step smoke_test; its options are documented in plugins/modules/smoke_test.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import StepFailed
from ..execution.script import run_checks
from ..postgres.connection import transaction
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

# What the controller has found.
HEALTH_SPEC = {
    "asked": {"type": "list", "elements": "dict", "default": []},
    "failure": {"type": "str", "default": ""},
}


#: Those that not every step has.
OPTIONS: Json = {
    "health": {"type": "dict", "options": HEALTH_SPEC},
}


def work(step: Step) -> Json:
    step.changed = False
    scripts = step.smoke_scripts()
    if not step.module.check_mode:
        with transaction(step.connection) as cursor:
            run_checks(cursor, scripts)
    health = step.params["health"]
    if health is None:
        return {"smoke_scripts": [script["name"] for script in scripts]}
    if health["failure"]:
        raise StepFailed("health_check_failed", health["failure"], health=health["asked"])
    return {"smoke_scripts": [script["name"] for script in scripts], "health": health["asked"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(**OPTIONS),
        supports_check_mode=True,
    )
    Step(module, "smoke_test").execute(work)
