#!/usr/bin/python
# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module; see DOCUMENTATION. What it does is in plugins/action/role_names.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: role_names
short_description: Refuse names that the modules of community.postgresql cannot use
description:
  - Those modules write some names into SQL as they are. One with a quote, a percent sign or a comma in it is refused.
  - Runs on the controller; no host is asked.
version_added: 0.2.0
author:
  - The pgops runbook authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing, and does the same.
    support: full
options:
  names:
    description: What has a name, as a variable, and the name or a list of names.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse names that cannot be used
  pgops.runbook.role_names:
    names:
      db_user: "{{ db_user }}"
"""

RETURN = r"""
reason_code:
  description: Short name of the reason.
  returned: failure
  type: str
"""
