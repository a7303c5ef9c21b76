#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: step
short_description: Execute a step, whichever it is
description:
  - Internal; not for playbooks, which call the step itself, as M(pgops.runbook.apply).
  - The action plugin of all steps sends this module to the target in place of the step's own, with the step's name and
    its options, so that ansible-core packs the code of the steps once in a run of a playbook and not once a step.
  - Has no options of its own. Called in a task of a playbook it fails.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: As the step does, and each step can.
    support: full
  diff_mode:
    description: As the step does.
    support: partial
    details: Of the steps M(pgops.runbook.files_check) and M(pgops.runbook.files_rename) return a difference.
"""

EXAMPLES = r"""
# There is none: call the step itself, as in the examples of pgops.runbook.apply.
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: What the step found, as in its receipt; see RV(ignore:outputs) of its own module.
  returned: success
  type: dict
"""

import importlib
import importlib.util
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule, _load_params

if TYPE_CHECKING:
    # Never executed, but read: ansible-core packs what a module imports, wherever in its text. What one step needs is
    # imported when it is known which it is, since Python compiles each file that it imports from the archive.
    from ..module_utils.steps import (  # noqa: F401
        announce,
        apply,
        approval,
        approve,
        backup,
        cleanup,
        count_rows,
        drill,
        emergency_rollback,
        files_check,
        files_rename,
        history,
        maintenance_window,
        new_migration,
        preflight,
        rehearse,
        rehearse_from_empty,
        restore,
        salvage,
        smoke_test,
        status,
        swap,
        verify,
        verify_restore,
    )


class Refusal(AnsibleModule):
    """A module that looks at no argument, so that none of them, as a password, gets into its result or a log."""

    def _load_params(self) -> None:
        self.params: dict[str, object] = {}


def main() -> None:
    # The name under which the action plugin has it run. (ansible-test asks for the options without any argument.)
    called = str((_load_params() or {}).get("_ansible_module_name", ""))
    name = called.rpartition(".")[-1]
    step = f"..module_utils.steps.{name}"
    # Without a name it would find the folder.
    if not name or importlib.util.find_spec(step, __package__) is None:
        Refusal(argument_spec={}, supports_check_mode=True).fail_json(
            msg=f"There is no step {called or 'without a name'}. Production was not touched.",
            reason_code="step_could_not_run",
        )
    try:
        module = importlib.import_module(step, __package__)
    except Exception as error:
        Refusal(argument_spec={}, supports_check_mode=True).fail_json(
            msg=f"its code cannot be loaded: {_told(error)}.", reason_code="step_not_begun"
        )
    module.main()


def _told(error: Exception) -> str:
    """Its kind, what it says, and the line of the file that raised it, or that is no Python."""
    if isinstance(error, SyntaxError):
        file, line = error.filename or "", error.lineno
    else:
        last = traceback.extract_tb(error.__traceback__)[-1]
        file, line = last.filename, last.lineno
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(file).name} line {line})"


if __name__ == "__main__":
    main()
