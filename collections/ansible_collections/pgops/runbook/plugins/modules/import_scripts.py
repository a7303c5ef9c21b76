#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION. What it does is in plugins/action/import_scripts.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: import_scripts
short_description: Write scripts from what Django or Alembic say of their migrations
description:
  - Asks C(manage.py sqlmigrate) or C(alembic --sql) for each migration and for its way back, and writes both into a
    folder of SQL in the layout V(plain), with what is known of them in their headers.
  - A migration that is there already is left alone. Where the tool cannot say a migration as SQL, the header of its
    file says what a person must write, and deploys of it are refused until that is done.
  - Runs on the controller; no host and no database of the inventory is asked.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: Asks the tool, and writes nothing.
    support: full
options:
  source:
    description: The tool, V(django) or V(alembic).
    type: str
    required: true
  project:
    description: Folder of the tool's project, on the controller, with C(manage.py) or C(alembic.ini).
    type: str
    required: true
  python:
    description: The interpreter that has the tool; a path with a slash is looked for from O(project).
    type: str
    default: python3
  sql_dir:
    description: Folder of SQL into which the scripts are written.
    type: str
    required: true
  sql_layout:
    description: How that folder is laid out; another layout than V(plain) is refused.
    type: str
    default: auto
  version_table:
    description: The public variable, to say where it has another value than the tool wants.
    type: raw
    default: ''
"""

EXAMPLES = r"""
- name: Import the migrations of a Django project
  pgops.runbook.import_scripts:
    source: django
    project: /srv/app
    python: /srv/app/.venv/bin/python
    sql_dir: /srv/deployment/sql
"""

RETURN = r"""
outputs:
  description: What was imported, what was there, what is edited since, and what a person must write.
  returned: success
  type: dict
report:
  description: The same as lines for a person.
  returned: success
  type: list
  elements: str
"""
