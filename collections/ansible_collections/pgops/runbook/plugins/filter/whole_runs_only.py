# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a command asks to be left out, looked at before its first play begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: whole_runs_only
short_description: The hosts of a play, unless the tags that are skipped leave out how a run begins and ends
description:
  - A task can do nothing against C(--skip-tags always), which leaves it out too; the keywords of a play are read all
    the same.
  - Other tags leave out steps of the chain, which the steps after them, and the end of the run, refuse.
author: The pgops runbook authors
options:
  _input:
    description: The hosts.
    type: str
    required: true
  skip_tags:
    description: The variable ansible_skip_tags.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Deploy
  hosts: "{{ 'databases' | pgops.runbook.whole_runs_only(ansible_skip_tags) }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: str
"""

#: They stand for tasks that have other tags, or none (ansible-core, playbook/taggable.py).
OF_TASKS_IN_GENERAL = ("all", "always", "tagged", "untagged")


def hosts_of(hosts: str, skip_tags: Sequence[str]) -> str:
    """See DOCUMENTATION.

    Raises:
        AnsibleFilterError: naming the tag, and what to type instead.
    """
    if context.CLIARGS.get("step"):
        raise AnsibleFilterError(
            "--step lets a person leave out tasks of a run, and a host of which one was left out waits for ever."
            " Nothing was begun, and production is untouched. Type the same command without it."
        )
    left_out = [tag for tag in skip_tags if tag in OF_TASKS_IN_GENERAL]
    if left_out:
        raise AnsibleFilterError(
            f"--skip-tags {','.join(left_out)} would leave out how a run is ended and recorded. Nothing was begun, and"
            " production is untouched. Type the same command without it."
        )
    return hosts


class FilterModule:
    """What Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"whole_runs_only": hosts_of}
