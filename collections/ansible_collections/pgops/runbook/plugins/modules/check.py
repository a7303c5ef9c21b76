#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the step check, which plugins/action/check.py carries out on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check
short_description: Check a folder of SQL without a server
description:
  - Finds at once all that preflight would refuse one by one, and what the linter squawk says, each with
    its file and line; fails where there is any that counts.
  - Runs on the controller, whatever the host of the task is, and asks no server for anything.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
options:
  sql_dir:
    description: Folder of the SQL scripts.
    type: str
    required: true
  sql_layout:
    description: How the folder is laid out; V(auto) finds it out by looking.
    type: str
    default: auto
  version_table:
    description: Name of the tool, or names of table and columns, in which migrations are recorded.
    type: raw
  lint_gating_rules:
    description: Rules of the linter whose findings are errors; all others are warnings.
    type: list
    elements: str
    default: [ban-drop-database, ban-truncate-cascade]
  baseline:
    description: File of accepted findings, JSON or YAML; V('') means that none is accepted.
    type: str
    default: ''
  write_baseline:
    description: Whether that file is written, so that it accepts what is found now.
    type: bool
    default: false
  fail_on:
    description: What makes it fail, V(error), or V(warning) and all above.
    type: str
    choices: [error, warning]
    default: error
  output_dir:
    description: Folder in which check.md, check.junit.xml and check.sarif are written; V('') means that none is.
    type: str
    default: ''
  rehearse:
    description:
      - Whether each migration is also deployed, rolled back and deployed again, in order and from an empty database, on
        a server of PostgreSQL that is started for that in a temporary folder of the controller.
      - Only where nothing else stands in the way; in check mode not at all.
    type: bool
    default: false
  pg_bindir:
    description: Folder of PostgreSQL's server programs on the controller; V('') means PATH.
    type: str
    default: ''
  sample_files:
    description: How many rows the sample scripts are asked for.
    type: int
    default: 200
  accept_data_loss:
    description: Whether a rollback may lose rows, as for M(pgops.runbook.rehearse_from_empty).
    type: raw
    default: false
  accept_residue:
    description: Whether a rollback may leave what none can take back, without its header saying so.
    type: raw
    default: false
  generated_rows:
    description: As for M(pgops.runbook.rehearse_from_empty).
    type: int
    default: 20
  generated_rows_seed:
    description: With the same number and the same schema the rows are the same.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Check the SQL folder
  pgops.runbook.check:
    sql_dir: sql
    output_dir: artifacts/check
"""

RETURN = r"""
outputs:
  description: Layout, and how many migrations, errors, warnings and accepted findings there are.
  returned: when the folder could be looked at
  type: dict
report:
  description: What was found, as lines for a person.
  returned: when the folder could be looked at
  type: list
  elements: str
files:
  description: Paths of the files that were written.
  returned: when the folder could be looked at
  type: list
  elements: str
reason_code:
  description: Why it failed, in a short name.
  returned: failure
  type: str
"""
