# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step approval; its options are documented in plugins/modules/approval.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import Refused
from ..ledger.approvals import approval_facts, check_approvals, read_approvals
from ..library.follow import refuse_unless_all_hosts_checked
from ..postgres.connection import transaction
from ..preflight.approvals import go_on, refuse_what_has_changed
from ..preflight.opening import TAKE_OVER_SPEC
from ..shapes import Cursor, Json
from ..step.options import step_argument_spec
from ..step.step import Step


def work(step: Step) -> Json:
    step.changed = False
    with transaction(step.connection) as cursor:
        if step.params["goes_on"]:
            return _go_on(step, cursor)
        if step.module.check_mode:
            return {}
        # Nobody is to be asked for what apply would refuse.
        refuse_unless_all_hosts_checked(step.receipts)
        return _approval(step, cursor)


def _go_on(step: Step, cursor: Cursor) -> Json:
    if step.module.check_mode:
        go_on(step, cursor)
        step.receipts = step.ledger.receipts(cursor, step.run_id)
    else:
        step.changed = True
    try:
        refuse_what_has_changed(step, cursor, step.receipts)
    except Refused as refusal:
        # Who has approved belongs into the record of a run that is refused all the same.
        refusal.details["approval"] = approval_facts(step.receipts, *_given(step, cursor))
        raise
    return _approval(step, cursor)


def _approval(step: Step, cursor: Cursor) -> Json:
    facts = check_approvals(step.run_id, step.receipts, *_given(step, cursor), stops=True)
    return {"approval": facts}


def _given(step: Step, cursor: Cursor) -> tuple[list[Json], str]:
    """The approvals of the run, and who has started it."""
    run = step.ledger.run(cursor, step.run_id) or {}
    return read_approvals(cursor, step.run_id), run.get("operator", "")


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            goes_on={"type": "bool", "default": False},
            **TAKE_OVER_SPEC,
        ),
        supports_check_mode=True,
    )
    step = Step(module, "approval")
    if module.params["goes_on"]:
        step.reopen = go_on
    step.execute(work)
