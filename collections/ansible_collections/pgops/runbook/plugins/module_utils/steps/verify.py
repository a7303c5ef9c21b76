# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step verify; its options are documented in plugins/modules/verify.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..catalog.application import read_schema
from ..catalog.difference import describe, difference
from ..errors import StepFailed
from ..execution.script import run_checks
from ..ledger.bookkeeping import recorded_in
from ..ledger.ledger import Ledger
from ..ledger.versions import VersionTable
from ..postgres.connection import transaction
from ..sentences import listed
from ..shapes import Json, Migration, Script
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    if step.module.check_mode:
        step.changed = False
        return {}
    migrations = step.selected_migrations()
    committed = step.outputs_of("apply", migrations[-1]["version"])["catalog_after"]
    scripts, verified_before = _scripts_to_run(step, migrations)
    with transaction(step.connection) as cursor:
        recorded = VersionTable(cursor).applied()
        missing = [migration["version"] for migration in migrations if migration["version"] not in recorded]
        if missing:
            raise StepFailed(
                "version_not_recorded",
                f"After the deploy {recorded_in()} does not record {', '.join(missing)}: something else writes to"
                " it.",
            )
        lines = describe(difference(Ledger().catalog(cursor, committed), read_schema(cursor)))
        if lines:
            raise StepFailed(
                "schema_changed_after_deploy",
                f"The schema was changed after the COMMIT of the deploy: {listed(lines)}. Find out who changed it.",
            )
        run_checks(cursor, scripts)
    step.changed = False
    return {
        "catalog": committed,
        "verify_scripts": [script["name"] for script in scripts],
        "verified_before_salvage_returned": verified_before,
    }


def _scripts_to_run(step: Step, migrations: list[Migration]) -> tuple[list[Script], list[str]]:
    """The verify scripts to run now, and the names of those that held before users' rows came back.

    A verify script looks at what the migration did. Only what the receipt of apply names was run.
    """
    to_run: list[Script] = []
    verified_before: list[str] = []
    for migration in migrations:
        script = migration.get("verify")
        applied = step.outputs_of("apply", migration["version"])
        if not script:
            continue
        if applied.get("salvage_returned") and script["name"] in applied.get("verified", ()):
            verified_before.append(script["name"])
        else:
            to_run.append(script)
    return to_run, verified_before


def main() -> None:
    module = AnsibleModule(argument_spec=step_argument_spec(), supports_check_mode=True)
    Step(module, "verify").execute(work)
