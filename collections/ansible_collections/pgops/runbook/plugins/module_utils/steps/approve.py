# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step approve; its options are documented in plugins/modules/approve.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..errors import Refused
from ..ledger.approvals import (
    approval_facts,
    person,
    read_approvals,
    waiting_runs,
    write_approval,
)
from ..ledger.ledger import Ledger
from ..ledger.receipts import altered, outputs_in
from ..postgres.connection import transaction
from ..postgres.standbys import refuse_endless_commit
from ..preflight.approvals import NEW_DEPLOY, not_waiting
from ..shapes import Cursor, Json
from ..step.options import operator_name, step_argument_spec
from ..step.step import Step

LONGEST_COMMENT = 1000

# Of the rehearsal, what a person reads before saying yes.
SHOWN = (
    "version",
    "schema_restored",
    "data_restored",
    "rows_compared",
    "schema_changes",
    "impact",
    "statements",
)


def work(step: Step) -> Json:
    step.changed = False
    operator = operator_name(step.params["run"]["operator"])
    with transaction(step.connection) as cursor:
        run = _waiting_run(step, cursor)
        _refuse_what_is_not_shown(step, run)
        _refuse_the_deployer(run, operator)
        facts = run["approval"]
        step.changed = person(operator) not in {one["person"] for one in facts["given"]}
        if step.changed and not step.module.check_mode:
            refuse_endless_commit(cursor)
            write_approval(cursor, run["run_id"], facts["receipt"], operator, _comment(step))
        facts = approval_facts(run["receipts"], read_approvals(cursor, run["run_id"]), run["operator"])
    rehearsed = outputs_in(run["receipts"], "rehearse")["migrations"]
    return {
        **{key: run[key] for key in ("run_id", "migrations", "operator", "since")},
        "approver": operator,
        "approved": step.changed,
        "checked_only": step.module.check_mode,
        "approval": facts,
        "rehearsed": [{key: one.get(key) for key in SHOWN} for one in rehearsed],
    }


def _waiting_run(step: Step, cursor: Cursor) -> Json:
    """
    Raises:
        Refused: no such run waits, or it can no longer go on.
    """
    run_id = step.params["approved_run_id"]
    if not run_id:
        raise Refused(
            "run_not_waiting",
            "Name the run that is approved: -e run_id=<run_id>. Which ones wait: ansible-playbook"
            " playbooks/status.yml",
        )
    found = waiting_runs(cursor, run_id)
    if not found or found[0]["approval"] is None:
        raise Refused("run_not_waiting", not_waiting(run_id, Ledger().run(cursor, run_id)))
    run, (version, *others) = found[0], found[0]["migrations"]
    again = f"Deploy again: {NEW_DEPLOY.format('pending' if others else version)}"
    if altered(run["receipts"]) is not None or Ledger().chain_is_broken(cursor, run_id):
        raise Refused(
            "receipt_altered",
            f"The receipts of run {run_id} are no longer the chain that was written, so that there is nothing to"
            f" approve. Find out who writes to schema runbook. {again}",
        )
    if run["expired"]:
        raise Refused(
            "receipt_too_old",
            f"Run {run_id} can no longer go on: its backup was young enough until {run['approval']['until']}"
            f" (approval_max_age_hours). {again}",
        )
    if run["changed_by"]:
        raise Refused(
            "production_changed_since_rehearsal",
            f"Run {run_id} can no longer go on: run {run['changed_by']} has changed production since it rehearsed"
            f" {', '.join(run['migrations'])}. {again}",
        )
    return run


def _refuse_what_is_not_shown(step: Step, run: Json) -> None:
    """Whoever approves has the scripts before them that were rehearsed.

    Raises:
        Refused: sql_dir of the one who approves has others.
    """
    present = step.script_digests()
    for version, digests in _scripts_of(run).items():
        here = present.get(version, {})
        differing = [kind for kind, digest in digests.items() if here.get(kind) != digest]
        if differing:
            raise Refused(
                "scripts_not_those_rehearsed",
                f"The {differing[0]} script of migration {version} in your sql_dir is not the one that run"
                f" {run['run_id']} has rehearsed, or it is missing. Nothing was approved. Check out what was rehearsed"
                " (sql_commit in its run.json), read it, and type the same command again.",
            )


def _scripts_of(run: Json) -> Json:
    """version -> kind -> digest of the scripts with which the run began."""
    opening = next(receipt for receipt in run["receipts"] if receipt["step"] == "preflight")
    return opening["inputs"].get("scripts", {})


def _refuse_the_deployer(run: Json, operator: str) -> None:
    if person(operator) == person(run["operator"]):
        raise Refused(
            "approver_is_deployer",
            f"{person(operator)} has started run {run['run_id']} ({run['operator']}) and cannot approve it. Nothing was"
            " approved. Somebody else, by a login of their own, types the same command.",
        )


def _comment(step: Step) -> str:
    comment = step.params["comment"].strip()
    if len(comment) > LONGEST_COMMENT:
        raise Refused(
            "setting_invalid",
            f"approval_comment has {len(comment)} characters, and may have {LONGEST_COMMENT}. Nothing was approved.",
        )
    return comment


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            approved_run_id={"type": "str", "default": ""},
            comment={"type": "str", "default": ""},
        ),
        supports_check_mode=True,
    )
    Step(module, "approve").execute(work)
