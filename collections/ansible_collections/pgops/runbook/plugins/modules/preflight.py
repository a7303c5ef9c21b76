#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check everything that can be checked before anything is touched
description:
  - First step of every run. Selects the migrations, checks server, rights, scripts, programs and room,
    and opens the run in the ledger.
  - Writes nothing when it refuses.
version_added: 0.1.0
author:
  - The pgops runbook authors (!UNKNOWN)
extends_documentation_fragment:
  - pgops.runbook.step
  - pgops.runbook.step.engine
  - pgops.runbook.step.encryption
  - pgops.runbook.step.copy_target
  - pgops.runbook.step.replica_lag
  - pgops.runbook.step.slots
  - pgops.runbook.step.not_in_backup
  - pgops.runbook.step.take_over
  - pgops.runbook.step.client_programs
options:
  rehearsal_host:
    description:
      - Inventory name of the host in group C(rehearsal), where O(copy_target) is to be another server. Empty means that
        the copy is on production's.
    type: str
    default: ''
  emergency_backup:
    description:
      - Which backup a rollback is to begin with, as O(pgops.runbook.backup#module:kind).
      - One that could not be made then is refused here. V(restore_point) is proven by setting one.
    type: str
    default: auto
    choices: [auto, full, salvage, restore_point]
  cascade:
    description: Whether a rollback also takes back the applied migrations that depend on this one.
    type: bool
    default: false
  skip_done:
    description:
      - Whether a database that has the migration already, or of a rollback does not have it, is passed over. Otherwise
        that is a refusal.
    type: bool
    default: false
  source_run_id:
    description: For a restore, the run whose backup is to be put back.
    type: str
    default: ''
  restore_to:
    description: For a restore, the restore point of another run to which it goes on from there.
    type: str
    default: ''
  lint_gating_rules:
    description: Rules of the linter squawk whose findings refuse a migration; other findings are only reported.
    type: list
    elements: str
    default: []
  accept_drift:
    description:
      - Whether a schema that was changed outside of the runbook is accepted as the one to start from.
      - What was changed is written into the receipt.
    type: bool
    default: false
  accept_edited_scripts:
    description: Whether scripts of applied migrations may differ from those that were deployed.
    type: raw
    default: false
  accept_applied_again:
    description: Whether a migration is applied whose text is applied already, under another version.
    type: raw
    default: false
  accept_empty_rollback:
    description: Whether a rollback may have no statement.
    type: raw
    default: false
  consents:
    description:
      - All consents, by their variables, for the receipt of this step.
      - Those about a migration have to say about which, where the run has several.
    type: dict
    default: {}
  consent_reason:
    description: Why they were given, for the receipt.
    type: str
    default: ''
  consents_need_reason:
    description: Whether a deploy or rollback with consents is refused without O(consent_reason).
    type: bool
    default: false
  accept_broken_chain:
    description:
      - Whether a deploy goes on although receipts were changed, or are missing at the end of their chain.
      - What was found is written into the receipt, with which the chain begins anew.
    type: bool
    default: false
  approvals_required:
    description: How many others have to approve a deploy between its rehearsal and production.
    type: int
    default: 0
  approvals_required_for:
    description: Risk levels of which one approval is needed at least; a header that states none counts as one of them.
    type: list
    elements: str
    choices: [LOW, MEDIUM, HIGH, CRITICAL]
    default: []
  precheck_timeout_seconds:
    description: Greatest time of one statement of a migration's precheck script.
    type: float
    default: 60
  together:
    description:
      - Whether a deploy, and its rehearsal, apply all of several pending migrations in one transaction.
    type: bool
    default: false
  drill_max_age_days:
    description: How old the last drill that went well may be when a deploy begins; 0 asks for none.
    type: float
    default: 0
  approval_max_age_hours:
    description: How old backup, proof and rehearsal may be when a deploy that was approved changes production.
    type: float
    default: 24
"""

EXAMPLES = r"""
- name: Check everything that can be checked before anything is touched
  pgops.runbook.preflight:
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

from ..module_utils.steps.preflight import main

if __name__ == "__main__":
    main()
