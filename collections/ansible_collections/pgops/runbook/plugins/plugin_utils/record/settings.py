# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said where Ansible itself finds variables that cannot be used, before any step.

A role's ``argument_specs.yml`` is held against the variables by a task of Ansible's own, whose message names classes of
ansible-core (ansible.module_utils.common.arg_spec; the task: ansible.plugins.action.validate_argument_spec).
"""

from __future__ import annotations

import re

__all__ = ["in_one_sentence"]

BEGINNING = "Validation of arguments failed:"

# What ansible-core says of a value of another type than the variable's.
NOT_CONVERTED = re.compile(r"argument '(\S+)' is of type (\w+) and we were unable to convert to (\w+): .*")

#: Types of Python and of Ansible -> what somebody who writes an inventory calls them.
IN_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "yes or no (true, false)",
    "list": "a list",
    "dict": "a dictionary",
    "path": "a path",
    "NoneType": "empty",
}


def in_one_sentence(message: str) -> str | None:
    """What cannot be used, and what to do; None where the message is about something else.

    Args:
        message: of the task that failed.
    """
    first, _, faults = message.strip().partition("\n")
    if first.strip() != BEGINNING:
        return None
    told = "; ".join(NOT_CONVERTED.sub(_told, fault.strip()) for fault in faults.splitlines())
    return (
        f"A variable cannot be used: {told}. Nothing was done. Correct it, and type the same command again."
    )


def _told(found: re.Match[str]) -> str:
    name, given, wanted = found.groups()
    return f"{name} is {IN_WORDS.get(given, given)}, and has to be {IN_WORDS.get(wanted, wanted)}"
