# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step announce; its options are documented in plugins/modules/announce.py."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ..backup.engine import ENGINE_SPEC, drop_copy
from ..drill.remains import remove_remains
from ..errors import StepFailed
from ..ledger.maintenance import note_in_service
from ..ledger.maintenance_mode import end_mode
from ..library.follow import forget_rehearsed
from ..postgres.connection import TARGET_SPEC, transaction
from ..postgres.lock_waits import LockPolicy, waiting_at_most
from ..restore.restored import drop_restored
from ..shapes import Json
from ..step.options import step_argument_spec
from ..step.step import Step

# How long the end of maintenance_mode waits for others: longer than what begins a run, since people wait for it.
LOCKS = LockPolicy(timeout_seconds=5, attempts=6, pause_seconds=1)


def work(step: Step) -> Json:
    params = step.params
    step.changed = False
    if step.module.check_mode:
        return {}
    ended: Json = {}
    if params["maintenance_ended"] or params["database_in_service"]:
        ended = _end_mode(step)
    if params["maintenance_ended"]:
        with transaction(step.connection) as cursor:
            note_in_service(cursor, step.run_id)
    if not params["outcome"]:
        _keep_signatures(step)
        return ended
    dropped = drop_copy(params, step.run_id, step.connection)
    if step.playbook == "drill":
        # Of one whose process was killed.
        remove_remains(params["copy_target"] or params["target"], step.run_id, params["backup_dir"])
    restored_dropped = drop_restored(params["target"], step.run_id, params["backup_dir"], step.connection)
    closed = _close_run(step)
    return {**ended, "copy_dropped": dropped, "restored_dropped": restored_dropped, "run_closed": closed}


def _close_run(step: Step) -> bool:
    """Write into the ledger how the run ended; whether it was open there."""
    params = step.params
    with transaction(step.connection) as cursor:
        if not step.ledger.exists(cursor):
            return False  # a preflight that died had not come to make one
        forget_rehearsed(cursor)
        step.ledger.keep_signatures(cursor, step.run_id, params["run"]["signed"] or {})
        return step.ledger.finish_run(
            cursor, step.run_id, params["outcome"], params["reason"], params["record_sha256"]
        )


def _end_mode(step: Step) -> Json:
    """Let PostgreSQL give the application back what maintenance_mode of the run has taken."""
    try:
        mode, said = waiting_at_most(
            step.connection,
            step.params["target"],
            LOCKS,
            lambda: end_mode(step.connection, step.run_id),
            "When that session has ended, this gives back what was taken: ansible-playbook playbooks/status.yml",
            step.module.warn,
        )
    except StepFailed as error:
        raise StepFailed(
            error.code,
            f"maintenance_mode still holds, and keeps the application out of service: {error.reason}",
            **error.details,
        ) from None
    for sentence in said:
        step.module.warn(sentence)
    if mode is None:
        return {}
    step.changed = True
    return {"mode_ended": mode}


def _keep_signatures(step: Step) -> None:
    """Of a run that began, did its work and ended in one step: nothing comes after it that could bring them."""
    if not step.params["run"]["signed"]:
        return
    with transaction(step.connection) as cursor:
        step.ledger.keep_signatures(cursor, step.run_id, step.params["run"]["signed"])


def main() -> None:
    module = AnsibleModule(
        argument_spec=step_argument_spec(
            outcome={"type": "str", "default": "failed"},
            reason={"type": "str", "default": ""},
            reason_code={"type": "str", "default": ""},
            record_sha256={"type": "str", "default": ""},
            fail_on_held_back={"type": "bool", "default": False},
            restore_salvage={"type": "bool", "default": True},
            maintenance_ended={"type": "bool", "default": False},
            database_in_service={"type": "bool", "default": False},
            metrics_dir={"type": "str", "default": ""},
            preflight_done={"type": "bool", "default": False},
            out_of_service={"type": "str", "default": ""},
            unannounced={"type": "list", "elements": "dict", "default": []},
            copy_target={"type": "dict", "options": TARGET_SPEC},
            **ENGINE_SPEC,
        ),
        supports_check_mode=True,
    )
    Step(module, "announce").execute(work)
