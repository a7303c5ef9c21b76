#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: announce
short_description: Close the run
description:
  - Writes the outcome to the ledger, lets the next run in, and drops the copy if a killed step has left it.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.copy_target
options:
  outcome:
    description: How the run ended, filled in by the action plugin. Empty leaves the run as it is.
    type: str
    default: failed
  reason:
    description: One sentence for a person, filled in by the action plugin.
    type: str
    default: ''
  reason_code:
    description: The reason's short name for programs; docs/reasons.md lists them.
    type: str
    default: ''
  record_sha256:
    description: Digest of run.json as the controller has written it.
    type: str
    default: ''
  fail_on_held_back:
    description: Whether a deploy after which rows wait that a rollback had kept ends as a failure does.
    type: bool
    default: false
  restore_salvage:
    description: Whether deploys put back what a rollback keeps, which the report says only then.
    type: bool
    default: true
  maintenance_ended:
    description: Whether the application was taken back into service, which the run had taken out of it.
    type: bool
    default: false
  database_in_service:
    description:
      - Whether PostgreSQL gives back what maintenance_mode of the run has taken; with an empty O(outcome), only that.
    type: bool
    default: false
  metrics_dir:
    description:
      - Folder on the controller in which the run is told as metrics of Prometheus. Empty writes none.
    type: str
    default: ''
  preflight_done:
    description:
      - Whether preflight has looked. In check mode nothing else tells whether it was left out, and an end without it is
        no success.
    type: bool
    default: false
  out_of_service:
    description: Why the application could not be taken back into service, for run.json and the report.
    type: str
    default: ''
  unannounced:
    description:
      - Announcements that reached nobody, each with its event and the reason, for run.json and the report.
      - Of a run that has ended they are noted, and nothing else is done.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Close the run
  pgops.runbook.announce:
    target: "{{ runbook_target }}"
    run: "{{ runbook_run }}"
    backup_dir: /var/backups/runbook
"""

RETURN = r"""
receipts:
  description: The receipts that the step wrote.
  returned: always
  type: list
  elements: dict
outputs:
  description: What the step found, as in its receipt.
  returned: success
  type: dict
"""

from ..module_utils.steps.announce import main

if __name__ == "__main__":
    main()
