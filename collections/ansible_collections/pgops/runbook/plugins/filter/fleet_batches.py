# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The public variable fleet_batches as a play's ``serial``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..module_utils.errors import Refused
from ..plugin_utils.fleet.batches import ONE_BY_ONE, batches_of

DOCUMENTATION = r"""
name: fleet_batches
short_description: The variable fleet_batches as what the keyword serial of a play takes
description:
  - Reads the variable of the first host of group C(databases), since a play has one C(serial) for all of its hosts.
  - What is no list of sizes is one database after the other; the first task of the play refuses it with its reason.
author: The pgops runbook authors
options:
  _input:
    description: The variable hostvars, which is there when the first play of a command has begun.
    type: dict
    required: true
  groups:
    description: The variable of this name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Deploy
  hosts: databases
  serial: "{{ hostvars | default({}) | pgops.runbook.fleet_batches(groups) }}"
"""

RETURN = r"""
_value:
  description: The sizes.
  type: list
  elements: raw
"""


def serial(hostvars: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[int | str]:
    """See DOCUMENTATION."""
    databases = groups.get("databases") or []
    # With --syntax-check no play begins, and there are none.
    variables = hostvars[databases[0]] if databases and hostvars else {}
    try:
        return batches_of(variables.get("fleet_batches"))
    except Refused:
        return list(ONE_BY_ONE)


class FilterModule:
    """What Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"fleet_batches": serial}
