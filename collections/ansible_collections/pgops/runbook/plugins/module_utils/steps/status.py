# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step status; its options are documented in plugins/modules/status.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.copy import CopyDatabase
from ..backup.still_there import newest_gone
from ..ledger.ledger import Ledger
from ..ledger.versions import VersionTable
from ..postgres.connection import TARGET_SPEC, transaction
from ..postgres.standbys import refuse_endless_commit
from ..preflight.half_done import refuse_half_done
from ..preflight.shared_numbers import shared_numbers
from ..rehearsal.hooks import CopyHooks
from ..shapes import Json
from ..status.adoption import find_in_place, record_in_place
from ..status.reading import read_status
from ..step.options import step_argument_spec
from ..step.step import Step


def adopt(step: Step) -> dict[str, Json]:
    """Record what is in place; returns where every unrecorded migration stands, or why that is not known."""
    with transaction(step.connection) as cursor:
        if not step.module.check_mode:
            refuse_endless_commit(cursor)
        # Objects of a migration that is half done are in place, and the migration is not.
        refuse_half_done(step, cursor)
        chain = Ledger().receipts(cursor)
        shared = list(shared_numbers(step.plan["index"], VersionTable(cursor).applied(), chain))
    undecided = {
        **step.plan["undecided"],
        # Recorded by its own name, too, it would be one migration that is recorded twice.
        **{entry["version"]: one.sentence for one in shared for entry in one.sharing},
    }
    copy = CopyDatabase(step.params["copy_target"] or step.params["target"], step.run_id)
    placements = find_in_place(
        step.connection,
        copy,
        step.plan["migrations"],
        undecided,
        lambda connection: CopyHooks(connection, []),
    )
    in_place = [version for version, facts in placements.items() if facts["state"] == "in place"]
    step.changed = bool(in_place)
    if in_place and not step.module.check_mode:
        record_in_place(step, [one for one in step.plan["migrations"] if one["version"] in in_place])
    return placements


def _ledger(step: Step) -> Json:
    """What the controller compares with its artifacts, and whose signatures it checks."""
    with transaction(step.connection) as cursor:
        ledger = Ledger()
        return {
            "identity": step.identity,
            "runs": ledger.runs(cursor),
            "receipts": ledger.signatures(cursor),
        }


def work(step: Step) -> Json:
    step.changed = False
    adoption = adopt(step) if step.params["adopt"] else {}
    return {
        **read_status(step.connection, step.params["target"], Ledger(), step.plan["index"]),
        "adoption": adoption,
        "backup_gone": newest_gone(step),
        "reopened": step.reopened,
        "unusable": step.plan["unusable"],
        "sql": [*filter(None, [step.plan["layout"]["sentence"]]), *step.plan["warnings"]],
        "ledger": _ledger(step),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            adopt={"type": "bool", "default": False},
            copy_target={"type": "dict", "options": TARGET_SPEC},
        ),
        supports_check_mode=True,
    )
    Step(module, "status").execute(work)
