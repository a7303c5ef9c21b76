#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files_rename
short_description: Rename the files on disk to agree with the database
description:
  - Runs on a host that holds the application's files, which must be able to reach the database.
  - "For migrations whose header says C(-- Files: rename table.column). Which paths they and their rollbacks changed
    is in the ledger, written in the transaction that changed them."
  - Looks at every rename before the first one, never replaces a file, never follows a link below the folder, notes
    each rename in a journal before it happens, and compares all rows with all files at the end.
  - The paths that the rows have now are the ones that count. So the same call goes on after a kill, and takes names
    back after a rollback of the database; files that users renamed or added meanwhile keep their names.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.library
options:
  automatic:
    description: Whether this follows the rollback that a failed deploy does by itself.
    type: bool
    default: false
  progress_file:
    description: New file for lines about the progress, filled in by the action plugin.
    type: path
    default: ''
attributes:
  diff_mode:
    description: Returns every pair of old and new path, in check mode too.
    support: full
"""

EXAMPLES = r"""
- name: Rename the files on disk to agree with the database
  pgops.runbook.files_rename:
    target: "{{ files_rename_target }}"
    run: "{{ runbook_run }}"
    library_host: media1
    library_root: /srv/library
  delegate_to: media1
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: What the step found, as in its receipt; in check mode also C(pairs), every old and new path.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.library.progress import ProgressLines
from ..module_utils.library.steps import LIBRARY_SPEC, follow_database, library_of, show_renames
from ..module_utils.shapes import Json
from ..module_utils.step import Step, step_argument_spec


def work(step: Step) -> Json:
    params, module = step.params, step.module
    library = library_of(step)
    progress = ProgressLines(params["progress_file"], params["library_host"])
    show_pairs = module.check_mode or module._diff
    outputs, pairs = follow_database(step, library, not module.check_mode, show_pairs, progress.files_renamed)
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
            progress_file={"type": "path", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "files_rename", automatic=module.params["automatic"]).execute(work)


if __name__ == "__main__":
    main()
