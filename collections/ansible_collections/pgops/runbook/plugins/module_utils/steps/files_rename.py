# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step files_rename; its options are documented in plugins/modules/files_rename.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..library.steps import LIBRARY_SPEC, follow_database, library_of, show_renames
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    module = step.module
    library = library_of(step)
    show_pairs = module.check_mode or module._diff
    outputs, pairs = follow_database(step, library, not module.check_mode, show_pairs)
    if show_pairs:
        step.diff = show_renames(library, pairs)
    if module.check_mode:
        outputs["pairs"] = pairs
        step.changed = bool(pairs)
    else:
        step.changed = outputs["renamed"] > 0
    return outputs


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            **LIBRARY_SPEC,
            automatic={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )
    Step(module, "files_rename", automatic=module.params["automatic"]).execute(work)
