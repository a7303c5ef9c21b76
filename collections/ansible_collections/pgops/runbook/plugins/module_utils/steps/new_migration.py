# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step new_migration; its options are documented in plugins/modules/new_migration.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..definitions.answers import answers_to
from ..ledger.versions import VersionTable
from ..postgres.connection import transaction
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    step.changed = False
    with transaction(step.connection) as cursor:
        applied = sorted(VersionTable(cursor).applied())
    answers = answers_to(
        step.params["questions"], step.connection, step.params["target"], step.params["pg_bindir"]
    )
    return {"answers": answers, "applied": applied, "database": step.identity["database"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            name={"type": "str", "default": ""},
            author={"type": "str", "default": ""},
            questions={"type": "list", "elements": "dict", "default": []},
            pg_bindir={"type": "path", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "new_migration").execute(work)
