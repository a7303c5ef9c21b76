# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""The password of the database for tasks that are no steps of the runbook's."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils.run.password import PasswordUnavailable, password_of

DOCUMENTATION = r"""
name: database_password
short_description: Password of the database, from where it is kept
description:
  - Gives the password itself, or that in a file of the controller, or that which a program prints there; empty where
    none of them is set. The steps read it by themselves from the same variables.
  - Nothing goes through a shell, and no error quotes the password or what the program printed.
author: The pgops runbook authors
options:
  password:
    description: The password, as O(ignore:db_password).
    type: str
    default: ''
  file:
    description:
      - File with the password and nothing else, as O(ignore:db_password_file). Refused where its group or others have
        rights to it.
    type: str
    default: ''
  command:
    description: Program and arguments, as O(ignore:db_password_command). The first line that it prints is the password.
    type: raw
    default: []
"""

EXAMPLES = r"""
- name: Give the role its password
  community.postgresql.postgresql_user:
    name: "{{ db_user }}"
    password: "{{ lookup('pgops.runbook.database_password', file='/etc/pgops/password') }}"
"""

RETURN = r"""
_raw:
  description: The password, or an empty string.
  type: list
  elements: str
"""


class LookupModule(LookupBase):
    """Calls what the steps call."""

    def run(self, terms: list[Any], variables: Any = None, **options: Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        try:
            return [password_of(*(self.get_option(name) for name in ("password", "file", "command")))]
        except PasswordUnavailable as error:
            raise AnsibleLookupError(error.reason) from None
