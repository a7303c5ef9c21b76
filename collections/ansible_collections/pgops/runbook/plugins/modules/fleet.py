#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION. What it does is in plugins/action/fleet.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Let the run of one of several databases begin, or leave the database untouched
description:
  - Stands before the first step where a play is about several databases. Where the run of a database in an earlier
    batch has not gone well, no database of this batch is touched; where that happened in the same batch, none is that
    has not begun.
  - Keeps C(fleet.json), the record of all of them, and C(fleet.md), the same as a page.
  - Runs on the controller; no host and no database of the inventory is asked.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: Writes nothing, and lets each database be looked at.
    support: full
options:
  artifacts_dir:
    description: Folder for the artifacts of runs, and beside them of fleets.
    type: str
    required: true
  playbook:
    description: The playbook that runs.
    type: str
    required: true
  migration:
    description: What was asked for, for the record.
    type: str
    default: ''
  batches:
    description: Sizes of the batches, as the keyword C(serial) of the play has them.
    type: raw
    default: [1]
  rollback_batch:
    description: Whether what was deployed in a batch is taken back where the run of another database of it has failed.
    type: bool
    default: false
  takes_back:
    description: Whether to find out, after the play, if this database is one that is taken back.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Let the run of this database begin, or leave the database untouched
  pgops.runbook.fleet:
    artifacts_dir: /srv/deployment/artifacts
    playbook: deploy
    migration: "009"
    batches: [1, 10%, 100%]
  register: fleet_gate
"""

RETURN = r"""
goes_on:
  description: Whether the run begins.
  returned: always
  type: bool
ends_play:
  description: Of one that does not, whether no run of its batch does.
  returned: always
  type: bool
fleet_json:
  description: Path of the record.
  returned: outside of check mode
  type: str
"""
