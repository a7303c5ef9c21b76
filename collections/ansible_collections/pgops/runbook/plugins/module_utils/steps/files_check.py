# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step files_check; its options are documented in plugins/modules/files_check.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..library.steps import LIBRARY_SPEC, check_library, library_of, show_renames
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    step.changed = False
    library = library_of(step)
    if step.module.check_mode:
        return {"library_host": library["host"]}  # nothing was rehearsed
    outputs, pairs = check_library(step, library, step.module._diff)
    if step.module._diff:
        step.diff = show_renames(library, pairs)
        # Ansible shows the difference only of a task that says it changed something; here the change is to come.
        step.changed = bool(pairs)
    return outputs


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(**LIBRARY_SPEC), supports_check_mode=True)
    Step(module, "files_check").execute(work)
